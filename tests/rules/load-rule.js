'use strict';
// Loads a rule of RULES_DIR for a JavaScript test suite: `loadRule(name, globals, stubs)` returns `(user, context, callback)`.
//
// The rule is compiled and gets its modules as in a rule process. With RULES_ACROSS=1 it runs in a real rule process wherever what
// the test hands in can cross; `loadRule.crossed()` tells how many calls did, and why the others did not.

const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');
const { compile } = require('../../rules/js/compile.js');
const modules = require('../../rules/js/modules.js');
const auth0 = require('../../rules/js/auth0.js');
const { UnauthorizedError } = require('../../rules/js/chain.js');
const { RuleProcess } = require('./rule-process.js');
const { obstacle, parts, land } = require('./crossing.js');

const WORD = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;
const NO_VARIABLES = new Set(['NaN', 'Infinity', 'undefined', 'globalThis', 'eval', 'arguments']);
const counts = { across: 0, inProcess: 0, reasons: {} };

module.exports = function loadRule(name, globals = {}, stubs = {}) {
  const rule = read(name);
  const local = inProcess(rule, globals || {}, stubs || {});
  if (process.env.RULES_ACROSS !== '1') return local;
  const remote = across(rule, globals || {});
  return (user, context, callback) => {
    const reason = obstacle(globals || {}, stubs || {}, { user, context });
    counts[reason ? 'inProcess' : 'across'] += 1;
    if (reason) counts.reasons[reason] = (counts.reasons[reason] || 0) + 1;
    return (reason ? local : remote)(user, context, callback);
  };
};

/** Returns {across, inProcess, reasons: {reason: calls}} of this process so far. */
module.exports.crossed = () => structuredClone(counts);

function read(name) {
  const folder = process.env.RULES_DIR;
  if (!folder) throw new Error('RULES_DIR is not set: it names the folder of the rules');
  if (typeof name !== 'string' || !name || path.basename(name) !== name) {
    throw new Error(`${JSON.stringify(name)}: a rule is named by its file's name in RULES_DIR, without folder and .js`);
  }
  const file = path.resolve(folder, `${name}.js`);
  return { name, path: file, source: fs.readFileSync(file, 'utf8') };
}

/** RULES_MODULES, or `.modules` in RULES_DIR; without links, since a rule process may read nothing but this folder. */
function modulesFolder() {
  const folder = path.resolve(process.env.RULES_MODULES || path.join(process.env.RULES_DIR, '.modules'));
  return fs.existsSync(folder) ? fs.realpathSync(folder) : folder;
}

/** The names are looked up at each call: a test may replace `Date` or a timer at any time. */
function inProcess(rule, globals, stubs) {
  const ofFolder = modules.moduleRequire({ dir: modulesFolder() });
  const require = (specifier) => (Object.hasOwn(stubs, specifier) ? stubs[specifier] : ofFolder(specifier));
  const values = () => ({ ...ofCaller(), ...own(rule.source, require, globals), ...globals });
  const names = Object.keys(values());
  const factory = compile(rule.name, rule.source, names);
  factory(...Object.values(values())); // what is no function is seen now
  return (...args) => {
    const now = values();
    return factory(...names.map((name) => now[name]))(...args);
  };
}

/** A test framework may give its tests a global object of their own; a compiled rule would see the one of Node.js. */
function ofCaller() {
  if (vm.runInThisContext('globalThis') === globalThis) return {};
  const names = Object.getOwnPropertyNames(globalThis).filter((name) => WORD.test(name) && !NO_VARIABLES.has(name));
  return Object.fromEntries(names.map((name) => [name, globalThis[name]]));
}

function own(source, require, globals) {
  const noTenant = () => Promise.reject(new Error('a test has no tenant: hand in `auth0` with the functions that the rule calls'));
  const names = { require, configuration: {}, auth0: auth0.proxy({}, noTenant), global: globalThis, UnauthorizedError };
  const implicit = modules.globals(require);
  for (const name of Object.keys(implicit)) {
    if (!mentions(source, name) || Object.hasOwn(globals, name)) continue;
    const value = implicit[name];
    if (value !== undefined) names[name] = value;
  }
  return names;
}

const mentions = (source, name) => new RegExp(`(?<![.\\w$])${name.replace('$', '\\$')}(?![\\w$])`).test(source);

function across(rule, globals) {
  const { configuration, values, functions, names } = parts(globals);
  const options = { rule, configuration, modules: modulesFolder(), values, functions, names };
  let started;
  return async (user, context, callback) => {
    if (!started || started.gone) started = new RuleProcess(options);
    let result;
    try {
      result = await started.run(user, context);
    } catch (error) {
      return void callback(error);
    }
    for (const [level, text] of result.steps.flatMap((step) => step.console)) console[level](text);
    if (result.user !== null) [[user, result.user], [context, result.context]].forEach(([mine, theirs]) => land(mine, theirs));
    // Not in this promise: an assertion that fails in the callback is the test's uncaught exception, as in process.
    process.nextTick(result.outcome === 'kept' ? () => callback(null, user, context) : () => callback(raised(result, globals)));
  };
}

/** The error of the last step: a text stays a text, an error gets its class back where the test has it. */
function raised({ steps }, globals) {
  const { error, raised: given } = steps[steps.length - 1];
  if (!given) return new Error(error);
  if (given.text) return given.message;
  const Class = typeof globals[given.name] === 'function' ? globals[given.name] : { UnauthorizedError }[given.name] || globalThis[given.name];
  const found = typeof Class === 'function' ? new Class(given.message) : new Error(given.message);
  const members = { ...given.members, message: given.message };
  for (const [name, value] of Object.entries(members)) if (name !== 'stack' && found[name] !== value) found[name] = value;
  if (found.name !== given.name) found.name = given.name;
  return found;
}
