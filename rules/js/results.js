// What may cross to the parent: JSON of a bounded size. Anything else is named by its path, where JSON.stringify would drop or throw.
'use strict';

// Kept from before any rule runs: rules may replace the global ones.
const { stringify } = JSON;
const { hasOwn, fromEntries } = Object;
const CAP = 256 * 1000; // bytes of user and context together
const DEPTH = 200;

/** Returns what is wrong with `user` and `context`, in words; null where both can be sent. Cheap: it builds no text. */
exports.problem = function problem(user, context) {
  const seen = { size: 0 };
  try {
    return walk(user, 'user', [], seen) || walk(context, 'context', [], seen);
  } catch (error) {
    return `the result cannot be read: ${error && error.message}`;
  }
};

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
  return fromEntries(names.filter((name) => hasOwn(context, name)).map((name) => [name, context[name]]));
}

function tooLarge(size) {
  return `user and context are larger than ${CAP / 1000} kB (${size} bytes)`;
}

/** Returns what cannot be sent below `value`. The size is a lower bound, and bounds the walk: shared parts may be many. */
function walk(value, path, above, seen) {
  if ((seen.size += 1) > CAP) return tooLarge(seen.size);
  switch (typeof value) {
    case 'string':
      seen.size += value.length;
      return null;
    case 'function':
      return `${path} is a function, which cannot be sent`;
    case 'bigint':
      return `${path} is a BigInt, which JSON does not have`;
    case 'symbol':
      return `${path} is a symbol, which cannot be sent`;
    case 'object':
      return value === null || typeof value.toJSON === 'function' ? null : below(value, path, above, seen);
    default:
      return null;
  }
}

function below(value, path, above, seen) {
  if (above.includes(value)) return `${path} is circular`;
  if (above.length >= DEPTH) return `${path} is nested too deeply`;
  above.push(value);
  for (const key of Object.keys(value)) {
    seen.size += key.length;
    const found = walk(value[key], Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`, above, seen);
    if (found) return found;
  }
  above.pop();
  return null;
}
