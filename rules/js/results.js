// What may cross to the parent: JSON of a bounded size. Anything else is named by its path, where JSON.stringify would drop or throw.
'use strict';

// Kept from before any rule runs: rules may replace the global ones.
const { stringify } = JSON;
const { hasOwn, keys } = Object;
const { isArray } = Array;
const CAP = 256 * 1000; // bytes of user and context together
const DEPTH = 200;

/** Returns what is wrong with `user` and `context`, in words; null where both can be sent. Cheap: it builds no text. */
exports.problem = function problem(user, context) {
  const seen = { size: 0 };
  try {
    return inWords('user', walk(user, [], seen)) || inWords('context', walk(context, [], seen));
  } catch (error) {
    return `the result cannot be read: ${error && error.message}`;
  }
};

function inWords(name, found) {
  return found && (found[0] === null ? found[1] : `${name}${found[0]} ${found[1]}`);
}

/** Returns `{user, context}` as texts of JSON, or `{problem}`. `wanted`: the names of the members of `context`; null: all. */
exports.texts = function texts(user, context, wanted) {
  const found = exports.problem(user, context); // a text of shared parts may have no end
  if (found) return { problem: found };
  try {
    const [userText, contextText] = [stringify(user), stringify(wanted ? part(context, wanted) : context)];
    const size = Buffer.byteLength(userText) + Buffer.byteLength(contextText);
    return size > CAP ? { problem: tooLarge(size) } : { user: userText, context: contextText };
  } catch (error) {
    return { problem: `the result cannot be sent: ${error && error.message}` };
  }
};

/** What makes its own text is that text's. */
function part(context, names) {
  if (typeof context.toJSON === 'function') return context;
  const found = {};
  for (const name of names) if (hasOwn(context, name)) found[name] = context[name];
  return found;
}

function tooLarge(size) {
  return `user and context are larger than ${CAP / 1000} kB (${size} bytes)`;
}

/**
 * Returns what cannot be sent below `value`, as `[path, words]`, the path null where it is all of it; null: all can. The size is a
 * lower bound, and bounds the walk: shared parts may be many. The path is made on the way back: nearly always there is none.
 */
function walk(value, above, seen) {
  if ((seen.size += 1) > CAP) return [null, tooLarge(seen.size)];
  switch (typeof value) {
    case 'string':
      seen.size += value.length;
      return null;
    case 'function':
      return ['', 'is a function, which cannot be sent'];
    case 'bigint':
      return ['', 'is a BigInt, which JSON does not have'];
    case 'symbol':
      return ['', 'is a symbol, which cannot be sent'];
    case 'object':
      return value === null || typeof value.toJSON === 'function' ? null : below(value, above, seen);
    default:
      return null;
  }
}

function below(value, above, seen) {
  if (above.includes(value)) return ['', 'is circular'];
  if (above.length >= DEPTH) return ['', 'is nested too deeply'];
  above.push(value);
  for (const key of keys(value)) {
    seen.size += key.length;
    const found = walk(value[key], above, seen);
    if (found) return found[0] === null ? found : [`${isArray(value) ? `[${key}]` : `.${key}`}${found[0]}`, found[1]];
  }
  above.pop();
  return null;
}
