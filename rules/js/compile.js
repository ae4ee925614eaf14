// The one place that makes a function of a rule's text: the runner and tests/rules/load-rule.js use it alike.
'use strict';

const vm = require('node:vm');

const PREFIX = 'const __rule = ';

/**
 * compile(name, source, parameterNames) returns a function that takes a value for each parameter and returns the rule.
 * Throws SyntaxError; its `line` is the line of the file, where V8 tells it. The file is taken as it is: its header comments, a
 * semicolon at its end, a comment without a newline. Stack lines name the file as `rule:NAME:LINE:COLUMN`.
 */
exports.compile = function compile(name, source, parameterNames) {
  const filename = `rule:${name}`;
  const text = `${PREFIX}${source.replace(/^\uFEFF/, '')}\n; return __rule;`;
  let factory;
  try {
    factory = vm.compileFunction(text, parameterNames, { filename, columnOffset: -PREFIX.length });
  } catch (error) {
    error.line = lineOf(error, filename);
    throw error;
  }
  return (...values) => {
    const rule = factory(...values);
    if (typeof rule !== 'function') throw new TypeError(`rule ${name} is no function (user, context, callback)`);
    return rule;
  };
};

/** Returns the line that the first stack line with this file's name gives; null where there is none. */
function lineOf(error, filename) {
  const stack = String((error && error.stack) || '');
  const at = stack.indexOf(`${filename}:`);
  const match = at < 0 ? null : /^\d+/.exec(stack.slice(at + filename.length + 1));
  return match ? Number(match[0]) : null;
}
exports.lineOf = lineOf;
