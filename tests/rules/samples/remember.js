function (user, context, callback) {
  user.app_metadata = user.app_metadata || {};
  user.app_metadata.logins = (user.app_metadata.logins || 0) + 1;
  if (context.by === 'callback') return auth0.users.updateAppMetadata(user.user_id, user.app_metadata, (error, saved) => callback(error, { ...user, saved }, context));
  auth0.users.updateAppMetadata(user.user_id, user.app_metadata)
    .then((saved) => callback(null, Object.assign(user, { saved, token: auth0.accessToken }), context))
    .catch((error) => callback(error));
}
