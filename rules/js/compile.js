// The one place that makes a function of a rule's text: the runner and tests/rules/load-rule.js use it alike.
'use strict';

const vm = require('node:vm');

const PREFIX = 'const __rule = ';
const LOADING = 5000; // milliseconds for what a file runs as it is loaded

/**
 * compile(name, source, parameterNames) returns a function that takes a value for each parameter and returns the rule.
 * Both throw: a SyntaxError, whose `line` is the line of the file, where V8 tells it; what the file throws as it is loaded; an error
 * where that does not end. The file is taken as it is: its header comments, a semicolon at its end, a comment without a newline.
 * Stack lines name the file as `rule:NAME:LINE:COLUMN`.
 */
exports.compile = function compile(name, source, parameterNames) {
  const filename = `rule:${name}`;
  const text = `${PREFIX}${source.replace(/^\uFEFF/, '')}\n; return __rule;`;
  let factory;
  try {
    factory = vm.compileFunction(text, parameterNames, { filename, columnOffset: -PREFIX.length });
  } catch (error) {
    throw located(error, lineOf(error, filename), source.trimEnd().split('\n').length);
  }
  return (...values) => {
    const rule = within(LOADING, () => factory(...values));
    if (typeof rule !== 'function') throw new TypeError(`rule ${name} is no function (user, context, callback)`);
    return rule;
  };
};

/** Returns the error with its line. Where the file ends too early V8 names what we put behind it. */
function located(error, line, last) {
  if (line > last) error.message = 'Unexpected end of input';
  error.line = line && Math.min(line, last);
  return error;
}

/** Returns what `load` returns. Throws where it takes longer than so many milliseconds: a loop has no end of its own. */
function within(timeout, load) {
  try {
    return vm.runInContext('load()', vm.createContext({ load }), { timeout });
  } catch (error) {
    if (!error || error.code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    throw new Error(`it is not loaded within ${timeout / 1000} s: does the file loop?`);
  }
}

/** Returns the line that the first stack line with this file's name gives; null where there is none. */
function lineOf(error, filename) {
  const stack = String((error && error.stack) || '');
  const at = stack.indexOf(`${filename}:`);
  const match = at < 0 ? null : /^\d+/.exec(stack.slice(at + filename.length + 1));
  return match ? Number(match[0]) : null;
}
exports.lineOf = lineOf;
