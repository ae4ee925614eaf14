// A rule process: it compiles the rules once, then runs chains, many at a time, for the parent at the other end of its socket.
'use strict';

const { getHeapStatistics } = require('node:v8');
const guards = require('./guards.js');
const { Frames } = require('./frames.js');
const { compile } = require('./compile.js');
const { Chain, UnauthorizedError, exceptionText } = require('./chain.js');
const { current, outside } = require('./context.js');
const work = require('./work.js');
const calls = require('./calls.js');
const auth0 = require('./auth0.js');
const carry = require('./carry.js');
const modules = require('./modules.js');
const { masked } = require('./secrets.js');
const { probe } = require('./probe.js');

// Made at their first use, and then the rule's that uses them first.
void [process.stdin, process.stdout, process.stderr];
require('./console.js').capture();
const reallyExit = guards.install();

const rules = new Map(); // name → {name, timeout, call}
const chains = new Map(); // id → chain
const waiting = new Map(); // number of a call of `auth0` → {resolve, reject}
const facts = { accessToken: undefined, domain: undefined, baseUrl: undefined };
let lastCall = 0;

const handlers = {
  init(message) {
    Object.assign(facts, message.auth0);
    calls.install(message);
    if (message.carry) carry.http(message.carry.port);
    const broken = [];
    const names = globals(message);
    preload(names.require, message.rules);
    for (const rule of message.rules) {
      try {
        const factory = compile(rule.name, rule.source, Object.keys(names));
        rules.set(rule.name, { name: rule.name, timeout: rule.timeout, run: factory(...Object.values(names)) });
      } catch (error) {
        broken.push({ name: rule.name, message: String(error && error.message), line: (error && error.line) || null });
        rules.set(rule.name, { name: rule.name, run: () => { throw error; } });
      }
    }
    frames.send({ is: 'ready', broken });
  },
  run(message) {
    const chain = new Chain(message, rules, note, done);
    chains.set(chain.id, chain);
    chain.start();
  },
  return({ call, value, error }) {
    const promise = waiting.get(call);
    if (!promise) return;
    waiting.delete(call);
    if (!error) promise.resolve(value);
    else promise.reject(Object.assign(new Error(error.message), { statusCode: error.status }, error.name && { name: error.name }));
  },
  facts({ auth0: newer }) {
    Object.assign(facts, newer);
  },
  ping() {
    const { used_heap_size: heap, external_memory: buffers } = getHeapStatistics();
    frames.sendNow({ is: 'pong', heap, buffers, at: [...chains.values()].flatMap(wentOn) });
  },
  probe(message) {
    probe(message).then((problems) => frames.send({ is: 'probed', problems }));
  },
};

const frames = new Frames(
  Number(process.argv[2]),
  (message) => handlers[message.is](message),
  () => reallyExit(0),
);
work.watch(note);

process.on('uncaughtException', late);
process.on('unhandledRejection', late);

/** Tells the parent which rule is at work, where it is the only chain: if nothing comes any more, that rule is why. */
function note(step) {
  const { chain, index } = step;
  if (chain.noted === index || chains.size > 1) return;
  chain.noted = index;
  frames.sendNow({ is: 'at', id: chain.id, rule: index });
}

/** Returns `[id, rule]` of a chain whose rule at work the parent does not know. */
function wentOn(chain) {
  const index = chain.steps.length - 1;
  if (chain.noted === index || index < 0) return [];
  chain.noted = index;
  return [[chain.id, index]];
}

function done(chain) {
  chains.delete(chain.id);
  frames.sendText(chain.text());
}

function late(error) {
  const step = current();
  if (!step) console.error('an exception outside of any rule:', error);
  else if (step.chain.thrown(step, error)) frames.send({ is: 'late', rule: step.rule.name, text: masked(exceptionText(step, error)) });
}

/** A call of `auth0`, made by the parent. */
function call(step, method, [id, data]) {
  const record = calls.begin(step, 'PATCH', `${facts.baseUrl || 'https://auth0.invalid/api/v2'}/users/${encodeURIComponent(id)}`);
  return ask(step, method, [id, data]).then(
    (value) => {
      record.end(200);
      return value;
    },
    (error) => {
      record.end(error.statusCode, error);
      throw error;
    },
  );
}

/** Loads what the rules name: no login waits for that then, and what a module starts as it loads belongs to no rule. */
function preload(require, sources) {
  const named = new Set(sources.flatMap(({ source }) => [...source.matchAll(/\brequire\(\s*(['"])([^'"]+)\1\s*\)/g)].map((found) => found[2])));
  for (const specifier of named) {
    try {
      require(specifier);
    } catch {
      // The rule that runs into it tells.
    }
  }
}

/** Has the parent call something. Returns a promise of the result. */
function ask(step, method, args) {
  const number = (lastCall += 1);
  return new Promise((resolve, reject) => {
    waiting.set(number, { resolve, reject });
    outside(() => frames.send({ is: 'call', call: number, id: step ? step.chain.id : null, method, args }));
  });
}

/** For `carry.js`: the step is busy until the call is over. */
function counted(method, args) {
  const { end } = calls.begin(current(), 'CALL', method);
  return ask(current(), method, args).finally(() => end());
}

/** Returns what a rule sees beside the globals of Node.js: name → value. The modules that Auth0 had as globals become some here. */
function globals({ configuration, modules: dir, carry: carried }) {
  const require = modules.moduleRequire({ dir });
  for (const [name, member] of Object.entries(Object.getOwnPropertyDescriptors(modules.globals(require)))) {
    Object.defineProperty(globalThis, name, { ...member, configurable: true }); // `crypto` too: the module has all of the global one
  }
  return {
    require,
    configuration: frozen(configuration),
    auth0: carried ? carry.auth0(carried, counted) : auth0.proxy(facts, call),
    global: globalThis,
    UnauthorizedError,
    ...(carried && carried.names),
  };
}

/** Freezes JSON to its ends. */
function frozen(value) {
  if (value && typeof value === 'object') Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}
