function (user, context, callback) {
  user.hash = crypto.createHash('sha256').update(user.email).digest('hex');
  user.query = querystring.stringify({ a: 1 });
  callback(null, user, context);
}
