function (user, context, callback) {
  callback(null, { user_id: user.user_id, replaced: true }, { ...context, idToken: { only: 'this' } });
}
