// The webhook handlers of seed 001's page, each as it stands there, but for its port. They are taken from
// `seed/page.txt`; Python's, which needs the indentation that the page has lost, is `seed/webhook.py`.
//
// With a secret they contradict the page's own payload: each hashes the body with the field `signature` in it,
// which is a hash of the body with that hash in it, so nobody can sign for them. We sign the body without the
// field, as the page's `verifyWebhook` takes it (`page.test.js`); they refuse it, and we say so. Ours, in
// `examples/receivers/`, verify it.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { until } from '../support/until.js';
import { openGateway } from './support/gateway.js';
import { program, seeded, shown } from './support/page.js';
import { Workshop, freePort, withFlask, withSinatra } from './support/program.js';
import { NUMBER, openShop } from './support/shop.js';

const HEADING = 'Code Example — Receive Messages (Webhook)';
const HANDLERS = [
  { tab: 'Node.js', file: 'webhook.js' },
  { tab: 'PHP', language: 'PHP, served', file: 'webhook.php' },
  { tab: 'Python (Flask)', language: 'Python, Flask', file: 'webhook.py', text: seeded('webhook.py'), lacks: !withFlask && 'Flask' },
  { tab: 'Ruby (Sinatra)', language: 'Ruby', file: 'webhook.rb', lacks: !withSinatra && 'Sinatra' },
  { tab: 'Go (net/http)', language: 'Go', file: 'webhook.go' },
];
/** The port of most of them, and of the request that tries them. */
const PORT = '4000';

const workshop = new Workshop();
let gateway;

before(async () => {
  gateway = await openGateway();
});
after(async () => {
  await gateway?.stop();
  workshop.remove();
});

/** A handler that listens, told of `secret` or of none. */
async function start(t, { tab, language = tab, file, text = program(HEADING, tab) }, secret) {
  const port = String(await freePort());
  const sync = workshop.write('sync.rb', '$stdout.sync = true');
  // What it prints is to be read while it runs.
  const prompt = { PYTHONUNBUFFERED: '1', RUBYOPT: `-r${sync.pathname}` };
  const settings = { ...prompt, PORT: port, ...(secret && { WAPI_WEBHOOK_SECRET: secret }) };
  // Sinatra's has no port in it.
  const args = text.includes(PORT) || language.startsWith('PHP') ? [] : ['-p', port, '-o', '127.0.0.1'];
  const url = workshop.write(file, text.replaceAll(PORT, port));
  const handler = await workshop.start(t, language, url, { args, settings });
  const hook = `http://127.0.0.1:${port}/whatsapp-webhook`;
  await handler.runsUntil(until(`the ${tab} handler to listen`, () => fetch(hook).catch(() => false)));
  const says = (line) => handler.runsUntil(until(`the ${tab} handler to say "${line}"`, () => handler.said.includes(line)));
  return { port, hook, says };
}

describe('the webhook handlers of seed 001', { concurrency: true }, () => {
  for (const handler of HANDLERS) {
    const { tab, lacks } = handler;

    test(`the ${tab} handler takes the request of the page, and ours`, async (t) => {
      if (lacks) return t.skip(`${lacks} is not installed`);
      const { port, hook, says } = await start(t, handler);
      const { from, body } = shown('Payload format').data;
      const [number] = from.split('@');
      const curl = program(HEADING, 'cURL (test)').replace(`localhost:${PORT}`, `127.0.0.1:${port}`);
      const tried = await workshop.start(t, 'bash', workshop.write('try.sh', curl), {});
      assert.equal(await tried.end(), 0, tried.said);
      assert.deepEqual(JSON.parse(tried.said), { ok: true });
      await says(`Message from ${number}: ${body}`);

      const { tenant, phones } = await openShop(t, gateway);
      await tenant.call('PUT', '/api/whatsapp/webhook', { url: hook });
      assert.equal(phones[0].number, number);
      await phones[0].send(NUMBER, 'Is it on its way?');
      await says(`Message from ${number}: Is it on its way?`);
    });

    test(`the ${tab} handler refuses with a secret what it could not have been sent, and we tell`, async (t) => {
      if (lacks) return t.skip(`${lacks} is not installed`);
      const secret = 'a webhook secret';
      const { hook } = await start(t, handler, secret);
      const { tenant } = await openShop(t, gateway);
      await tenant.call('PUT', '/api/whatsapp/webhook', { url: hook, secret });
      const { success, status, error, hint } = await tenant.call('POST', '/api/whatsapp/webhook/test');
      assert.deepEqual([success, status, error], [false, 401, 'unauthorized']);
      assert.match(hint, /sign the body byte for byte as it arrived/);
    });
  }

  test('the Java (Spring Boot) handler takes ours', (t) => t.skip('Debian packages no Spring Boot'));

  test('the C# (ASP.NET Core) handler takes ours', (t) => t.skip('no .NET SDK: Debian packages none'));
});
