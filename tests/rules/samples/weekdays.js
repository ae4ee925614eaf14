function (user, context, callback) {
  const day = new Date().getUTCDay();
  if (day === 0 || day === 6) return callback(new UnauthorizedError('come back on Monday'));
  callback(null, user, context);
}
