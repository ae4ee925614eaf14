// One run of a chain: its rules one after the other, until one of them stops it or the time is over. Then it waits for the work
// that they still have under way, as long as there is time, and is done.
'use strict';

const util = require('node:util');
const { lineOf } = require('./compile.js');
const { within, outside } = require('./context.js');
const results = require('./results.js');
const lines = require('./console.js');
const { busy, leave } = require('./work.js');
const { masked } = require('./secrets.js');

// Kept from before any rule runs: rules may replace the global ones.
const { setTimeout, clearTimeout, setImmediate, queueMicrotask } = globalThis;
const { stringify } = JSON;
const now = performance.now.bind(performance);

const LOOK_EVERY = 5; // milliseconds between two looks at what is under way
const TEXT = 2000; // characters of an error

class UnauthorizedError extends Error {
  constructor(message) {
    super(message);
    this.name = 'UnauthorizedError';
  }
}

class Step {
  constructor(chain, rule, index) {
    this.chain = chain;
    this.rule = rule;
    this.index = index;
    this.outcome = null; // until it is done
    this.error = null;
    this.raised = null; // what it called back with as an error, or threw
    this.began = 0;
    this.milliseconds = 0;
    this.console = [];
    this.written = 0;
    this.calls = [];
    this.requests = 0; // open ones
    this.resources = new Map(); // async id → resource
  }

  wire() {
    const { rule, outcome, milliseconds, raised } = this;
    const error = this.error === null ? null : masked(this.error);
    return { rule: rule.name, outcome, milliseconds, error, raised, console: this.console, calls: this.calls };
  }
}

class Chain {
  /** `message` is the `run` from the parent; `onStep(step)` is called before a rule runs, `onDone(chain)` once, at the end. */
  constructor(message, rules, onStep, onDone) {
    this.id = message.id;
    this.user = message.user;
    this.context = message.context;
    this.wanted = message.wanted || null;
    this.given = this.wanted && stringify(message.user); // sent back only if it is another one at the end
    this.rules = message.chain.map((name) => rules.get(name));
    this.onStep = onStep;
    this.onDone = onDone;
    this.steps = [];
    this.outcome = null; // until no rule is left to run
    this.done = false;
    this.left = false;
    this.noted = 0; // the rule that the parent takes for the running one
    this.timeout = message.timeout;
    this.timer = null;
    this.lookTimer = null;
  }

  start() {
    this.timer = setTimeout(() => this.expire(), this.timeout);
    this.next();
  }

  /** Runs the next rule, or ends. */
  next() {
    if (this.outcome !== null || this.done) return;
    const rule = this.rules[this.steps.length];
    if (!rule) {
      this.finish('kept');
      return;
    }
    const step = new Step(this, rule, this.steps.length);
    this.steps.push(step);
    this.onStep(step);
    if (rule.timeout) step.timer = outside(() => setTimeout(() => this.end(step, 'timed_out', overdue(rule.timeout)), rule.timeout));
    step.began = now();
    within(step, () => this.call(step));
  }

  call(step) {
    const callback = (error, user, context) => this.answered(step, error, user, context);
    try {
      const { run } = step.rule;
      const value = run(this.user, this.context, callback);
      if (value && typeof value.then === 'function') value.then(undefined, (error) => this.thrown(step, error));
    } catch (error) {
      this.thrown(step, error);
    }
  }

  answered(step, error, user, context) {
    if (step.outcome !== null) {
      lines.write(step, 'warn', 'it called back again: only the first time counts');
      return;
    }
    if (error !== null && error !== undefined && error !== false && error !== '' && error !== 0) {
      const denied = error instanceof UnauthorizedError || (error instanceof Error && error.name === 'UnauthorizedError');
      step.raised = described(error);
      this.end(step, denied ? 'denied' : 'failed', messageOf(error));
      return;
    }
    const [newUser, newContext] = [user === undefined || user === null ? this.user : user, context === undefined || context === null ? this.context : context];
    const problem = notAnObject('user', newUser) || notAnObject('context', newContext) || results.problem(newUser, newContext);
    if (problem) {
      this.end(step, 'failed', problem);
      return;
    }
    this.user = newUser;
    this.context = newContext;
    this.end(step, 'kept', null);
  }

  /** An exception or a rejection, before its callback or after it. */
  thrown(step, error) {
    const text = exceptionText(step, error);
    if (step.outcome === null) step.raised = described(error);
    if (step.outcome === null) this.end(step, 'failed', text);
    else if (!this.done) step.error = step.error || `after its callback: ${text}`;
    else return text; // for the log alone
    return null;
  }

  end(step, outcome, error) {
    if (step.outcome !== null || this.done) return;
    step.outcome = outcome;
    step.error = error;
    step.milliseconds = Math.round((now() - step.began) * 1000) / 1000;
    clearTimeout(step.timer);
    // Behind what the rule still does in this turn: that is its own time, and its own exception.
    if (outcome === 'kept') outside(() => queueMicrotask(() => this.next()));
    else this.finish(outcome);
  }

  /** No rule is left to run. */
  finish(outcome) {
    this.outcome = outcome;
    if (this.steps.every((step) => step.requests === 0 && step.resources.size === 0)) outside(() => queueMicrotask(() => this.settle()));
    else outside(() => setImmediate(() => this.look()));
  }

  /** Something that was under way is not any more. What was unref'ed tells nothing: it is looked at again and again. */
  stirred() {
    if (this.outcome !== null && !this.done) outside(() => setImmediate(() => this.look()));
  }

  look() {
    if (this.done) return;
    if (!this.steps.some(busy)) this.settle();
    else if (!this.lookTimer) {
      this.lookTimer = outside(() => setTimeout(() => {
        this.lookTimer = null;
        this.look();
      }, LOOK_EVERY));
    }
  }

  /** The time is over. */
  expire() {
    const step = this.steps[this.steps.length - 1];
    if (this.outcome === null && step && step.outcome === null) this.end(step, 'timed_out', 'it did not call back in time');
    this.left = this.steps.some(busy);
    this.settle();
  }

  settle() {
    if (this.done) return;
    this.done = true;
    clearTimeout(this.timer);
    this.steps.forEach(leave);
    this.onDone(this);
  }

  /** Returns the message for the parent, as JSON. */
  text() {
    let sent = results.texts(this.user, this.context, this.wanted);
    if (sent.problem) {
      const step = this.steps[this.steps.length - 1];
      if (this.outcome === 'kept' && step) {
        [this.outcome, step.outcome, step.error] = ['failed', 'failed', sent.problem];
      }
      sent = { user: 'null', context: 'null' };
    }
    const rest = stringify({ is: 'result', id: this.id, outcome: this.outcome, left: this.left, steps: this.steps.map((step) => step.wire()) });
    return `${rest.slice(0, -1)},"user":${sent.user === this.given ? 'null' : sent.user},"context":${sent.context}}`;
  }
}

function overdue(timeout) {
  return `it did not call back within its ${timeout / 1000} s`;
}

function notAnObject(name, value) {
  return typeof value === 'object' && !Array.isArray(value) ? null : `${name} is no object: ${util.inspect(value).slice(0, 80)}`;
}

/** Returns an error as a test needs it (`tests/rules/load-rule.js`): its class's name, and what else it carries. */
function described(error) {
  const message = messageOf(error);
  if (!error || typeof error !== 'object') return { text: true, name: null, message, members: {} };
  try {
    const members = Object.entries(error).filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value)).slice(0, 20);
    return { text: false, name: String(error.name || 'Error'), message, members: Object.fromEntries(members.map(([name, value]) => [name, typeof value === 'string' ? value.slice(0, TEXT) : value])) };
  } catch {
    return { text: false, name: 'Error', message, members: {} };
  }
}

/** Returns the message of an error, or what was given instead of one. */
function messageOf(error) {
  let text;
  try {
    text = error instanceof Error || (error && typeof error.message === 'string') ? error.message || error.name : typeof error === 'string' ? error : util.inspect(error);
  } catch {
    text = 'an error that cannot be read';
  }
  return String(text).slice(0, TEXT);
}

/** Returns an exception in words, with the line of the rule that threw it. */
function exceptionText(step, error) {
  const message = messageOf(error);
  if (!(error instanceof Error)) return message;
  const line = lineOf(error, `rule:${step.rule.name}`);
  const named = !error.name || error.name === 'Error' || message.startsWith(error.name) ? message : `${error.name}: ${message}`;
  return line ? `${named} (line ${line})` : named;
}

exports.Chain = Chain;
exports.UnauthorizedError = UnauthorizedError;
exports.exceptionText = exceptionText;
