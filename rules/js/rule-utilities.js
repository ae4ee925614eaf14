'use strict';
// A stand-in for `@auth0/rule-utilities` 0.1 and 0.2: the same names and results. It writes metadata by the runner's `auth0` and
// signs by Node.js itself, so it needs no other module. A copy of the real module in RULES_MODULES comes first.

const { createHmac, timingSafeEqual } = require('crypto');

const noRedirectProtocols = ['oauth2-resource-owner', 'oauth2-refresh-token', 'oauth2-password', 'redirect-callback'];
const UNITS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800, y: 31557600 };

/** Seconds of `3d`, `12h` or a number of seconds. */
function seconds(text) {
  const found = /^\s*(\d+(?:\.\d+)?)\s*([smhdwy])?\s*$/.exec(String(text));
  if (!found) throw new Error(`SESSION_TOKEN_EXPIRES_IN must be seconds, or a number with s, m, h, d or w: ${JSON.stringify(text)}`);
  return Math.floor(Number(found[1]) * UNITS[found[2] || 's']);
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

function signature(text, secret) {
  if (!secret) throw new Error('secretOrPrivateKey must have a value: set SESSION_TOKEN_SECRET in RULES_CONFIGURATION');
  return createHmac('sha256', secret).update(text).digest();
}

function sign(payload, secret, { expiresIn }) {
  const iat = Math.floor(Date.now() / 1000);
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ iat, exp: iat + seconds(expiresIn), ...payload })}`;
  return `${text}.${signature(text, secret).toString('base64url')}`;
}

function fail(name, message) {
  throw Object.assign(new Error(message), { name });
}

function parts(token) {
  if (!token) fail('JsonWebTokenError', 'jwt must be provided');
  const [head, body, proof, ...more] = String(token).split('.');
  try {
    if (proof === undefined || more.length) throw new Error();
    const [header, payload] = [head, body].map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));
    return { header, payload, text: `${head}.${body}`, proof: Buffer.from(proof, 'base64url') };
  } catch {
    return fail('JsonWebTokenError', 'jwt malformed');
  }
}

function verify(token, secret, { subject, issuer }) {
  const { header, payload, text, proof } = parts(token);
  const own = signature(text, secret);
  if (header.alg !== 'HS256') fail('JsonWebTokenError', 'invalid algorithm');
  if (proof.length !== own.length || !timingSafeEqual(proof, own)) fail('JsonWebTokenError', 'invalid signature');
  if (payload.exp !== undefined && !(payload.exp > Date.now() / 1000)) fail('TokenExpiredError', 'jwt expired');
  if (payload.sub !== subject) fail('JsonWebTokenError', `jwt subject invalid. expected: ${subject}`);
  if (payload.iss !== issuer) fail('JsonWebTokenError', `jwt issuer invalid. expected: ${issuer}`);
  return payload;
}

class Auth0RedirectRuleUtilities {
  constructor(user, context, configuration) {
    this.user = user || {};
    this.context = context || {};
    this.noRedirectProtocols = noRedirectProtocols;
    this.tokenSecret = configuration && configuration.SESSION_TOKEN_SECRET;
    this.tokenExpiresIn = (configuration && configuration.SESSION_TOKEN_EXPIRES_IN) || '3d';
    this.sign = sign;
    this.verify = verify;
  }

  get redirectUrl() {
    return this.context.redirect && this.context.redirect.url;
  }

  get queryParams() {
    return (this.context.request && this.context.request.query) || {};
  }

  get protocolCanRedirect() {
    return !this.noRedirectProtocols.includes(this.context.protocol);
  }

  get isRedirectCallback() {
    return this.context.protocol === 'redirect-callback';
  }

  get canRedirect() {
    return !this.redirectUrl && !this.context.multifactor && this.queryParams.prompt !== 'none' && this.protocolCanRedirect;
  }

  get _issuer() {
    return `https://${this.context.request.hostname}/`;
  }

  createSessionToken(additionalClaims = {}) {
    const claims = { ip: this.context.request.ip, iss: this._issuer, sub: this.user.user_id, ...additionalClaims };
    return this.sign(claims, this.tokenSecret, { expiresIn: this.tokenExpiresIn });
  }

  validateSessionToken(verifyOptions = {}) {
    const expected = { ...verifyOptions, subject: this.user.user_id, issuer: this._issuer };
    const payload = this.verify(this.queryParams.session_token, this.tokenSecret, expected);
    if (!payload.exp) throw new Error('Expired token');
    return payload;
  }

  doRedirect(url, options = {}) {
    if (!this.canRedirect || !url) throw new Error('Cannot redirect');
    const { sessionToken, generateSessionToken = true } = options || {};
    const own = typeof sessionToken === 'string' && sessionToken;
    const token = own || (generateSessionToken === true ? this.createSessionToken() : '');
    this.context.redirect = { url: token ? `${url}?session_token=${token}` : url };
  }
}

/** An update is not waited for by the rule, as in the original; one that fails becomes an unhandled rejection of its run. */
class Auth0UserUpdateUtilities {
  constructor(user, auth0, namespace) {
    this.user = user;
    this.userId = user.user_id;
    this._users = auth0.users;
    this._namespace = typeof namespace === 'string' ? namespace : '';
    for (const metadata of ['user_metadata', 'app_metadata']) {
      user[metadata] = user[metadata] || {};
      if (this._namespace) user[metadata][this._namespace] = user[metadata][this._namespace] || {};
    }
  }

  _part(metadata) {
    return this._namespace ? this.user[metadata][this._namespace] : this.user[metadata];
  }

  getUserMeta(key) {
    return this._part('user_metadata')[key];
  }

  getAppMeta(key) {
    return this._part('app_metadata')[key];
  }

  setUserMeta(key, value) {
    this._part('user_metadata')[key] = value;
  }

  setAppMeta(key, value) {
    this._part('app_metadata')[key] = value;
  }

  setUser(key, value) {
    this.user[key] = value;
  }

  updateUserMetadata() {
    this._users.updateUserMetadata(this.userId, this.user.user_metadata);
  }

  updateAppMetadata() {
    this._users.updateAppMetadata(this.userId, this.user.app_metadata);
  }

  updateUser() {
    throw new Error("updateUser needs the real module, or require('auth0@2') with auth0.accessToken: only metadata can be written here");
  }
}

module.exports = { Auth0RedirectRuleUtilities, Auth0UserUpdateUtilities, noRedirectProtocols };
