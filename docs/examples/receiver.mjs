// A receiver for auth0-webhooks: accepts only signed calls, and handles each event once. Node.js 18 or newer, no packages.
//
//     WEBHOOK_SECRET=whsec_... node receiver.mjs
//
// WEBHOOK_SECRET_PREVIOUS, if set, is accepted too; PORT (8080) is where it listens; SEEN (seen.txt) is the file of handled events.

import { createHmac, timingSafeEqual } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const { WEBHOOK_SECRET, WEBHOOK_SECRET_PREVIOUS, PORT = '8080', SEEN = 'seen.txt' } = process.env
if (!WEBHOOK_SECRET) throw new Error('WEBHOOK_SECRET is not set')
const keys = [WEBHOOK_SECRET, WEBHOOK_SECRET_PREVIOUS]
  .filter(Boolean)
  .map((secret) => Buffer.from(secret.replace(/^whsec_/, ''), 'base64'))
const TOLERANCE = 300 // seconds between the sender's clock and ours
const MAX_BYTES = 16 * 1024 * 1024
const MAX_REMEMBERED = 500_000

// Log id -> the promise of its handling. The file survives a restart; in your own service a unique key in your database,
// written in the same transaction as the work, is better.
const done = new Map()
if (existsSync(SEEN)) {
  const ids = readFileSync(SEEN, 'utf8').split('\n').filter(Boolean)
  for (const id of ids.slice(-MAX_REMEMBERED)) done.set(id, Promise.resolve())
}

// Your work. If it throws, the event will be sent again.
async function handle(event) {
  console.log('handled', event.log_id, event.type)
}

function once(event) {
  const id = event.log_id ?? event._id
  if (!done.has(id)) {
    // Stored before it is finished, so that a second call with the same event waits for it instead of handling it too.
    const handling = handle(event).then(() => appendFileSync(SEEN, id + '\n'))
    handling.catch(() => done.delete(id))
    done.set(id, handling)
    if (done.size > MAX_REMEMBERED) done.delete(done.keys().next().value)
  }
  return done.get(id)
}

function genuine(headers, body) {
  const { 'webhook-id': id = '', 'webhook-timestamp': timestamp = '', 'webhook-signature': signatures = '' } = headers
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE) return false
  const given = signatures.split(' ').map((text) => Buffer.from(text)) // several while the sender rotates its secret
  return keys.some((key) => {
    const hmac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body)
    const expected = Buffer.from('v1,' + hmac.digest('base64'))
    return given.some((one) => one.length === expected.length && timingSafeEqual(one, expected))
  })
}

async function receive(request) {
  if (request.method !== 'POST') return 405
  const parts = []
  let size = 0
  for await (const part of request) {
    size += part.length
    if (size > MAX_BYTES) return 413
    parts.push(part)
  }
  const body = Buffer.concat(parts) // the bytes as they arrived: text that was parsed and written again has another signature
  if (!genuine(request.headers, body)) return 401
  const content = JSON.parse(body)
  // One event, or the array of them that SEND_AS_BATCH=true sends.
  for (const event of Array.isArray(content) ? content : [content]) await once(event)
  return 200
}

const server = createServer(async (request, response) => {
  try {
    response.statusCode = await receive(request)
  } catch (error) {
    console.error('not handled:', error) // the event will be sent again
    response.statusCode = 500
  }
  response.end()
})
server.keepAliveTimeout = 60_000 // milliseconds; longer than the 30 s after which the sender closes an idle connection
server.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}/`))
