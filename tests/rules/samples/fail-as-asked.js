function (user, context, callback) {
  if (user.as === 'text') return callback('Access denied');
  if (user.as === 'error') return callback(new Error('Signup disabled'));
  if (user.as === 'type error') return callback(new TypeError('wrong type'));
  if (user.as === 'code') return callback(Object.assign(new Error('refused'), { code: 'ECONNREFUSED', status: 503 }));
  if (user.as === 'own class') return callback(new PaymentRequired('pay first'));
  callback(null, user, context);
}
