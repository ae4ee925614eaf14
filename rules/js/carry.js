'use strict';
// For `tests/rules/load-rule.js` with RULES_ACROSS=1: what a rule does in this process is carried to the process of its test.
//
// HTTP: every request goes to a small server of the test's process, which makes it there, so that interceptors see it. The rule's
// own HTTP library stays as it is on this side. `auth0`: the functions that the test handed in are called there.

const http = require('node:http');
const https = require('node:https');
const { syncBuiltinESMExports } = require('node:module');
const { urlToHttpOptions } = require('node:url');

/** Headers between the two sides; the server takes them off. */
const TO = 'x-carried-to'; // the origin that the rule asked
const BY_FETCH = 'x-carried-fetch'; // the `redirect` of a fetch
const ERROR = 'x-carried-error'; // of a response: JSON of an error instead
const AT = 'x-carried-at'; // of a response: where redirects led to

/** Sends all HTTP requests to the server on this port of 127.0.0.1. */
function http_(port) {
  const { request, fetch } = { request: http.request, fetch: globalThis.fetch };
  for (const [module, protocol] of [[http, 'http:'], [https, 'https:']]) {
    module.request = (...args) => redirected(request, port, protocol, ...args);
    module.get = (...args) => module.request(...args).end();
  }
  globalThis.fetch = (input, options) => fetched(fetch, port, new Request(input, options));
  syncBuiltinESMExports();
}

function redirected(request, port, protocol, input, second, third) {
  const isUrl = typeof input === 'string' || input instanceof URL;
  const [more, callback] = !isUrl ? [{}, second] : typeof second === 'function' ? [{}, second] : [second, third];
  const options = { ...(isUrl ? urlToHttpOptions(new URL(input)) : input), ...more };
  const scheme = options.protocol || protocol;
  const defaultPort = scheme === 'https:' ? 443 : 80;
  const host = options.hostname || options.host || 'localhost';
  const origin = Number(options.port || defaultPort) === defaultPort ? host : `${host}:${options.port}`;
  const own = {
    ...{ protocol: 'http:', host: '127.0.0.1', hostname: undefined, port, family: 4, lookup: undefined },
    ...{ agent: new http.Agent({ keepAlive: false }), createConnection: undefined, socketPath: undefined, defaultPort: undefined },
    headers: withHeaders(options.headers, { host: origin, [TO]: `${scheme}//${origin}` }),
  };
  const real = request({ ...options, ...own }, callback);
  // What the test's process does with certificates is its own affair: `request` with `strictSSL` looks at these.
  if (scheme === 'https:') real.once('socket', (socket) => Object.assign(socket, { encrypted: true, authorized: true }));
  const emit = real.emit;
  real.emit = function (event, ...values) {
    const error = event === 'response' && values[0].headers[ERROR];
    if (!error) return emit.call(this, event, ...values);
    values[0].resume();
    return emit.call(this, 'error', revived(error));
  };
  return real;
}

/** What the rule gave wins over `host`. */
function withHeaders(given, { host, ...more }) {
  if (Array.isArray(given)) return [...given, ...Object.entries(more).flat()];
  const names = Object.keys(given || {}).map((name) => name.toLowerCase());
  return { ...(names.includes('host') ? {} : { host }), ...given, ...more };
}

async function fetched(fetch, port, request) {
  const { protocol, host, pathname, search } = new URL(request.url);
  const headers = new Headers(request.headers);
  headers.set(TO, `${protocol}//${host}`);
  headers.set(BY_FETCH, request.redirect);
  const body = request.body ? await request.arrayBuffer() : undefined;
  const { method, signal } = request;
  const response = await fetch(`http://127.0.0.1:${port}${pathname}${search}`, { method, headers, body, signal, redirect: 'manual' });
  const error = response.headers.get(ERROR);
  if (error) throw Object.assign(new TypeError('fetch failed'), { cause: revived(error) });
  const at = response.headers.get(AT);
  return Object.defineProperties(response, { url: { value: at || request.url }, redirected: { value: at !== null } });
}

/** An error as JSON that fits into a header. */
const packed = ({ name, message, code, syscall, address, port }) =>
  encodeURIComponent(JSON.stringify({ name, message: String(message), code, syscall, address, port }));

function revived(text) {
  const { message, ...rest } = JSON.parse(decodeURIComponent(text));
  return Object.assign(new Error(message), rest);
}

/**
 * Returns the `auth0` of a test: `values` are its values, `functions` the paths of its functions, as `users.updateAppMetadata`.
 * `ask(path, args)` has one called in the test's process and returns a promise of its result. A function among the arguments is
 * called back with what that one calls it with: the first argument of `ask` is its place, or -1.
 */
function auth0({ values, functions }, ask) {
  const members = structuredClone(values);
  for (const path of functions) {
    const names = path.split('.');
    const last = names.pop();
    const parent = names.reduce((at, name) => (at[name] ||= {}), members);
    parent[last] = (...args) => called(ask, path, args);
  }
  return members;
}

function called(ask, path, args) {
  const place = args.findIndex((argument) => typeof argument === 'function');
  const result = ask(path, [place, ...args.map((argument) => (typeof argument === 'function' ? null : argument))]);
  if (place < 0) return result;
  result.then(
    (values) => process.nextTick(args[place], null, ...values),
    (error) => process.nextTick(args[place], error),
  );
  return undefined;
}

module.exports = { http: http_, auth0, packed, TO, BY_FETCH, ERROR, AT };
