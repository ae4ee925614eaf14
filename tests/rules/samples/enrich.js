// An async arrow function, with a comment before it.
async (user, context, callback) => {
  context.idToken['https://example.com/roles'] = user.app_metadata.roles.concat(configuration.EXTRA_ROLE);
  user.app_metadata.roles.push('seen');
  user.nested.kept.count += 1;
  delete user.secret;
  await null;
  callback(null, user, context);
};
