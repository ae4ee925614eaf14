function (user, context, callback) {
  const https = require('https');
  const body = JSON.stringify({ name: user.name });
  const headers = { authorization: `Bearer ${configuration.HOOK_TOKEN}`, 'content-type': 'application/json' };
  const request = https.request('https://hooks.example.com/path?a=1', { method: 'POST', headers }, (response) => {
    let text = '';
    response.on('data', (data) => (text += data)).on('end', () => {
      user.hook = { status: response.statusCode, message: response.statusMessage, text, kind: response.headers['x-kind'] };
      callback(null, user, context);
    });
  });
  request.on('error', (error) => callback(error));
  request.end(body);
}
