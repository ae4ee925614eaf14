// Records the HTTP requests that rules make, by http, https and the global fetch; in a dry run it answers each of them `200 {}`.
'use strict';

const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const dgram = require('node:dgram');
const dns = require('node:dns');
const { Duplex } = require('node:stream');
const { syncBuiltinESMExports } = require('node:module');
const diagnostics = require('node:diagnostics_channel');
const { current, outside } = require('./context.js');
const { learn, masked } = require('./secrets.js');

// Kept from before any rule runs: rules may replace it.
const { setTimeout } = globalThis;

const CALLS = 100; // recorded of one step
const UNREAD = 250; // milliseconds until a response that its rule does not read is let go
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n';

/** Returns the URL as text; masked are its password, and values of `configuration` behind its host, where keys of services stand. */
function shown(url) {
  try {
    const parsed = new URL(url);
    if (parsed.password) parsed.password = '***';
    const host = parsed.href.indexOf('/', parsed.protocol.length + 2);
    return parsed.href.slice(0, host) + masked(parsed.href.slice(host));
  } catch {
    return String(url);
  }
}

/** Begins a call of `step`: returns its record, whose `end` is called once with a status or an error. */
exports.begin = function begin(step, method, url) {
  const record = { method, url: shown(url), status: null, error: '' };
  if (!step) return { record, end() {} };
  if (step.calls.length < CALLS) step.calls.push(record);
  step.requests += 1;
  let open = true;
  const end = (status, error) => {
    if (status) record.status = status;
    if (error && !record.status && !record.error) record.error = masked(String(error.message || error)).slice(0, 300);
    if (open) {
      step.requests -= 1;
      step.chain.stirred();
    }
    open = false;
  };
  return { record, end };
};

exports.install = function install({ dryRun, configuration }) {
  learn(configuration);
  for (const [module, protocol] of [[http, 'http:'], [https, 'https:']]) wrap(module, protocol, dryRun);
  globalThis.fetch = recordedFetch(globalThis.fetch, dryRun);
  if (dryRun) closeTheDoors();
  syncBuiltinESMExports();
};

function wrap(module, protocol, dryRun) {
  const original = module.request;
  const agent = dryRun ? new DryAgent(protocol) : null;
  function request(...args) {
    const real = original.apply(this, agent ? withAgent(args, agent) : args);
    track(real, protocol);
    return real;
  }
  module.request = request;
  module.get = function get(...args) {
    const real = request.apply(this, args);
    real.end();
    return real;
  };
}

function track(request, protocol) {
  const host = request.getHeader('host') || request.host || 'localhost';
  const absolute = /^[a-z]+:\/\//i.test(request.path); // to a proxy
  const auth = /^Basic /i.test(String(request.getHeader('authorization') || '')) && request.__auth ? `${request.__auth}@` : '';
  const url = absolute ? request.path : `${protocol}//${auth}${host}${request.path}`;
  const step = current();
  const call = exports.begin(step, request.method, url);
  // `error` gets no listener of ours: a request without one is an uncaught exception, as everywhere.
  const emit = request.emit;
  request.emit = function (event, ...values) {
    if (event === 'response') call.record.status = values[0].statusCode;
    if (event === 'error') call.end(null, values[0]);
    if (event === 'close') call.end(null, call.record.status ? null : new Error('the connection ended'));
    if (event === 'response' && step) letGo(step, values[0]);
    return emit.call(this, event, ...values);
  };
}

/**
 * Reads a response to nowhere that is not read after its rule called back, as `http.get(url, () => callback())` leaves it: its
 * connection would be open, and the chain wait for it, until the time is over.
 */
function letGo(step, response) {
  const look = () => {
    const read = response.readableFlowing !== null || response.listenerCount('readable') > 0;
    if (read || response.destroyed) return;
    if (step.outcome === null) later();
    else response.resume();
  };
  const later = () => outside(() => setTimeout(look, UNREAD).unref());
  later();
}

/** Returns the arguments of http.request with another agent. */
function withAgent(args, agent) {
  const own = { agent, createConnection: undefined, socketPath: undefined };
  const [first, second, third] = args;
  if (typeof first === 'string' || first instanceof URL) {
    return typeof second === 'function' || second === undefined ? [first, own, second] : [first, { ...second, ...own }, third];
  }
  return [{ ...first, ...own }, second];
}

/** Connections that lead nowhere and answer every request. */
class DryAgent extends http.Agent {
  constructor(protocol) {
    super({ keepAlive: false });
    this.protocol = protocol;
    this.defaultPort = protocol === 'https:' ? 443 : 80;
  }

  createConnection() {
    return new DrySocket();
  }

  addRequest(request, ...rest) {
    if (/100-continue/i.test(request.getHeader('expect'))) request.once('socket', (socket) => socket.push('HTTP/1.1 100 Continue\r\n\r\n'));
    request.once('finish', () => request.socket && request.socket.answer(request.method === 'HEAD' ? '' : '{}'));
    return super.addRequest(request, ...rest);
  }
}

class DrySocket extends Duplex {
  constructor() {
    super();
    this.encrypted = true;
    this.authorized = true;
  }
  _read() {}
  _write(_chunk, _encoding, done) {
    done();
  }
  answer(body) {
    this.push(ANSWER + body);
    this.push(null);
  }
}
for (const name of ['setTimeout', 'setNoDelay', 'setKeepAlive', 'ref', 'unref']) {
  DrySocket.prototype[name] = function () {
    return this;
  };
}

function recordedFetch(fetch, dryRun) {
  if (!dryRun) countBodies();
  return function recorded(input, options) {
    const given = input && typeof input === 'object' && 'url' in input ? input : { url: String(input), method: 'GET' };
    const method = String((options && options.method) || given.method).toUpperCase();
    const call = exports.begin(current(), method, given.url);
    const answer = dryRun ? dryFetch(input, options) : fetch(input, options);
    answer.then(
      (response) => call.end(response.status),
      (error) => call.end(null, error.cause || error),
    );
    return answer;
  };
}

/** The promise of `fetch` is kept before the body arrives: until then the request is counted by what its library tells. */
function countBodies() {
  const steps = new WeakMap();
  const ended = ({ request }) => {
    const step = steps.get(request);
    if (!step) return;
    steps.delete(request);
    step.requests -= 1;
    step.chain.stirred();
  };
  diagnostics.subscribe('undici:request:create', ({ request }) => {
    const step = current();
    if (!step) return;
    steps.set(request, step);
    step.requests += 1;
  });
  diagnostics.subscribe('undici:request:trailers', ended);
  diagnostics.subscribe('undici:request:error', ended);
}

/** A promise that is rejected for what the real one does not take: no URL, a body with GET. */
async function dryFetch(input, options) {
  const { url } = new Request(input, options);
  const response = new Response('{}', { status: 200, headers: { 'content-type': 'application/json' } });
  return Object.defineProperty(response, 'url', { value: url });
}

/** Everything else that would leave this process fails, and says why. */
function closeTheDoors() {
  const error = (what) => new Error(`dry run: ${what} is not made`);
  net.Socket.prototype.connect = function connect() {
    process.nextTick(() => this.destroy(error('a connection')));
    return this;
  };
  dgram.Socket.prototype.send = function send(...args) {
    const done = args[args.length - 1];
    if (typeof done === 'function') process.nextTick(done, error('a datagram'));
  };
  const refuse = (...args) => process.nextTick(args[args.length - 1], error('a look-up of a name'));
  const reject = () => Promise.reject(error('a look-up of a name'));
  for (const [doors, refused] of [[dns, refuse], [dns.Resolver.prototype, refuse], [dns.promises, reject], [dns.promises.Resolver.prototype, reject]]) {
    for (const name of Object.getOwnPropertyNames(doors)) if (/^(lookup|resolve|reverse)/.test(name)) doors[name] = refused;
  }
}
