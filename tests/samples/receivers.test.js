// `examples/receivers/`: the programs that we publish take what we sign, and nothing else.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request as ask } from 'node:http';
import { text } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';

import { Workshop, freePort } from './support/program.js';
import { AWKWARD, SECRETS, flipped, sign } from './support/sign.js';
import { until } from '../support/until.js';

const RECEIVERS = [
  { language: 'Node.js', file: 'node/receive.mjs' },
  { language: 'PHP', file: 'php/receive.php', how: 'PHP, served' },
  { language: 'Python', file: 'python/receive.py' },
  { language: 'Ruby', file: 'ruby/receive.rb' },
  { language: 'Go', file: 'go/receive.go' },
  { language: 'Java', file: 'java/Receive.java' },
];
const REFUSED = [401, 'refused\n'];
const MINUTE_MS = 60_000;

const workshop = new Workshop();
after(() => workshop.remove());

/** A receiver that runs; `post` answers `[status, body]`. Somebody else may take its port first. */
async function start(t, receiver, secret) {
  for (let left = 3; ; left--) {
    try {
      return await startOnce(t, receiver, secret);
    } catch (error) {
      if (left === 0 || !/address already in use|EADDRINUSE/i.test(error.message)) throw error;
    }
  }
}

async function startOnce(t, { language, how = language, file }, secret) {
  const url = new URL(`../../examples/receivers/${file}`, import.meta.url);
  const port = await freePort();
  const settings = { WAPID_WEBHOOK_SECRET: secret, PORT: String(port) };
  const program = await workshop.start(t, how, url, { settings });
  const agent = new Agent({ keepAlive: false });
  const post = async (path, { body, headers }) => {
    const asked = ask({ host: '127.0.0.1', port, path, method: 'POST', headers: { ...headers, 'content-length': body.length }, agent });
    asked.end(body);
    const [heard] = await once(asked, 'response');
    return [heard.statusCode, await text(heard)];
  };
  const hears = until(`the ${language} receiver to listen`, () => post('/', sign({ secrets: [] })).catch(() => false));
  assert.deepEqual(await program.runsUntil(hears), REFUSED, 'a request without a signature');
  return post;
}

function without(request, ...names) {
  return { ...request, headers: Object.fromEntries(Object.entries(request.headers).filter(([name]) => !names.includes(name))) };
}

/** `request` with the lowest bit of each character of a header turned: still a header. */
function* withFlipped(request, name) {
  const value = Buffer.from(request.headers[name]);
  for (const copy of flipped(value, 8)) yield { ...request, headers: { ...request.headers, [name]: copy.toString('latin1') } };
}

describe('examples/receivers', { concurrency: true }, () => {
  for (const receiver of RECEIVERS) {
    for (const [kind, secret] of Object.entries(SECRETS)) {
      test(`the ${receiver.language} receiver takes what is signed with a secret ${kind}, and nothing else`, async (t) => {
        const post = await start(t, receiver, secret);
        const secrets = [secret];
        const request = sign({ secrets });
        const accepted = [200, `ok ${request.headers['webhook-id']}\n`];
        const awkward = sign({ secrets, payload: { event: 'message', data: { ...AWKWARD, empty: {}, list: [[], {}] } } });
        const paths = ['/', '/raw-body', '/in-body'];
        for (const path of paths) {
          assert.deepEqual(await post(path, request), accepted, path);
          assert.deepEqual(await post(path, awkward), accepted, path);
          assert.deepEqual(await post(path, sign({ secrets: ['another'] })), REFUSED, path);
          for (const body of flipped(request.body, 13)) {
            assert.deepEqual(await post(path, { ...request, body }), REFUSED, `${path} ${body}`);
          }
          for (const body of [Buffer.alloc(0), Buffer.from('{}'), request.body.subarray(-80), request.body.subarray(1)]) {
            assert.deepEqual(await post(path, { ...request, body }), REFUSED, `${path} ${body}`);
          }
        }
        // The secret changes: the new one is first, and we still have the old.
        assert.deepEqual(await post('/', sign({ secrets: ['another', secret] })), accepted);
        for (const minutes of [-6, 6]) {
          assert.deepEqual(await post('/', sign({ secrets, at: Date.now() + minutes * MINUTE_MS })), REFUSED, `${minutes} min`);
        }
        for (const minutes of [-4, 4]) {
          assert.deepEqual(await post('/', sign({ secrets, at: Date.now() + minutes * MINUTE_MS })), accepted, `${minutes} min`);
        }
        for (const [path, names] of [
          ['/', ['webhook-id', 'webhook-timestamp', 'webhook-signature']],
          ['/raw-body', ['X-Webhook-Signature']],
        ]) {
          for (const name of names) {
            assert.deepEqual(await post(path, without(request, name)), REFUSED, `${path} without ${name}`);
            for (const copy of withFlipped(request, name)) {
              assert.deepEqual(await post(path, copy), REFUSED, `${name}: ${copy.headers[name]}`);
            }
          }
        }
      });
    }
  }

  test('the C# receiver takes what is signed, and nothing else', (t) =>
    t.skip('no .NET SDK: Debian packages none, so nobody has run csharp/receive.cs here'));
});
