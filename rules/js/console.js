// The rules' console: each line goes to the step that wrote it, at most so many, so long.
'use strict';

const { Console } = require('node:console');
const { Writable } = require('node:stream');
const util = require('node:util');
const { current } = require('./context.js');
const { masked } = require('./secrets.js');

const LINES = 200; // of one step
const LINE = 8 * 1024; // characters
const TOTAL = 64 * 1024; // characters of one step
const LEVELS = { log: 'log', info: 'info', warn: 'warn', error: 'error', debug: 'debug', trace: 'debug', dir: 'log' };

/** Adds a line to a step. */
exports.write = function write(step, level, text) {
  if (step.console.length > LINES || step.written > TOTAL) return;
  if (step.console.length === LINES || step.written === TOTAL) {
    step.console.push(['warn', 'more was written and is left out']);
    step.written = TOTAL + 1;
    return;
  }
  const shown = masked(text);
  const cut = shown.length > LINE ? `${shown.slice(0, LINE)}… (${shown.length} characters)` : shown;
  step.written = Math.min(TOTAL, step.written + cut.length);
  step.console.push([level, cut]);
};

/** Replaces the methods of the global console. What no step wrote goes to standard output, as a line of the process. */
exports.capture = function capture() {
  const { stdout } = process;
  const emit = (level, text) => {
    const step = current();
    if (step) exports.write(step, level, text);
    else stdout.write(`${masked(text)}\n`);
  };
  const stream = (level) =>
    new Writable({
      decodeStrings: false,
      write(chunk, _encoding, done) {
        emit(level, String(chunk).replace(/\n$/, ''));
        done();
      },
    });
  // The methods not listed above (table, count, timeEnd, assert …) write by these streams.
  const captured = new Console({ stdout: stream('log'), stderr: stream('error') });
  for (const name of Object.keys(captured)) console[name] = captured[name];
  for (const [name, level] of Object.entries(LEVELS)) {
    console[name] = (...values) => emit(level, util.format(...values));
  }
  console.dir = (value, options) => emit('log', util.inspect(value, options));
};
