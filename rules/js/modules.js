'use strict';
// What a rule gets from `require`: a module of Node.js, a module of RULES_MODULES by its name or by `name@version`, or a stand-in.
//
// RULES_MODULES is an npm project. `axios@0.21.1` lies there under an alias, because npm wants one version a name. What npm put
// beside the wanted modules as a dependency of theirs is not offered: its version is chance.

const { EventEmitter } = require('events');
const fs = require('fs');
const http = require('http');
const path = require('path');
const { createRequire, isBuiltin } = require('module');
const manifest = require('./manifest.json');

const SPECIFIER = /^((?:@[^/@\s\0]+\/)?[^/@\s\0]+)(?:@([^/@\s\0]+))?(\/[^\s\0]+)?$/;

const PATH = /^[./\\]|^[a-zA-Z]:|^file:|\\|(^|\/)\.\.(\/|$)/;

const ONE_FILE = 'a rule is one file: it cannot load others by a path, only modules by their names';

// What Node.js had there until 10, and `pubnub` of that time reads.
http.Agent.super_ ||= EventEmitter;

/** Returns {name, version, subpath} of `name`, `@scope/name@1.2.3` or `name/file`; null for anything else. */
function parse(specifier) {
  const found = typeof specifier === 'string' && !PATH.test(specifier) && SPECIFIER.exec(specifier);
  return found ? { name: found[1], version: found[2] || null, subpath: found[3] || '' } : null;
}

/** The name under which `rules install` puts a version that a rule pins. */
const alias = (name, version) => `${name}--${version}`;

function problem(specifier, sentence) {
  const error = new Error(`require(${JSON.stringify(String(specifier)).slice(0, 200)}): ${sentence}`);
  error.code = 'MODULE_NOT_FOUND';
  return error;
}

function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}

/** The modules of one folder. A folder without package.json offers everything that lies in its node_modules. */
class Installed {
  constructor(dir) {
    this.dir = path.resolve(dir);
    const project = readJson(path.join(this.dir, 'package.json'));
    this.wanted = project && project.dependencies;
    this.require = createRequire(path.join(this.dir, 'package.json'));
  }

  version(name) {
    if (this.wanted && !Object.hasOwn(this.wanted, name)) return null;
    const found = readJson(path.join(this.dir, 'node_modules', name, 'package.json'));
    return found && String(found.version);
  }

  /** The name to load for a parsed specifier, or null. */
  find({ name, version }) {
    if (version === null) return this.version(name) === null ? null : name;
    if (this.version(alias(name, version)) !== null) return alias(name, version);
    return this.version(name) === version ? name : null;
  }
}

/**
 * Returns the `require` of rules. `dir`: RULES_MODULES, or null. `standIns`: file beside this one by module name, used where the
 * module itself is not installed. Throws an Error with code MODULE_NOT_FOUND that says what to do.
 */
function moduleRequire({ dir = null, standIns = manifest.standIns } = {}) {
  const installed = dir === null ? null : new Installed(dir);
  const loaded = new Map();

  function load(specifier) {
    if (typeof specifier === 'string' && isBuiltin(specifier)) return require(specifier);
    const wanted = parse(specifier);
    if (!wanted) throw problem(specifier, PATH.test(String(specifier)) ? ONE_FILE : 'is not the name of a module');
    const found = installed && installed.find(wanted);
    if (found) return installed.require(found + wanted.subpath);
    if (!wanted.subpath && Object.hasOwn(standIns, wanted.name)) return require(path.join(__dirname, standIns[wanted.name]));
    throw problem(specifier, missing(installed, wanted));
  }

  return function require(specifier) {
    if (!loaded.has(specifier)) loaded.set(specifier, load(specifier));
    return loaded.get(specifier);
  };
}

function missing(installed, { name, version }) {
  const other = installed && installed.version(name);
  const is = other === null || version === null ? 'is not installed' : `is not installed (without a version it is ${other})`;
  return `${is}; run \`auth0-webhooks rules install\`, or see \`auth0-webhooks rules check\``;
}

/**
 * Returns the modules that Auth0's sandbox had as global names, each a getter that loads it when it is first read. Where the
 * sandbox's version is not installed, the one without a version stands in; where none is, a rule gets the error of `require`.
 */
function globals(ruleRequire) {
  const names = {};
  for (const [name, specifier] of Object.entries(manifest.globals)) {
    const get = () => {
      try {
        return either(ruleRequire, specifier);
      } catch (error) {
        if (isReadByRule(new Error().stack)) throw error;
        return undefined;
      }
    };
    const set = (value) => Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: true });
    Object.defineProperty(names, name, { get, set, enumerable: true, configurable: true });
  }
  return names;
}

function either(ruleRequire, specifier) {
  try {
    return ruleRequire(specifier);
  } catch (error) {
    const { name, version } = parse(specifier);
    if (version === null || error.code !== 'MODULE_NOT_FOUND') throw error;
    try {
      return ruleRequire(name);
    } catch {
      throw error;
    }
  }
}

/** Modules look for global names too: lodash reads `_` when it is loaded, and must not fail because another one is missing. */
const isReadByRule = (stack) => String(stack.split('\n')[2]).includes('rule:');

module.exports = { moduleRequire, globals, parse, alias };
