// Proves, once at the start, that what rules need works under this process's limits.
'use strict';

const http = require('node:http');

/** Returns what does not work, as lines. `url` is served by the parent. */
exports.probe = async function probe({ url }) {
  const problems = [];
  const check = async (name, work) => {
    try {
      await work();
    } catch (error) {
      problems.push(`${name}: ${(error.cause || error).message}`);
    }
  };
  await check('fetch', async () => {
    await (await fetch(url)).text();
  });
  await check('http', () => new Promise((resolve, reject) => http.get(url, (response) => response.resume().on('end', resolve)).on('error', reject)));
  await check('require', async () => require('./probed.js'));
  return problems;
};
