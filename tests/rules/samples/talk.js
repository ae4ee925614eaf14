function (user, context, callback) {
  console.log('seen %s', user.name, { logins: 2 });
  console.warn('late');
  callback(null, user, context);
}
