'use strict';
// The test's side of `rules/js/carry.js`: a server that makes the requests of a rule process in this process.

const http = require('node:http');
const https = require('node:https');
const { TO, BY_FETCH, ERROR, AT, packed } = require('../../rules/js/carry.js');

const OF_A_CONNECTION = ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'];

/** Returns a promise of {port, close}. It keeps no process alive. */
module.exports = function carrier() {
  const server = http.createServer((request, response) => {
    const { [TO]: origin, [BY_FETCH]: redirect, ...headers } = request.headers;
    for (const name of OF_A_CONNECTION) delete headers[name];
    const url = origin + request.url;
    const fail = (error) => {
      if (response.headersSent) response.destroy();
      else response.writeHead(200, { [ERROR]: packed(error) }).end();
    };
    if (redirect === undefined) byHttp(url, headers, request, response, fail);
    else byFetch(url, redirect, headers, request, response).catch((error) => fail(error.cause || error));
  });
  server.unref();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      resolve({ port: server.address().port, close: () => server.close() });
    });
  });
};

function byHttp(url, headers, request, response, fail) {
  const module = url.startsWith('https:') ? https : http;
  let real;
  try {
    real = module.request(url, { method: request.method, headers });
  } catch (error) {
    fail(error); // an interceptor that allows no connection may throw
    return;
  }
  real.on('error', fail);
  real.on('response', (answer) => {
    response.writeHead(answer.statusCode, answer.statusMessage, without(answer.headers, OF_A_CONNECTION));
    answer.on('error', fail).pipe(response);
  });
  response.on('close', () => real.destroy());
  request.pipe(real);
}

async function byFetch(url, redirect, headers, request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = chunks.length ? Buffer.concat(chunks) : undefined;
  const { host, 'content-length': _length, ...rest } = headers;
  const answer = await globalThis.fetch(url, { method: request.method, headers: rest, body, redirect });
  const decoded = ['content-encoding', ...(request.method === 'HEAD' ? [] : ['content-length'])];
  const own = without(Object.fromEntries(answer.headers), [...OF_A_CONNECTION, ...decoded]);
  const cookies = answer.headers.getSetCookie(); // the one header that is not joined
  const more = { ...(cookies.length && { 'set-cookie': cookies }), ...(answer.redirected && { [AT]: answer.url }) };
  response.writeHead(answer.status, answer.statusText, { ...own, ...more });
  response.end(Buffer.from(await answer.arrayBuffer()));
}

const without = (headers, names) => Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
