// What the gateway would send: events signed by its own code, in `core/examples/sign.rs`.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const built = fileURLToPath(new URL('../../../target/debug/wapid', import.meta.url));
const signer = join(dirname(process.env.WAPID_BINARY ?? built), 'examples', 'sign');
if (!existsSync(signer)) throw new Error(`${signer} does not exist; run \`cargo build --workspace --examples\``);

/** A secret of the two kinds that an endpoint may have. */
export const SECRETS = { 'in base64': 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'in plain text': 'correct horse battery stäple' };

/** What every language writes in its own way when it is left to. */
export const AWKWARD = { text: 'Olá / "Ana" <&> \\ \u0001\t\n\u2028 日本 🙂', whole: 12.0, part: -23.55052, small: 1e-7, big: 1.5e21 };

/** Requests as they are sent, one per order: `{ body: Buffer, headers }`. */
export function signAll(orders) {
  const lines = orders.map((order) => JSON.stringify({ ...defaults(), ...order }));
  const { status, stdout, stderr } = spawnSync(signer, { input: lines.join('\n'), maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`sign ended with ${status}: ${stderr}`);
  const requests = stdout.toString().trim().split('\n').map((line) => JSON.parse(line));
  return requests.map(({ body, headers }) => ({ body: Buffer.from(body), headers }));
}

export function sign(order) {
  return signAll([order])[0];
}

function defaults() {
  const at = Date.now();
  const data = { id: '3EB0B430A8B7F6C1D2E3', from: '919876543210@s.whatsapp.net', body: AWKWARD.text, isGroup: false };
  const payload = { tenantId: 'shop', event: 'message', sessionId: 'main', timestamp: at, data };
  return { secrets: [SECRETS['in base64']], profile: 'wapid', id: 'evt_01kx9q1v7e3m5n2b4c6d8f0g1h', event: 'message', at, payload };
}

/** Copies of `bytes` with one bit turned each: every `step`th. */
export function* flipped(bytes, step = 1) {
  for (let bit = 0; bit < bytes.length * 8; bit += step) {
    const copy = Buffer.from(bytes);
    copy[bit >> 3] ^= 1 << (bit & 7);
    yield copy;
  }
}
