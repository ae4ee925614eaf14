'use strict';
// What can cross to a rule process and what cannot, and how what comes back lands in the objects of the test. Pure.

const NATIVE = /\{\s*\[native code\]\s*\}\s*$/;
const isNative = (value) => typeof value === 'function' && NATIVE.test(Function.prototype.toString.call(value));
const { setTimeout } = globalThis; // it is no native function, and neither are most that replace it
const isObject = (value) => typeof value === 'object' && value !== null;

/** Returns why a call has to run in process; null if it can cross. */
function obstacle(globals, stubs, objects) {
  if (Object.keys(stubs).length > 0) return 'stubs';
  if (!isNative(Date) || !isNative(Date.now)) return 'a replaced Date';
  if (!isNative(Error)) return 'a replaced Error';
  if (!isNative(Math.random)) return 'a replaced Math.random';
  if (globalThis.setTimeout !== setTimeout || setTimeout.clock) return 'replaced timers';
  for (const [name, value] of Object.entries(globals)) {
    if (name === 'auth0' || name === 'UnauthorizedError') continue;
    if (name === 'global') return 'a global object';
    if (!isJson(value)) return `${name}, which is not JSON`;
  }
  if (Object.hasOwn(globals, 'auth0') && !isJson(values(globals.auth0))) return 'auth0, whose values are not JSON';
  for (const [name, value] of Object.entries(objects)) if (!isObject(value) || !isJson(value)) return `${name}, which is no JSON object`;
  return null;
}

/** Whether JSON keeps the value as it is; `undefined` as a member gets lost on the way and does no harm. */
function isJson(value, above = []) {
  if (!isObject(value)) return ['string', 'boolean', 'undefined'].includes(typeof value) || value === null || Number.isFinite(value);
  if (above.includes(value) || typeof value.toJSON === 'function') return false;
  if (!Array.isArray(value) && Object.prototype.toString.call(value) !== '[object Object]') return false;
  if (Object.getOwnPropertySymbols(value).length > 0) return false;
  return Object.values(value).every((member) => isJson(member, [...above, value]));
}

/** Returns the values of an object, without the functions in it. */
function values(value) {
  if (!isObject(value) || Array.isArray(value)) return value;
  const members = Object.entries(value).filter(([, member]) => typeof member !== 'function');
  return Object.fromEntries(members.map(([name, member]) => [name, values(member)]));
}

/** Returns path → [object, name] of the functions in it, at most three levels deep; a class's methods too. */
function functions(value, path = [], found = {}) {
  if (!isObject(value) || path.length > 3) return found;
  // To the end of the prototypes but the last one, which is everybody's.
  for (let at = value; at && (at === value || Object.getPrototypeOf(at)); at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) {
      if (name === 'constructor' || Object.hasOwn(found, [...path, name].join('.'))) continue;
      if (typeof value[name] === 'function') found[[...path, name].join('.')] = [value, name];
      else functions(value[name], [...path, name], found);
    }
  }
  return found;
}

/** Returns what a rule process is started with, of what a test hands in. */
function parts({ auth0 = {}, configuration = {}, UnauthorizedError: _class, ...names }) {
  return { configuration, names, values: values(auth0), functions: functions(auth0) };
}

/** Makes `mine` equal to `theirs`, and keeps the objects in it that are in both. */
function land(mine, theirs) {
  if (Array.isArray(mine)) mine.length = theirs.length;
  for (const name of Object.keys(mine)) if (!Object.hasOwn(theirs, name) && mine[name] !== undefined) delete mine[name];
  for (const [name, value] of Object.entries(theirs)) {
    const [from, to] = [Object.hasOwn(mine, name) ? mine[name] : undefined, value]; // never a prototype
    const same = isObject(from) && isObject(to) && Array.isArray(from) === Array.isArray(to) && !Object.isFrozen(from);
    if (same) land(from, to);
    else Object.defineProperty(mine, name, { value: to, writable: true, enumerable: true, configurable: true });
  }
}

module.exports = { obstacle, parts, land, isJson };
