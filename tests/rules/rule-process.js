'use strict';
// A rule process, started from Node.js: the same runner, flags and frames as the product's. One rule, one run at a time or many.

const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const carrier = require('./carrier.js');

const SCRIPTS = path.join(__dirname, '../../rules/js');
const TIMEOUT = 20_000; // milliseconds a run
const KEPT = 3; // processes that may wait for another run of their rule

const idle = new Set();

/** Returns the flags of this interpreter, as `rules/processes/node.py` chooses them. */
function flags(modules) {
  const known = process.allowedNodeEnvironmentFlags;
  const permission = ['--permission', '--experimental-permission'].find((flag) => known.has(flag));
  const there = [SCRIPTS, modules].filter((folder) => fs.existsSync(folder)).map((folder) => fs.realpathSync(folder));
  const read = there.map((folder) => `--allow-fs-read=${folder}`); // the real path is what Node.js compares
  const net = known.has('--allow-net') ? ['--allow-net'] : [];
  return [...(permission ? [permission, ...read, ...net] : []), '--max-old-space-size=128', '--no-warnings'];
}

class RuleProcess {
  /** `rule`: {name, path, source}; `functions`: path → function of `auth0`, called in this process. */
  constructor({ rule, configuration, modules, values, functions, names }) {
    this.rule = rule;
    this.functions = functions;
    this.results = new Map();
    this.buffer = Buffer.alloc(0);
    this.lastRun = 0;
    const command = [...flags(modules), path.join(SCRIPTS, 'runner.js'), '3'];
    this.child = spawn(process.execPath, command, { cwd: SCRIPTS, env: environment(), stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
    this.socket = this.child.stdio[3];
    this.socket.on('data', (data) => this.feed(data));
    this.socket.on('error', () => {});
    this.child.on('error', (error) => this.lost(error.message));
    this.child.on('exit', (code, signal) => this.lost(`it ended (${signal || code})`));
    this.started = this.start({ configuration, modules, values, names });
    this.rest();
  }

  async start({ configuration, modules, values, names }) {
    const { port } = await (RuleProcess.carrier ||= carrier());
    const carry = { port, values, functions: Object.keys(this.functions), names };
    const ready = new Promise((resolve) => (this.ready = resolve));
    this.send({ is: 'init', rules: [this.rule], configuration, auth0: {}, modules, dryRun: false, carry });
    await ready;
  }

  /** Returns a promise of the message `result`. Rejects if the process is lost. */
  async run(user, context) {
    const id = (this.lastRun += 1);
    this.work();
    const result = new Promise((resolve, reject) => this.results.set(id, { resolve, reject }));
    if (this.gone) this.lost(this.gone);
    await Promise.race([this.started, result]); // a loss before `ready` rejects the result
    this.send({ is: 'run', id, chain: [this.rule.name], user, context, timeout: TIMEOUT });
    return result.finally(() => {
      this.results.delete(id);
      if (this.results.size === 0) this.rest();
    });
  }

  close() {
    idle.delete(this);
    this.child.kill('SIGKILL');
  }

  /** While it runs something it keeps this process alive; else it does not, and the oldest ones are ended. */
  work() {
    idle.delete(this);
    for (const handle of [this.child, this.socket]) handle.ref();
  }

  rest() {
    for (const handle of [this.child, this.socket]) handle.unref();
    idle.add(this);
    if (idle.size > KEPT) idle.values().next().value.close();
  }

  lost(reason) {
    this.gone = reason;
    idle.delete(this);
    for (const { reject } of this.results.values()) reject(new Error(`the rule process was lost: ${reason}`));
  }

  send(message) {
    const body = Buffer.from(JSON.stringify(message));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    this.socket.write(Buffer.concat([length, body]));
  }

  feed(data) {
    this.buffer = Buffer.concat([this.buffer, data]);
    while (this.buffer.length >= 4 && this.buffer.length >= 4 + this.buffer.readUInt32BE(0)) {
      const end = 4 + this.buffer.readUInt32BE(0);
      const message = JSON.parse(this.buffer.toString('utf8', 4, end));
      this.buffer = this.buffer.subarray(end);
      this.handle(message);
    }
  }

  handle(message) {
    if (message.is === 'ready') this.ready();
    else if (message.is === 'result') this.results.get(message.id)?.resolve(message);
    else if (message.is === 'call') this.call(message);
  }

  async call({ call, method, args: [place, ...args] }) {
    try {
      this.send({ is: 'return', call, value: await this.value(method, place, args) });
    } catch (error) {
      const { name, message, statusCode } = error instanceof Object ? error : { message: String(error) };
      this.send({ is: 'return', call, error: { name, message, status: statusCode } });
    }
  }

  /** What the function returns, or what it calls back with where the rule gave a callback. */
  value(method, place, args) {
    const [owner, member] = this.functions[method];
    if (place < 0) return owner[member](...args);
    return new Promise((resolve, reject) => {
      args[place] = (error, ...values) => (error ? reject(error) : resolve(values));
      owner[member](...args);
    });
  }
}

const environment = () => Object.fromEntries(['TZ', 'LANG', 'LC_ALL'].filter((name) => name in process.env).map((name) => [name, process.env[name]]));

process.on('exit', () => idle.forEach((one) => one.close()));

module.exports = { RuleProcess };
