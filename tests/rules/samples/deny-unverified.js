/**
 * @title Only verified people
 */
function onlyVerified(user, context, callback) {
  if (user.email_verified) return callback(null, user, context);
  return callback(new UnauthorizedError(`verify ${user.email} first`));
}
