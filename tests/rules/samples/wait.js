function (user, context, callback) {
  setTimeout(() => callback(null, user, context), 3_600_000);
}
