// What a step has under way: the timers, sockets and requests that it started. A chain is done when its steps have none left.
//
// Counted is what would keep Node.js alive: a socket that an agent keeps for the next request, or an unref'ed timer, is not. A
// request on such a kept socket is counted by `begin` and `end` (calls.js), since the socket belongs to the step that opened it.
'use strict';

const { createHook } = require('node:async_hooks');
const { ChildProcess } = require('node:child_process');
const fs = require('node:fs');
const { current } = require('./context.js');

const LASTING = ['Timeout', 'Immediate', 'TCPWRAP', 'PIPEWRAP', 'UDPWRAP'];
// Done when their callback was called. The synchronous ones have none, and last until they are collected.
const REQUESTS = new Set([
  ...['TCPCONNECTWRAP', 'PIPECONNECTWRAP', 'GETADDRINFOREQWRAP', 'GETNAMEINFOREQWRAP', 'QUERYWRAP', 'FSREQCALLBACK'],
  ...['PBKDF2REQUEST', 'SCRYPTREQUEST', 'RANDOMBYTESREQUEST', 'KEYPAIRGENREQUEST', 'SIGNREQUEST', 'HASHREQUEST', 'DERIVEBITSREQUEST'],
]);
// Done when their one callback was called; where the permission model refuses a file, they are not destroyed.
const FILES = new Set(['FSREQCALLBACK', 'FSREQPROMISE', 'FILEHANDLECLOSEREQ']);
const TYPES = new Set([...LASTING, ...REQUESTS, ...FILES]);
// These throw where it refuses them, and leave open what they had begun.
const REFUSED = [[ChildProcess.prototype, ['spawn']], [fs, ['chmod', 'lutimes', 'mkdir', 'readlink', 'rmdir', 'utimes']]];

const owners = new Map(); // async id → step
let newest = 0; // of those ids

/** Starts to count. `onTurn` gets the step to which each callback belongs. */
exports.watch = function watch(onTurn) {
  for (const [owner, names] of REFUSED) for (const name of names) forgetWhatThrows(owner, name);
  createHook({
    init(id, type, _trigger, resource) {
      if (!TYPES.has(type)) return;
      const step = current();
      if (!step) return;
      owners.set((newest = id), step);
      step.resources.set(id, { resource, request: REQUESTS.has(type), file: FILES.has(type) });
    },
    before(id) {
      const step = owners.get(id) || current();
      if (step) onTurn(step);
    },
    after(id) {
      if (owners.get(id)?.resources.get(id).file) forget(id);
    },
    destroy: forget,
  }).enable();
};

function forget(id) {
  const step = owners.get(id);
  if (!step) return;
  owners.delete(id);
  step.resources.delete(id);
  step.chain.stirred();
}

function forgetWhatThrows(owner, name) {
  const original = owner[name];
  owner[name] = function (...args) {
    const before = newest;
    try {
      return original.apply(this, args);
    } catch (error) {
      const begun = [...owners.keys()].filter((id) => id > before);
      begun.forEach(forget);
      throw error;
    }
  };
}

/** Returns whether the step has something under way. */
exports.busy = function busy(step) {
  if (step.requests > 0) return true;
  for (const { resource, request } of step.resources.values()) {
    if (resource._destroyed === true || (request && !(resource.oncomplete || resource.ondone))) continue;
    const handle = resource.handle || resource; // a kept socket that is used again is a `ReusedHandle` around it
    if (typeof handle.hasRef !== 'function' || handle.hasRef()) return true;
  }
  return false;
};

/** Forgets a step: what it still has under way goes on, uncounted. */
exports.leave = function leave(step) {
  for (const id of step.resources.keys()) owners.delete(id);
  step.resources.clear();
};
