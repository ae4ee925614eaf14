// The global `auth0` of the rules. Its two methods are calls that the parent makes; everything else of it is a value.
'use strict';

const { current } = require('./context.js');

const METHODS = { updateAppMetadata: 'app_metadata', updateUserMetadata: 'user_metadata' };

/**
 * proxy(facts, call): `facts` has accessToken, domain, baseUrl, and may change. `call(step, method, args)` returns a promise.
 * Every method returns a promise, and calls a callback where one is handed in.
 */
exports.proxy = function proxy(facts, call) {
  const users = {};
  for (const method of Object.keys(METHODS)) users[method] = (...args) => update(call, method, args);
  return strict('auth0', {
    users: strict('auth0.users', users),
    get accessToken() {
      return facts.accessToken;
    },
    get domain() {
      return facts.domain;
    },
    get baseUrl() {
      return facts.baseUrl;
    },
  });
};

function update(call, method, args) {
  const done = typeof args[args.length - 1] === 'function' ? args[args.length - 1] : null;
  const [target, data] = args;
  const id = target && typeof target === 'object' ? target.id : target;
  const promise =
    typeof id === 'string' && id && data && typeof data === 'object'
      ? call(current(), method, [id, data])
      : Promise.reject(new Error(`auth0.users.${method} needs a user's id and an object`));
  if (!done) return promise;
  // Outside of the promise: what the callback throws is its rule's uncaught exception, not a rejection of ours.
  promise.then(
    (value) => process.nextTick(done, null, value),
    (error) => process.nextTick(done, error),
  );
  return promise;
}

/** Returns an object whose unknown members throw, with what to use instead. */
function strict(name, members) {
  return new Proxy(Object.freeze(members), {
    get(target, key) {
      if (key in target || typeof key === 'symbol' || key === 'then' || key === 'toJSON' || key === 'inspect') return target[key];
      throw new Error(
        `${name}.${key} does not exist: rules have auth0.users.updateAppMetadata and updateUserMetadata. ` +
          "For the rest of the Management API use require('auth0@2') with auth0.accessToken and auth0.domain",
      );
    },
  });
}
