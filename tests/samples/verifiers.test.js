// Other people's verifiers accept what we sign, and refuse it as soon as one bit is another.
//
// svix at the last version with a verifier of its own; later ones call `standardwebhooks`.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Webhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';

import { AWKWARD, SECRETS, flipped, sign, signAll } from './support/sign.js';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const SECRET = SECRETS['in base64'];
const OTHER = 'whsec_c2VjcmV0LW9mLWEtcm90YXRlZC1lbmRwb2ludA==';
const TRIPLE = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];

/** Each says of a list of requests which it takes. */
const VERIFIERS = {
  'standardwebhooks of npm': (requests) => requests.map((request) => accepts(new Webhook(SECRET), request)),
  'svix of npm': (requests) => requests.map((request) => accepts(new SvixWebhook(SECRET), request)),
  'standardwebhooks of PyPI': (requests) => {
    const lines = requests.map(({ body, headers }) => JSON.stringify({ secret: SECRET, headers, body: body.toString('base64') }));
    const options = { input: lines.join('\n'), env: { ...process.env, PYTHONPATH: here('python_modules') } };
    const { status, stdout, stderr } = spawnSync('python3', [here('support/verify.py')], options);
    assert.equal(status, 0, `./test installs what it needs; it said:\n${stderr}`);
    return stdout.toString().trim().split('\n').map((line) => line === 'true');
  },
};

function accepts(webhook, { body, headers }) {
  try {
    webhook.verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

/** A request, and it with every bit of its body and of the three headers turned. */
function tampered() {
  const request = sign({});
  const copies = [...flipped(request.body)].map((body) => ({ ...request, body, what: 'body' }));
  for (const name of TRIPLE) {
    for (const value of flipped(Buffer.from(request.headers[name]))) {
      copies.push({ ...request, headers: { ...request.headers, [name]: value.toString('latin1') }, what: name });
    }
  }
  return { request, copies };
}

/** The two bits of the last base64 digit that say nothing: a decoder takes any. Nothing signed depends on them. */
function isSpareBit({ headers }, request) {
  const [one, other] = [headers, request.headers].map((h) => Buffer.from(h['webhook-signature'].replace('v1,', ''), 'base64'));
  return headers['webhook-signature'].startsWith('v1,') && headers['webhook-signature'].endsWith('=') && one.equals(other);
}

describe('verifiers', { concurrency: true }, () => {
  for (const [name, verify] of Object.entries(VERIFIERS)) {
    test(`${name} accepts what is signed, with either secret while it changes`, () => {
      const requests = signAll([
        {},
        { secrets: [SECRET, OTHER] },
        { secrets: [OTHER, SECRET] },
        { payload: { event: 'test' } },
        { payload: { event: 'message', data: AWKWARD } },
        ...['ranvedix', 'quixess', 'dualhook', 'vobiz'].map((profile) => ({ profile })),
        { at: Date.now() - 290_000 },
      ]);
      assert.deepEqual(verify(requests), requests.map(() => true));
    });

    test(`${name} refuses any flipped bit, another secret, another time`, () => {
      const { request, copies } = tampered();
      assert.deepEqual(verify([request]), [true]);
      assert.ok(copies.length > 3_000);
      const verdicts = verify(copies);
      const taken = copies.filter((copy, at) => verdicts[at] && !isSpareBit(copy, request));
      assert.deepEqual(taken.map(({ what, headers }) => [what, headers]), []);
      const now = Date.now();
      const wrong = signAll([{ secrets: [OTHER] }, { at: now - 310_000 }, { at: now + 310_000 }, { secrets: [] }]);
      assert.deepEqual(verify(wrong), [false, false, false, false]);
    });
  }

  test('what is signed is what JavaScript writes again', () => {
    const numbers = Array.from({ length: 5_000 }, () => (Math.random() - 0.5) * 10 ** Math.floor(Math.random() * 60 - 30));
    const orders = [AWKWARD, ...numbers.map((number) => ({ number, whole: Math.round(number) }))];
    const requests = signAll(orders.map((data) => ({ payload: { event: 'message', data } })));
    for (const { body } of requests) {
      const { signature, ...payload } = JSON.parse(body);
      assert.match(signature, /^[0-9a-f]{64}$/);
      assert.equal(body.toString(), `${JSON.stringify(payload).slice(0, -1)},"signature":"${signature}"}`);
    }
  });
});
