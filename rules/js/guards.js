// Seat belts against accidents: what would end this process, or another one, throws instead. Rules are the owner's own code, and
// one that wants out finds a way: this is no sandbox.
'use strict';

const STUBBED = ['exit', 'abort', 'kill', '_kill', 'reallyExit', 'dlopen', 'chdir', '_debugProcess', '_debugEnd'];
const IDENTITY = ['setuid', 'setgid', 'seteuid', 'setegid', 'setgroups', 'initgroups', 'umask'];

/** Replaces them and returns the function that really ends this process. */
exports.install = function install() {
  const reallyExit = process.reallyExit.bind(process);
  for (const name of [...STUBBED, ...IDENTITY]) {
    if (typeof process[name] !== 'function') continue;
    // Writable: modules of that time put functions of their own around some of them.
    process[name] = () => {
      throw new Error(`process.${name} is not available to rules`);
    };
  }
  return reallyExit;
};
