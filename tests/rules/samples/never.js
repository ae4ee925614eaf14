function (user, context, callback) {
  if (user.exit) process.abort();
  if (user.leave) process.reallyExit(3);
  throw new RangeError('thrown at once');
}
