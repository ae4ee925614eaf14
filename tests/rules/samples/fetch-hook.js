async function (user, context, callback) {
  try {
    const response = await fetch('https://hooks.example.com/fetched', { method: 'PUT', body: user.name });
    user.hook = { status: response.status, url: response.url, body: await response.json() };
    callback(null, user, context);
  } catch (error) {
    callback(error.cause || error);
  }
}
