// Which rule of which run the code at hand belongs to. Console lines, calls, sockets and late exceptions are attributed by it.
'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');

const storage = new AsyncLocalStorage();

/** Returns the step that is running; undefined for the runner's own code. */
exports.current = () => storage.getStore();
/** Runs `work` as part of a step, with all that it starts. */
exports.within = (step, work) => storage.run(step, work);
/** Runs `work` as part of no step. */
exports.outside = (work) => storage.exit(work);
