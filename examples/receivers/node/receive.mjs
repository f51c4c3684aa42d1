// Receives webhooks and refuses what wapid did not sign. Needs nothing but Node.
//
//   WAPID_WEBHOOK_SECRET=whsec_… PORT=4000 node receive.mjs
//
// Three ways to verify, each at a path of its own here: take one.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';

const { WAPID_WEBHOOK_SECRET: SECRET, PORT = '4000' } = process.env;
if (!SECRET) throw new Error('set WAPID_WEBHOOK_SECRET');
const KEY = SECRET.startsWith('whsec_') ? Buffer.from(SECRET.slice(6), 'base64') : Buffer.from(SECRET);
const TOLERANCE_S = 300;

function hmac(encoding, ...parts) {
  const mac = createHmac('sha256', KEY);
  for (const part of parts) mac.update(part);
  return mac.digest(encoding);
}

function same(a, b) {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}

/** Standard Webhooks: notices a replay, and holds two signatures while you change the secret. */
function standard(headers, body) {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers;
  if (!id || !signatures || !(Math.abs(Date.now() / 1000 - Number(timestamp)) <= TOLERANCE_S)) return false;
  const expected = `v1,${hmac('base64', `${id}.${timestamp}.`, body)}`;
  return signatures.split(' ').some((signature) => same(signature, expected));
}

/** The one-line way: a hash of the body as it came. */
function rawBody(headers, body) {
  return same(headers['x-webhook-signature'] ?? '', `sha256=${hmac('hex', body)}`);
}

/** The field `signature` is last and signs the body without it, so it is cut off, not parsed. */
function inBody(headers, body) {
  const expected = `,"signature":"${hmac('hex', body.subarray(0, -80), '}')}"}`;
  return same(body.subarray(-80), expected);
}

const WAYS = { '/': standard, '/raw-body': rawBody, '/in-body': inBody };

createServer(async (request, response) => {
  const body = await buffer(request);
  if (!WAYS[request.url]?.(request.headers, body)) return response.writeHead(401).end('refused\n');
  // Genuine. `webhook-id` is the same when an event comes again; now `JSON.parse(body)`.
  response.end(`ok ${request.headers['webhook-id']}\n`);
}).listen(Number(PORT), '127.0.0.1');
