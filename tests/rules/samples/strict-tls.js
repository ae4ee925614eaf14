// As the module `request` looks at a response where `strictSSL` is true.
function (user, context, callback) {
  const https = require('https');
  const request = https.request('https://hooks.example.com/strict', {}, (response) => {
    const { authorized, authorizationError } = response.socket;
    response.resume().on('end', () => callback(authorized ? null : new Error(`SSL Error: ${authorizationError}`), user, context));
  });
  request.on('error', callback).end();
}
