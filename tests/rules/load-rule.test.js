'use strict';
// The loader, in both ways: `node --test`, without and with RULES_ACROSS=1. No dependencies.

const assert = require('node:assert/strict');
const http = require('node:http');
const https = require('node:https');
const path = require('node:path');
const util = require('node:util');
const { afterEach, test } = require('node:test');

process.env.RULES_DIR ||= path.join(__dirname, 'samples');
const loadRule = require('./load-rule.js');
const { isJson, land } = require('./crossing.js');

const ACROSS = process.env.RULES_ACROSS === '1';
const real = { request: https.request, fetch: globalThis.fetch, Date: globalThis.Date };
afterEach(() => {
  https.request = real.request;
  globalThis.fetch = real.fetch;
  globalThis.Date = real.Date;
});

/** Runs a rule. Returns what it called back with. */
const run = (rule, user = {}, context = {}) =>
  new Promise((resolve) => rule(user, context, (error, newUser, newContext) => resolve({ error, user: newUser, context: newContext })));

/** Returns how many calls of rules crossed during `work`. */
async function crossing(work) {
  const before = loadRule.crossed().across;
  await work();
  return loadRule.crossed().across - before;
}

/** A server that stands for every host: what an interceptor of HTTP does. Returns the requests that it got. */
async function intercept(t, answer) {
  const seen = [];
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (data) => (body += data)).on('end', () => {
      seen.push({ method: request.method, path: request.url, host: request.headers.host, headers: request.headers, body });
      answer(response);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => (server.closeAllConnections(), server.close()));
  const { port } = server.address();
  https.request = (url, options, callback) => {
    const { host, pathname, search } = new URL(url);
    const request = http.request(`http://127.0.0.1:${port}${pathname}${search}`, { ...options, headers: { ...options.headers, host } }, callback);
    return request.on('socket', (socket) => (socket.authorized = true)); // as interceptors do
  };
  globalThis.fetch = (url, options) => real.fetch(String(url).replace('https://hooks.example.com', `http://127.0.0.1:${port}`), options);
  return seen;
}

test('changes land in the objects that were handed in', async () => {
  const kept = { count: 1 };
  const roles = ['admin'];
  const user = { app_metadata: { roles }, nested: { kept }, secret: 'x' };
  const context = { idToken: {} };
  const rule = loadRule('enrich', { configuration: { EXTRA_ROLE: 'more' } });
  const crossed = await crossing(async () => {
    const got = await run(rule, user, context);
    assert.equal(got.error, null);
    assert.equal(got.user, user);
    assert.equal(got.context, context);
  });
  assert.deepEqual(context, { idToken: { 'https://example.com/roles': ['admin', 'more'] } });
  assert.deepEqual(user, { app_metadata: { roles: ['admin', 'seen'] }, nested: { kept: { count: 2 } } });
  assert.equal(user.app_metadata.roles, roles);
  assert.equal(user.nested.kept, kept);
  assert.equal(crossed, ACROSS ? 1 : 0);
});

test('objects that a rule calls back with instead are what the test gets', async () => {
  const got = await run(loadRule('replace'), { user_id: 'a', gone: 1 }, { clientID: 'c', idToken: { before: 1 } });
  assert.deepEqual(got.user, { user_id: 'a', replaced: true });
  assert.deepEqual(got.context, { clientID: 'c', idToken: { only: 'this' } });
});

test("an UnauthorizedError has the class of the test's own, and its message", async () => {
  class UnauthorizedError extends Error {}
  const { error } = await run(loadRule('deny-unverified', { UnauthorizedError }), { email: 'a@example.com' });
  assert.ok(error instanceof UnauthorizedError);
  assert.equal(error.message, 'verify a@example.com first');
});

test('without one of the test it is an error of that name', async () => {
  const { error } = await run(loadRule('deny-unverified'), { email: 'a@example.com' });
  assert.ok(error instanceof Error);
  assert.equal(error.name, 'UnauthorizedError');
});

test('a text stays a text, and an error keeps its class and message', async () => {
  const rule = loadRule('fail-as-asked');
  assert.equal((await run(rule, { as: 'text' })).error, 'Access denied');
  const [plain, typed] = [(await run(rule, { as: 'error' })).error, (await run(rule, { as: 'type error' })).error];
  assert.deepEqual([plain.constructor, plain.message], [Error, 'Signup disabled']);
  assert.deepEqual([typed.constructor, typed.message], [TypeError, 'wrong type']);
  const { code, status } = (await run(rule, { as: 'code' })).error;
  assert.deepEqual([code, status], ['ECONNREFUSED', 503]);
});

test("a class of the test's own runs in process", async () => {
  class PaymentRequired extends Error {}
  const rule = loadRule('fail-as-asked', { PaymentRequired });
  const crossed = await crossing(async () => assert.ok((await run(rule, { as: 'own class' })).error instanceof PaymentRequired));
  assert.equal(crossed, 0);
});

test('functions under auth0 are called in this process', async () => {
  const calls = [];
  class Users {
    async updateAppMetadata(...args) {
      calls.push([this.constructor.name, ...args]);
      return { stored: args[1] };
    }
  }
  const rule = loadRule('remember', { auth0: { accessToken: 'token', users: new Users() } });
  const crossed = await crossing(async () => {
    const { user } = await run(rule, { user_id: 'auth0|1' });
    assert.deepEqual(user.saved, { stored: { logins: 1 } });
    assert.equal(user.token, 'token');
  });
  assert.deepEqual(calls, [['Users', 'auth0|1', { logins: 1 }]]);
  assert.equal(crossed, ACROSS ? 1 : 0);
});

test('a function under auth0 that calls back is called back, and its error keeps its message', async () => {
  const users = { updateAppMetadata: (id, _data, done) => (id === 'bad' ? done(new Error('no such user')) : done(null, 'saved')) };
  const rule = loadRule('remember', { auth0: { users } });
  assert.equal((await run(rule, { user_id: 'a' }, { by: 'callback' })).user.saved, 'saved');
  assert.equal((await run(rule, { user_id: 'bad' }, { by: 'callback' })).error.message, 'no such user');
});

test('a promise of auth0 that is rejected reaches the rule', async () => {
  const users = { updateAppMetadata: () => Promise.reject(new Error('429')) };
  assert.equal((await run(loadRule('remember', { auth0: { users } }), { user_id: 'a' })).error.message, '429');
});

test('HTTP requests of a rule are made in this process, where interceptors see them', async (t) => {
  const seen = await intercept(t, (response) => response.writeHead(418, 'Short And Stout', { 'x-kind': 'teapot' }).end('hello'));
  const rule = loadRule('post-to-hook', { configuration: { HOOK_TOKEN: 'secret' } });
  const crossed = await crossing(async () => {
    const { user } = await run(rule, { name: 'Ada ✓' });
    assert.deepEqual(user.hook, { status: 418, message: 'Short And Stout', text: 'hello', kind: 'teapot' });
  });
  const [{ method, path: asked, host, headers, body }] = seen;
  assert.deepEqual([method, asked, host, body], ['POST', '/path?a=1', 'hooks.example.com', '{"name":"Ada ✓"}']);
  assert.equal(headers.authorization, 'Bearer secret');
  assert.deepEqual(Object.keys(headers).filter((name) => name.startsWith('x-')), []);
  assert.equal(crossed, ACROSS ? 1 : 0);
});

test('a response by https has a certificate that was checked', async (t) => {
  const seen = await intercept(t, (response) => response.end());
  assert.equal((await run(loadRule('strict-tls'))).error, null);
  assert.equal(seen[0].path, '/strict');
});

test('an error of a request reaches the rule as it was', async (t) => {
  await intercept(t, (response) => response.destroy());
  const rule = loadRule('post-to-hook', { configuration: {} });
  assert.equal((await run(rule, { name: 'Ada' })).error.code, 'ECONNRESET');
  https.request = () => {
    throw new Error('no connection is allowed');
  };
  if (ACROSS) assert.equal((await run(rule, { name: 'Ada' })).error.message, 'no connection is allowed');
});

test('so is the global fetch', async (t) => {
  const seen = await intercept(t, (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"a":1}'));
  const { user, error } = await run(loadRule('fetch-hook'), { name: 'Ada' });
  assert.equal(error, null);
  assert.deepEqual([user.hook.status, user.hook.body], [200, { a: 1 }]);
  assert.deepEqual([seen[0].method, seen[0].path, seen[0].body], ['PUT', '/fetched', 'Ada']);
});

test('cookies of a response, and where a redirect led to, are those that fetch gave here', async () => {
  const given = { url: { value: 'https://hooks.example.com/other' }, redirected: { value: true } };
  const headers = [['content-type', 'application/json'], ['set-cookie', 'a=1'], ['set-cookie', 'b=2']];
  globalThis.fetch = async () => Object.defineProperties(new Response('{}', { headers }), given);
  const { user } = await run(loadRule('fetch-hook'), { name: 'Ada' });
  assert.deepEqual(user.hook, { status: 200, body: {}, cookies: ['a=1', 'b=2'], url: 'https://hooks.example.com/other', redirected: true });
});

test('what a rule prints is printed by the console of the test', async (t) => {
  const printed = [];
  for (const level of ['log', 'warn']) t.mock.method(console, level, (...values) => printed.push([level, util.format(...values)]));
  const crossed = await crossing(() => run(loadRule('talk'), { name: 'Ada' }));
  assert.deepEqual(printed, [['log', 'seen Ada { logins: 2 }'], ['warn', 'late']]);
  assert.equal(crossed, ACROSS ? 1 : 0);
});

test('a replaced Date is what the rule sees', async () => {
  const rule = loadRule('weekdays');
  for (const [time, denied] of [['2026-11-29T12:00:00Z', true], ['2026-11-30T12:00:00Z', false]]) {
    globalThis.Date = class extends real.Date {
      constructor() {
        super(time);
      }
    };
    assert.equal(await crossing(async () => assert.equal(Boolean((await run(rule)).error), denied)), 0);
  }
});

test('replaced timers are what the rule sees', async (t) => {
  const rule = loadRule('wait');
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const crossed = await crossing(async () => {
    const result = run(rule);
    t.mock.timers.tick(3_600_000);
    assert.equal((await result).error, null);
  });
  assert.equal(crossed, 0);
});

test('a stub stands for a module by the text that is given to require', async () => {
  const rule = loadRule('use-sdk', {}, { 'acme-sdk@1.0.0': { score: (email) => email.length } });
  assert.equal(await crossing(async () => assert.equal((await run(rule, { email: 'abc' })).user.score, 3)), 0);
});

test('a module that is not installed is an error with what to do', async () => {
  let error;
  try {
    error = (await run(loadRule('use-sdk'), { email: 'abc' })).error;
  } catch (thrown) {
    error = thrown;
  }
  assert.match(String(error.message), /acme-sdk@1\.0\.0"\): is not installed; run `auth0-webhooks rules install`/);
});

test('the global names of the sandbox are there', async () => {
  const { user } = await run(loadRule('implicit-globals'), { email: 'a' });
  assert.equal(user.hash, 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afe48bb0'.slice(0, 6) + user.hash.slice(6));
  assert.equal(user.query, 'a=1');
});

test('a rule that throws, and one that wants to end the process, is an error', async () => {
  const rule = loadRule('never');
  if (!ACROSS) assert.throws(() => rule({}, {}, assert.fail), /thrown at once/);
  else {
    const { error } = await run(rule);
    assert.deepEqual([error.constructor, error.message], [RangeError, 'thrown at once']);
    assert.match((await run(rule, { exit: true })).error.message, /process\.abort is not available to rules/);
  }
});

test('a rule is named by its file in RULES_DIR', () => {
  for (const name of ['../load-rule', '/etc/passwd', '', 'a/b', undefined, null, 3]) assert.throws(() => loadRule(name), /named by its file/);
  assert.throws(() => loadRule('not-there'), /ENOENT/);
});

test('what runs in process is counted with its reason', () => {
  const { across, inProcess, reasons } = loadRule.crossed();
  if (!ACROSS) assert.deepEqual([across, inProcess, reasons], [0, 0, {}]);
  else {
    assert.ok(across >= 12, `${across} crossed`);
    assert.deepEqual(Object.keys(reasons).sort(), ['PaymentRequired, which is not JSON', 'a replaced Date', 'replaced timers', 'stubs']);
  }
});

test('only what JSON keeps can cross', () => {
  const circle = {};
  circle.circle = circle;
  for (const value of [{ a: [1, 'x', null, true, undefined, { b: {} }] }, Object.create(null), 'x']) assert.ok(isJson(value));
  for (const value of [circle, new Date(), () => 1, { a: 1n }, NaN, { [Symbol('x')]: 1 }, new Map(), Symbol('x'), Buffer.from('x')]) assert.ok(!isJson(value));
});

test('what lands is equal, whatever was there', () => {
  const values = [{}, { a: 1 }, { a: { b: [1, { c: 2 }] }, d: null }, { a: [] }, { a: [1, 2, 3] }, { a: { b: { length: 3 } } }, JSON.parse('{"__proto__": {"x": 1}}')];
  for (const one of values) for (const other of values) {
    const mine = structuredClone(one);
    land(mine, structuredClone(other));
    assert.equal(JSON.stringify(mine, sorted), JSON.stringify(other, sorted));
  }
});

const sorted = (_name, value) => (value && typeof value === 'object' && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort()) : value);
