'use strict';
// `require` of rules, its global names, and the stand-in for @auth0/rule-utilities.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, test } = require('node:test');
const { isBuiltin } = require('node:module');
const { compile } = require('../../rules/js/compile.js');
const modules = require('../../rules/js/modules.js');

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'modules-'));
after(() => fs.rmSync(dir, { recursive: true }));
for (const [place, name, version] of [['lodash', 'lodash', '4.17.21'], ['axios--0.21.1', 'axios', '0.21.1'], ['@acme/sdk', '@acme/sdk', '1.0.0'], ['hidden', 'hidden', '1.0.0'], ['uuid', 'uuid', '3.4.0']]) {
  const folder = path.join(dir, 'node_modules', place);
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name, version }));
  fs.writeFileSync(path.join(folder, 'index.js'), `module.exports = '${name} ${version}'`);
  fs.writeFileSync(path.join(folder, 'part.js'), `module.exports = '${name} part'`);
}
fs.writeFileSync(path.join(dir, 'outside.js'), "throw new Error('a file that no rule may load')");
fs.writeFileSync(path.join(dir, 'package.json'), JSON.stringify({ dependencies: { lodash: '', 'axios--0.21.1': '', '@acme/sdk': '', uuid: '' } }));
const ruleRequire = modules.moduleRequire({ dir });

test('names, pins and parts of modules', () => {
  for (const [specifier, value] of [['lodash', 'lodash 4.17.21'], ['lodash@4.17.21', 'lodash 4.17.21'], ['axios@0.21.1', 'axios 0.21.1'], ['axios@0.21.1/part', 'axios part'], ['@acme/sdk', '@acme/sdk 1.0.0'], ['@acme/sdk@1.0.0', '@acme/sdk 1.0.0'], ['@acme/sdk/part.js', '@acme/sdk part'], ['crypto', require('crypto')], ['node:fs/promises', require('fs/promises')]]) {
    assert.equal(ruleRequire(specifier), value, specifier);
  }
});

test('a module that is not installed, or not in this version, says what to do', () => {
  for (const specifier of ['axios', 'lodash@4.0.0', 'hidden', 'left-pad', '@acme/other@1.0.0', 'node:nothing']) {
    assert.throws(() => ruleRequire(specifier), { code: 'MODULE_NOT_FOUND', message: /is not installed.*rules install/ }, specifier);
  }
  assert.throws(() => ruleRequire('lodash@4.0.0'), /without a version it is 4\.17\.21/);
});

test('a path names no module, and nothing else than a text does', () => {
  for (const specifier of ['./outside.js', '../outside', '/etc/passwd', 'lodash/../../outside.js', 'C:\\outside', '.\\outside', 'file:///etc/passwd', '..', '.']) {
    assert.throws(() => ruleRequire(specifier), { code: 'MODULE_NOT_FOUND', message: /a rule is one file/ }, specifier);
  }
  for (const specifier of [undefined, null, 3, {}, [], Symbol('x'), '', ' ', 'a b', '@', '@/a', 'a@', 'lodash\0', () => 1]) {
    assert.throws(() => ruleRequire(specifier), { code: 'MODULE_NOT_FOUND', message: /is not the name of a module/ });
  }
});

test('whatever is asked for, it is a module of the folder, one of Node.js, or an error that names it', () => {
  const parts = ['lodash', 'axios', '@acme', 'sdk', '/', '/', '@', '..', '.', 'outside.js', 'node_modules', '0.21.1', 'fs', 'node:', '\\', '%2e', ' ', '\0', 'é', 'hidden', 'package.json'];
  let seed = 7;
  const random = (below) => (seed = (seed * 1103515245 + 12345) % 2147483648) % below;
  for (let round = 0; round < 20_000; round += 1) {
    const specifier = Array.from({ length: 1 + random(6) }, () => parts[random(parts.length)]).join('');
    let value;
    try {
      value = ruleRequire(specifier);
    } catch (error) {
      assert.ok(error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_PACKAGE_PATH_NOT_EXPORTED', `${specifier}: ${error.message}`);
      continue;
    }
    const own = /^(lodash|axios|@acme\/sdk)( |$)/.test(value) || (value && ['lodash', '@acme/sdk', 'axios'].includes(value.name));
    assert.ok(isBuiltin(specifier) || own, specifier);
  }
});

test('a folder without package.json offers all that lies in it; no folder offers Node.js alone', () => {
  const bare = fs.mkdtempSync(path.join(os.tmpdir(), 'bare-'));
  fs.cpSync(path.join(dir, 'node_modules'), path.join(bare, 'node_modules'), { recursive: true });
  assert.equal(modules.moduleRequire({ dir: bare })('hidden'), 'hidden 1.0.0');
  fs.rmSync(bare, { recursive: true });
  assert.throws(() => modules.moduleRequire()('hidden'), /is not installed/);
});

test('global names are loaded when a rule reads them, the default version where the pinned one is missing', () => {
  const names = modules.globals(ruleRequire);
  assert.equal(names._, 'lodash 4.17.21');
  assert.equal(names.uuid, 'uuid 3.4.0');
  assert.equal(names.crypto, require('crypto'));
});

test('one that is missing is an error for a rule, and undefined for a module that only looks', () => {
  const names = modules.globals(ruleRequire);
  assert.equal(names.request, undefined);
  const rule = compile('reads', '() => names.request', ['names'])(names);
  assert.throws(rule, /require\("request"\): is not installed/);
});

test('the stand-in signs, redirects and verifies, and refuses what is forged or old', () => {
  const { Auth0RedirectRuleUtilities } = ruleRequire('@auth0/rule-utilities@0.2.0');
  const context = { protocol: 'oidc-basic-profile', request: { hostname: 'acme.auth0.com', ip: '192.0.2.1', query: {} } };
  const made = (more = {}) => new Auth0RedirectRuleUtilities({ user_id: 'auth0|1' }, context, { SESSION_TOKEN_SECRET: 'secret', ...more });
  const before = made();
  assert.deepEqual([before.canRedirect, before.isRedirectCallback], [true, false]);
  before.doRedirect('https://example.com/consent');
  assert.equal(before.canRedirect, false);
  assert.throws(() => before.doRedirect('https://example.com/consent'), /Cannot redirect/);
  const token = new URL(context.redirect.url).searchParams.get('session_token');
  Object.assign(context, { protocol: 'redirect-callback', request: { ...context.request, query: { session_token: token } } });
  const { ip, iss, sub, exp, iat } = made().validateSessionToken();
  assert.deepEqual({ ip, iss, sub, seconds: exp - iat }, { ip: '192.0.2.1', iss: 'https://acme.auth0.com/', sub: 'auth0|1', seconds: 3 * 86400 });
  for (const [query, error] of [[{ session_token: `${token.slice(0, -2)}AA` }, 'invalid signature'], [{ session_token: 'a.b' }, 'jwt malformed'], [{}, 'jwt must be provided']]) {
    context.request.query = query;
    assert.throws(() => made().validateSessionToken(), { message: error });
  }
  context.request.query = { session_token: made({ SESSION_TOKEN_EXPIRES_IN: '0s' }).createSessionToken() };
  assert.throws(() => made().validateSessionToken(), { name: 'TokenExpiredError' });
  context.request.query = { session_token: made().createSessionToken({ sub: 'auth0|2' }) };
  assert.throws(() => made().validateSessionToken(), /subject invalid/);
});

test('the stand-in keeps metadata apart by namespace and writes it whole', () => {
  const { Auth0UserUpdateUtilities } = ruleRequire('@auth0/rule-utilities');
  const written = [];
  const auth0 = { users: { updateAppMetadata: (...args) => written.push(args), updateUserMetadata: (...args) => written.push(args) } };
  const user = { user_id: 'auth0|1', app_metadata: { other: 1 } };
  const util = new Auth0UserUpdateUtilities(user, auth0, 'acme');
  util.setAppMeta('a', 1);
  util.setUserMeta('b', 2);
  assert.deepEqual([util.getAppMeta('a'), util.getUserMeta('b')], [1, 2]);
  util.updateAppMetadata();
  util.updateUserMetadata();
  assert.deepEqual(written, [['auth0|1', { other: 1, acme: { a: 1 } }], ['auth0|1', { acme: { b: 2 } }]]);
  assert.throws(() => util.updateUser(), /only metadata can be written/);
});

test('what modules of that time find in Node.js is there', () => {
  assert.ok('EventEmitter' in require('http').Agent.super_); // pubnub
});
