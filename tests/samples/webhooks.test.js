// Webhooks as seed 001's page has them: events and payload, its verifier, and its handlers, each as it stands
// there, but for its port. All are taken from `seed/page.txt`; Python's handler, which needs the indentation that
// the page has lost, is `seed/webhook.py`.
//
// The page contradicts itself: it puts the signature into the body, and what it hashes to verify it is the body
// that has it. Nobody can sign so. We sign the body without the field: its `verifyWebhook` takes that, and its
// handlers, which leave the field in, refuse all that is signed. Ours, in `examples/receivers/`, do not.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';

import { until } from '../support/until.js';
import { MESSAGE_ID, MILLISECONDS, assertShown } from './support/ask.js';
import { openGateway } from './support/gateway.js';
import { takeHooks } from './support/host.js';
import { program, rows, seeded, shown, under } from './support/page.js';
import { Workshop, freePort, withFlask, withSinatra } from './support/program.js';
import { NUMBER, openShop } from './support/shop.js';

const HEADING = 'Code Example — Receive Messages (Webhook)';
const flask = { text: seeded('webhook.py'), lacks: !withFlask && 'Flask' };
const HANDLERS = [
  { tab: 'Node.js', file: 'webhook.js' },
  { tab: 'PHP', language: 'PHP, served', file: 'webhook.php' },
  { tab: 'Python (Flask)', language: 'Python, Flask', file: 'webhook.py', ...flask },
  { tab: 'Ruby (Sinatra)', language: 'Ruby', file: 'webhook.rb', lacks: !withSinatra && 'Sinatra' },
  { tab: 'Go (net/http)', language: 'Go', file: 'webhook.go' },
];
/** The port of most of them, and of the request that tries them. */
const PORT = '4000';
const SECRET = 'a webhook secret';

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
  const said = (line) => until(`the ${tab} handler to say "${line}"`, () => handler.said.includes(line));
  return { port, hook, says: (line) => handler.runsUntil(said(line)) };
}

describe('the webhooks of seed 001', { concurrency: true }, () => {
  test('Webhooks: each event of the table, in the documented shape and signed', async (t) => {
    const hooks = await takeHooks(t);
    const documented = shown('Payload format');
    const tenant = await gateway.tenant('webhooks');
    const [number] = documented.data.from.split('@');
    const [phone, person] = [await tenant.phone(NUMBER, 'Shop'), await tenant.phone(number, 'Person')];
    await tenant.call('PUT', '/api/whatsapp/webhook', { url: hooks.url, secret: SECRET });
    await tenant.linked(documented.sessionId, phone);
    await person.send(NUMBER, documented.data.body);
    const message = await hooks.first('message');
    await tenant.call('POST', `/api/sandbox/phones/${NUMBER}/unlink`, { sessionId: documented.sessionId });
    await hooks.first('disconnected');
    await tenant.call('POST', '/api/whatsapp/webhook/test');
    await hooks.first('test');

    const words = new Set(hooks.all().map(({ payload }) => payload.event));
    assert.deepEqual([...words].sort(), rows('Event types').sort());
    const { data, ...rest } = documented;
    for (const { payload } of hooks.all()) {
      // A test is of no session.
      const { sessionId, ...ofAll } = rest;
      const { event } = payload;
      assertShown(payload, { ...(event === 'test' ? ofAll : { ...ofAll, sessionId }), event }, {
        tenantId: /^[\w-]+$/,
        timestamp: MILLISECONDS,
        signature: /^[0-9a-f]{6}/,
      });
      assert.equal(payload.tenantId, tenant.id);
      assert.match(payload.signature, /^[0-9a-f]{64}$/);
      assert.equal(typeof payload.data, 'object');
    }
    assert.deepEqual(Object.keys(message.payload), Object.keys(documented));
    assertShown(message.payload.data, data, { id: MESSAGE_ID });
  });

  test('Signature verification: the function of the page takes what we sign', async (t) => {
    const text = under('Signature verification');
    const code = text.slice(text.indexOf('// Node.js verification example'));
    const verifyWebhook = new Function('require', `${code}; return verifyWebhook;`)(createRequire(import.meta.url));
    const hooks = await takeHooks(t);
    const { tenant, phones } = await openShop(t, gateway);
    await tenant.call('PUT', '/api/whatsapp/webhook', { url: hooks.url, secret: SECRET });
    await phones[0].send(NUMBER, 'Olá / "Ana" <&> 日本 🙂');
    const { payload } = await hooks.first('message');
    const { signature, ...signed } = payload;
    assert.equal(verifyWebhook(signed, signature, SECRET), true);
    assert.equal(verifyWebhook(signed, signature, 'another'), false);
    assert.equal(verifyWebhook({ ...signed, timestamp: signed.timestamp + 1 }, signature, SECRET), false);
    assert.equal(verifyWebhook(payload, signature, SECRET), false);
  });

  test('Payload format: a signature "only if webhook secret is set"', async (t) => {
    const hooks = await takeHooks(t);
    const { tenant, phones } = await openShop(t, gateway);
    await tenant.call('PUT', '/api/whatsapp/webhook', { url: hooks.url });
    await phones[0].send(NUMBER, shown('Payload format').data.body);
    const { payload } = await hooks.first('message');
    const fields = Object.keys(shown('Payload format'));
    assert.equal(fields.pop(), 'signature');
    assert.deepEqual(Object.keys(payload), fields);
  });

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

    test(`the ${tab} handler with a secret refuses every signature there can be, and we say so`, async (t) => {
      if (lacks) return t.skip(`${lacks} is not installed`);
      const { hook } = await start(t, handler, SECRET);
      const { tenant } = await openShop(t, gateway);
      await tenant.call('PUT', '/api/whatsapp/webhook', { url: hook, secret: SECRET });
      const { success, status, error, hint } = await tenant.call('POST', '/api/whatsapp/webhook/test');
      assert.deepEqual([success, status, error], [false, 401, 'unauthorized']);
      assert.match(hint, /sign the body byte for byte as it arrived/);
    });
  }

  test('the Java (Spring Boot) handler takes ours', (t) => t.skip('Debian packages no Spring Boot'));

  test('the C# (ASP.NET Core) handler takes ours', (t) => t.skip('no .NET SDK: Debian packages none'));
});
