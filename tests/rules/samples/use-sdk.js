function (user, context, callback) {
  const sdk = require('acme-sdk@1.0.0');
  user.score = sdk.score(user.email);
  callback(null, user, context);
}
