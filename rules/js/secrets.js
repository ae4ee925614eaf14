// Values of `configuration` in what people read: console lines, errors and URLs show `***` in their place.
'use strict';

// Kept from before any rule runs.
const { stringify } = JSON;

const LEAST = 6; // characters: shorter values stand in a text by accident

let secrets = []; // longest first: one may be part of another

/** Learns the values. Each is known as it is, in a URL and in JSON; one of several lines, such as a key, line by line too. */
exports.learn = function learn(configuration) {
  const texts = Object.values(configuration).filter((value) => typeof value === 'string');
  const all = texts.flatMap((text) => [text, ...text.split('\n').map((line) => line.trim())]);
  const written = all.flatMap((text) => [text, encodeURIComponent(text.toWellFormed()), stringify(text).slice(1, -1)]);
  secrets = [...new Set(written)].filter((text) => text.length >= LEAST).sort((a, b) => b.length - a.length);
};

/** Returns the text with `***` for each of them. */
exports.masked = (text) => secrets.reduce((left, secret) => (left.includes(secret) ? left.replaceAll(secret, '***') : left), text);
