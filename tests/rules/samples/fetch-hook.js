async function (user, context, callback) {
  try {
    const response = await fetch('https://hooks.example.com/fetched', { method: 'PUT', body: user.name });
    const { status, url, redirected } = response;
    user.hook = { status, url, redirected, cookies: response.headers.getSetCookie(), body: await response.json() };
    callback(null, user, context);
  } catch (error) {
    callback(error.cause || error);
  }
}
