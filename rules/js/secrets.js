// Values of `configuration` in what people read: console lines, errors and URLs show `***` in their place.
'use strict';

// Kept from before any rule runs.
const { stringify } = JSON;

const LEAST = 6; // characters: shorter values stand in a text by accident

let secrets = []; // longest first: one may be part of another

/**
 * Learns the values, also inside of objects and lists. Each is known as it is, in a URL and in JSON; one of several lines, such as
 * a key, line by line too; and of a URL what stands behind its host, where incoming webhooks have their key.
 */
exports.learn = function learn(configuration) {
  const all = textsOf(configuration).flatMap((text) => [text, ...text.split('\n').map((line) => line.trim()), behindHost(text)]);
  const written = all.flatMap((text) => [text, encodeURIComponent(text.toWellFormed()), stringify(text).slice(1, -1)]);
  secrets = [...new Set(written)].filter((text) => text.length >= LEAST).sort((a, b) => b.length - a.length);
};

function textsOf(value) {
  if (typeof value === 'string') return [value];
  return value && typeof value === 'object' ? Object.values(value).flatMap(textsOf) : [];
}

function behindHost(text) {
  if (!URL.canParse(text)) return '';
  const { pathname, search } = new URL(text);
  return (pathname + search).slice(1);
}

/** Returns the text with `***` for each of them. */
exports.masked = (text) => secrets.reduce((left, secret) => (left.includes(secret) ? left.replaceAll(secret, '***') : left), text);
