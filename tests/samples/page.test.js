// The page of seed 001, section by section: what it sends is sent as it stands, and what it shows as an answer
// is what is answered.
//
// Bodies, answers, statuses and events are read from `seed/page.txt`, the seed's own text; only the host of
// `https://example.com` is another, and a file that the page cuts off (`JVBERi0xLjQ...`) is filled up. The seed
// has lost the methods and paths of `Sessions`, `Bulk Broadcast` and `Message Logs`: its programs name those of
// bulk jobs, the others are ours.
//
// The page's programs are run by `seed.test.js`, `otp.test.js` and `handlers.test.js`.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';

import { until } from '../support/until.js';
import { openGateway, operate } from './support/gateway.js';
import { serveFiles, takeHooks } from './support/host.js';
import { smallFiles } from './support/media.js';
import { body, program, requests, rows, seeded, shown, told, under } from './support/page.js';
import { Workshop } from './support/program.js';
import { NUMBER, PEOPLE, openShop } from './support/shop.js';
import { certificate } from './support/tls.js';

const SEND = '/api/whatsapp/session/main/send';
const BULK = '/api/whatsapp/session/main/send-bulk';
const LOG = '/api/whatsapp/messages';

// The forms of what is new in each answer. The page's own examples have them too.
const MESSAGE_ID = /^3EB0[0-9A-F]{16,18}$/;
const JOB_ID = /^[0-9a-f]{24}$/;
const SECONDS = /^\d{10}$/;
const MILLISECONDS = /^\d{13}$/;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const PICTURE = /^data:image\/png;base64,/;

const CAMPAIGN = 'Code Example — Bulk Campaign';
/** The files in `seed/`, and where the page has each. */
const COPIES = [
  [CAMPAIGN, 'Node.js', 'campaign.js'],
  [CAMPAIGN, 'PHP', 'campaign.php'],
  [CAMPAIGN, 'Python', 'campaign.py'],
  [CAMPAIGN, 'Ruby', 'campaign.rb'],
  [CAMPAIGN, 'Go', 'campaign.go'],
  [CAMPAIGN, 'Java', 'BulkCampaign.java'],
  [CAMPAIGN, 'C# / .NET', 'campaign.cs'],
  [CAMPAIGN, 'cURL', 'campaign.sh'],
  ['Code Example — OTP Verification', 'Python', 'otp.py'],
  ['Code Example — Receive Messages (Webhook)', 'Python (Flask)', 'webhook.py'],
];

const KINDS = told('Media Messages', 'type').match(/image|video|document|audio/g);
const MINUTE_MS = 60_000;

const workshop = new Workshop();
let gateway;
let files;
let host;

before(async () => {
  const tls = certificate(workshop);
  files = smallFiles(workshop);
  const paths = Object.values(files).map(({ extension, ...file }) => [`/invoice.${extension}`, file]);
  host = await serveFiles(tls, Object.fromEntries(paths));
  gateway = await openGateway(tls.path);
});
after(async () => {
  await gateway?.stop();
  host?.stop();
  workshop.remove();
});

/** Asks as the page does, and answers `[status, body]`: "All requests and responses use application/json". */
async function ask({ url, key }, method, path, text, header = 'X-API-Key') {
  const headers = { ...(key && { [header]: key }), ...(text && { 'Content-Type': 'application/json' }) };
  const response = await fetch(`${url}${path}`, { method, headers, body: text });
  assert.match(response.headers.get('content-type'), /^application\/json(;|$)/, path);
  return [response.status, await response.json()];
}

/** The same, where the answer is yes. */
async function get(customer, path) {
  const [status, answer] = await ask(customer, 'GET', path);
  assert.equal(status, 200, JSON.stringify(answer));
  return answer;
}
async function post(customer, path, text) {
  const [status, answer] = await ask(customer, 'POST', path, text);
  assert.equal(status, 200, JSON.stringify(answer));
  return answer;
}

/** That every field that the page shows is there and is the same; of those in `forms`, type and form are. */
function assertShown(answer, documented, forms = {}) {
  const fixed = (fields) => Object.keys(documented).flatMap((name) => (name in forms ? [] : [[name, fields[name]]]));
  assert.deepEqual(fixed(answer), fixed(documented));
  for (const [name, form] of Object.entries(forms)) {
    assert.equal(typeof answer[name], typeof documented[name], name);
    assert.match(String(documented[name]), form, `${name} on the page`);
    assert.match(String(answer[name]), form, name);
  }
}

function assertError([status, answer], expected, about) {
  assert.equal(status, expected, JSON.stringify(answer));
  assertShown(answer, shown('Error Handling'), { error: /./, code: /^[A-Z_]+$/ });
  if (about) assert.match(answer.error, about);
}

/** Sends a body and answers the message as `phone` shows it. */
async function sends(shop, text, phone = shop.phones[0]) {
  const answer = await post(shop.tenant, SEND, text);
  assertShown(answer, shown('Send Message', 'Response'), { messageId: MESSAGE_ID, timestamp: SECONDS });
  assert.ok(Math.abs(answer.timestamp * 1000 - Date.now()) < MINUTE_MS, `${answer.timestamp} is not now`);
  return until(`${phone.number} to show ${text.slice(0, 200)}`, async () =>
    (await phone.messages()).find(({ id }) => id === answer.messageId),
  );
}

/** A file as the phone downloaded and decrypted it. */
async function fileOf({ tenant }, phone, { id }) {
  const url = `${tenant.url}/api/sandbox/phones/${phone.number}/messages/${id}/media`;
  const response = await fetch(url, { headers: { 'X-API-Key': tenant.key } });
  assert.equal(response.status, 200);
  return Buffer.from(await response.arrayBuffer());
}

const statusOf = (tenant, id) => get(tenant, `/api/whatsapp/session/${id}/status`);
const untilStatus = (tenant, id, word) =>
  until(`${id} to be ${word}`, async () => {
    const now = await statusOf(tenant, id);
    return now.status === word && now;
  });
/** What the page calls a table's value in milliseconds, `(default: 2000)`. */
const byDefault = (field) => Number(told('Bulk Broadcast', field).match(/\(default: (\d+)\)/)[1]);

describe('the page of seed 001', { concurrency: true }, () => {
  test('the programs in seed/ are those of the page, but for their indentation', () => {
    const flat = (text) => text.trim().split('\n').map((line) => line.trim());
    for (const [heading, tab, file] of COPIES) assert.deepEqual(flat(seeded(file)), flat(program(heading, tab)), file);
  });

  test('Quick Start: its three requests link a number and write to somebody', async () => {
    const tenant = await gateway.tenant('quick-start');
    const [phone, person] = [await tenant.phone(NUMBER, 'Shop'), await tenant.phone(PEOPLE[0], 'Person')];
    const [create, status, send] = requests('Quick Start');
    const run = async ({ method, path, header, body }) => {
      const [code, answer] = await ask(tenant, method, path, body, header);
      assert.equal(code, 200, JSON.stringify(answer));
      return answer;
    };

    assert.deepEqual([create.path, create.method], ['/api/whatsapp/session', 'POST']);
    await run(create);
    const polled = (word) =>
      until(`the session to be ${word}`, async () => {
        const answer = await run(status);
        assert.ok(rows('Get session status & QR code').includes(answer.status), answer.status);
        return answer.status === word && answer;
      });
    const waiting = await polled('qr_ready');
    assertShown(waiting, shown('Quick Start', 'Response when QR is ready:'), { qrCode: PICTURE });
    await phone.scan(waiting.qrCode);
    await polled('ready');

    const answer = await run(send);
    assertShown(answer, shown('Send Message', 'Response'), { messageId: MESSAGE_ID, timestamp: SECONDS });
    const { to, message } = JSON.parse(send.body);
    assert.equal((await person.shown(message)).id, answer.messageId);
    // "The API auto-appends @s.whatsapp.net."
    const [row] = (await get(tenant, LOG)).messages;
    assert.deepEqual([row.messageId, row.to, row.chat], [answer.messageId, to, `${to}@s.whatsapp.net`]);
  });

  test('Authentication: the key in its header, and no other; one that was reset is refused', async () => {
    const [, header] = under('Authentication').match(/^([\w-]+): your_api_key_here$/m);
    const tenant = await gateway.tenant('authentication');
    const asks = (key) => ask({ url: gateway.url, key }, 'GET', '/api/whatsapp/sessions', undefined, header);
    assert.equal((await asks(tenant.key))[0], 200);
    assertError(await asks(undefined), 401);
    assertError(await asks('your_api_key_here'), 401);
    assertError(await asks(`${tenant.key}x`), 401);

    // The page's dashboard resets it; we have a command. "Immediately" is within 5 s.
    const { testKey } = await operate(gateway, 'key', 'rotate', tenant.key);
    const reset = Date.now();
    assert.equal((await asks(testKey))[0], 200);
    await until('the old key to be refused', async () => (await asks(tenant.key))[0] === 401);
    assert.ok(Date.now() - reset < 6_000, `the old key lived on for ${Date.now() - reset} ms`);
    assertError(await asks(tenant.key), 401);
  });

  test('Error Handling: each status of the table, with the documented body', async (t) => {
    const shop = await openShop(t, gateway);
    const { tenant, session } = shop;
    const [to] = PEOPLE;
    const answers = {
      200: async () => [await ask(tenant, 'GET', '/api/whatsapp/sessions')],
      400: async () => [
        await ask(tenant, 'POST', SEND, '{}'),
        await ask(tenant, 'POST', SEND, '{"to": '),
        await ask(tenant, 'POST', SEND, JSON.stringify({ to: 'Ana', message: 'Hello!' })),
        await ask(tenant, 'POST', BULK, JSON.stringify({ recipients: [to] })),
      ],
      401: async () => [await ask({ url: tenant.url }, 'POST', SEND, JSON.stringify({ to, message: 'Hello!' }))],
      404: async () => [
        await ask(tenant, 'GET', '/api/whatsapp/session/nobody/status'),
        await ask(tenant, 'POST', '/api/whatsapp/session/nobody/send', JSON.stringify({ to, message: 'Hello!' })),
        await ask(tenant, 'GET', `/api/whatsapp/bulk-job/${shown('Bulk Broadcast', 'Response — job queued').jobId}`),
        await ask(tenant, 'GET', '/api/whatsapp/nothing'),
      ],
      429: async () => {
        await operate(gateway, 'tenant', 'update', tenant.id, '--daily-limit', '0');
        const refused = await ask(tenant, 'POST', SEND, JSON.stringify({ to, message: 'Hello!' }));
        await operate(gateway, 'tenant', 'update', tenant.id, '--daily-limit', '-1');
        return [refused];
      },
      // WhatsApp does not say who is on it.
      500: async () => {
        await tenant.call('POST', '/api/sandbox/faults', { sessionId: session.id, kind: 'lookup_refused', count: 1_000 });
        return [await ask(tenant, 'POST', SEND, JSON.stringify({ to: '919876543219', message: 'Hello!' }))];
      },
    };
    assert.deepEqual(Object.keys(answers), rows('Error Handling'));
    for (const [status, provoke] of Object.entries(answers)) {
      for (const answer of await provoke()) {
        if (status === '200') assert.equal(answer[0], 200);
        else assertError(answer, Number(status));
      }
    }
  });

  test('Error Handling: the daily limit is refused in the words of the page', async (t) => {
    const documented = shown('Error Handling', '429 Too Many Requests');
    const { tenant } = await openShop(t, gateway);
    await operate(gateway, 'tenant', 'update', tenant.id, '--daily-limit', String(documented.limit));
    const send = (at) => ask(tenant, 'POST', SEND, JSON.stringify({ to: PEOPLE[at % 2], message: `Message ${at}` }));
    for (let sent = 0; sent < documented.limit; sent += 10) {
      const answers = await Promise.all(Array.from({ length: 10 }, (_, at) => send(sent + at)));
      for (const [status, answer] of answers) assert.equal(status, 200, JSON.stringify(answer));
    }
    assert.deepEqual(await send(0), [429, documented]);
  });

  test('Sessions: create, scan, list and lose one, through each status of the table', async () => {
    const tenant = await gateway.tenant('sessions');
    const { phoneNumber } = shown('Get session status & QR code', 'Once connected:');
    const phone = await tenant.phone(phoneNumber, 'Sales');
    const create = () => post(tenant, '/api/whatsapp/session', body('Create / initialize a session', 'Request body'));
    const { sessionId, name } = shown('Create / initialize a session', 'Request body');

    assertShown(await create(), shown('Create / initialize a session', 'Response'));
    const waiting = await untilStatus(tenant, sessionId, 'qr_ready');
    assertShown(waiting, shown('Get session status & QR code', 'While waiting for QR scan:'), { qrCode: PICTURE });
    assert.deepEqual(await create(), { success: true, sessionId, isNew: false, status: 'qr_ready' });
    await phone.scan(waiting.qrCode);
    const ready = await untilStatus(tenant, sessionId, 'ready');
    assertShown(ready, shown('Get session status & QR code', 'Once connected:'));

    const { sessions } = await get(tenant, '/api/whatsapp/sessions');
    const listed = sessions.map((session) => [session.sessionId, session.name, session.status, session.phoneNumber]);
    assert.deepEqual(listed, [[sessionId, name, 'ready', phoneNumber]]);

    await tenant.call('POST', `/api/sandbox/phones/${phoneNumber}/unlink`, { sessionId });
    await untilStatus(tenant, sessionId, 'disconnected');
    // Nobody polls as fast as a session goes from one to the next; the log of events has them all.
    const { events } = await get(tenant, '/api/whatsapp/events?types=session.*');
    const words = new Set(events.map(({ type }) => type.replace('session.', '')));
    assert.deepEqual([...words].sort(), rows('Get session status & QR code').sort());
  });

  for (const [method, tail] of [
    ['DELETE', ''],
    ['POST', '/disconnect'],
  ]) {
    test(`Disconnect a session: ${method} /api/whatsapp/session/{id}${tail}`, async (t) => {
      const { tenant, session } = await openShop(t, gateway);
      const at = `/api/whatsapp/session/${session.id}`;
      const [status, answer] = await ask(tenant, method, `${at}${tail}`);
      assert.deepEqual([status, answer], [200, { success: true, sessionId: session.id, loggedOut: true }]);
      assert.deepEqual(await get(tenant, '/api/whatsapp/sessions'), { sessions: [] });
      assertError(await ask(tenant, 'GET', `${at}/status`), 404);
    });
  }

  test('Send Message: both examples, as the phone shows them', async (t) => {
    const shop = await openShop(t, gateway);
    const simple = await sends(shop, body('Send Message', 'Simple text message'));
    assert.deepEqual([simple.type, simple.message], ['text', shown('Send Message', 'Simple text message').message]);
    // "Bold header shown above message", "Italic footer shown below message".
    const { header, message, footer } = shown('Send Message', 'With header and footer');
    const framed = await sends(shop, body('Send Message', 'With header and footer'));
    assert.deepEqual([framed.type, framed.message], ['text', `*${header}*\n\n${message}\n\n_${footer}_`]);
  });

  test('Send Message: a number or a full JID, and what is required', async (t) => {
    const shop = await openShop(t, gateway);
    const example = shown('Send Message', 'Simple text message');
    const jid = await sends(shop, JSON.stringify({ ...example, to: `${example.to}@s.whatsapp.net` }));
    assert.equal(jid.message, example.message);
    assert.equal((await sends(shop, JSON.stringify({ ...example, type: 'text' }))).type, 'text');
    for (const field of rows('Send Message')) {
      const isRequired = told('Send Message', field).includes('| Yes |');
      assert.equal(isRequired, ['to', 'message'].includes(field), field);
      if (!isRequired) continue;
      const { [field]: left, ...rest } = example;
      assertError(await ask(shop.tenant, 'POST', SEND, JSON.stringify(rest)), 400, new RegExp(`^${field}: `));
      assert.ok(left);
    }
  });

  // The page names the type and shows no field for a poll's answers; ours is `options`.
  test('Send Message: a poll', async (t) => {
    const shop = await openShop(t, gateway);
    const types = told('Send Message', 'type').match(/text|image|video|document|audio|poll/g);
    assert.deepEqual(types, ['text', ...KINDS, 'poll']);
    const poll = { to: PEOPLE[0], type: 'poll', message: 'Lunch?' };
    assertError(await ask(shop.tenant, 'POST', SEND, JSON.stringify(poll)), 400, /^options: /);
    const { type, message, options } = await sends(shop, JSON.stringify({ ...poll, options: ['Rice', 'Beans'] }));
    assert.deepEqual({ type, message, options }, { type: 'poll', message: poll.message, options: ['Rice', 'Beans'] });
  });

  for (const kind of KINDS) {
    test(`Media Messages: ${kind} by mediaUrl`, async (t) => {
      const shop = await openShop(t, gateway);
      const { extension, mime, bytes } = files[kind];
      const ours = { type: kind, mediaUrl: `https://${host.host}/invoice.${extension}` };
      const there = body('Media Messages', 'Send an image via URL').replace('//example.com/', `//${host.host}/`);
      const example = JSON.parse(there);
      const text = kind === example.type ? there : JSON.stringify({ ...example, ...ours });
      const message = await sends(shop, text);
      assert.deepEqual([message.type, message.message, message.mimeType], [kind, example.message, mime]);
      assert.deepEqual(await fileOf(shop, shop.phones[0], message), bytes);
    });

    test(`Media Messages: ${kind} by mediaBase64`, async (t) => {
      const shop = await openShop(t, gateway);
      const { extension, mime, bytes } = files[kind];
      const base64 = files[kind].bytes.toString('base64');
      const cut = shown('Media Messages', 'Send a PDF document');
      const whole = body('Media Messages', 'Send a PDF document').replace(cut.mediaBase64, base64);
      const fileName = cut.fileName.replace('pdf', extension);
      const ours = { type: kind, mediaBase64: base64, mediaMimeType: mime, fileName };
      const isPages = kind === cut.type;
      if (isPages) assert.ok(base64.startsWith(cut.mediaBase64.replace('...', '')));
      const message = await sends(shop, isPages ? whole : JSON.stringify({ ...cut, ...ours }));
      assert.deepEqual([message.type, message.message, message.mimeType], [kind, '', mime]);
      if (isPages) assert.equal(message.fileName, cut.fileName);
      assert.deepEqual(await fileOf(shop, shop.phones[0], message), bytes);
    });
  }

  test('Bulk Broadcast: its job is sent one by one, with pauses, and polled to its end', async (t) => {
    const example = shown('Bulk Broadcast', 'Start a bulk job');
    const { tenant, phones } = await openShop(t, gateway, { people: example.recipients });
    const made = await post(tenant, BULK, body('Bulk Broadcast', 'Start a bulk job'));
    assertShown(made, shown('Bulk Broadcast', 'Response — job queued'), { jobId: JOB_ID });

    const polls = [];
    const done = await until('the job to be completed', async () => {
      polls.push(await get(tenant, `/api/whatsapp/bulk-job/${made.jobId}`));
      return polls.at(-1).status === 'completed' && polls.pop();
    });
    const documented = shown('Poll job progress');
    const { status, processed } = documented;
    const like = polls.find((poll) => poll.status === status && poll.processed === processed);
    assertShown(like ?? {}, documented);
    for (const poll of polls) assert.match(poll.status, /^(pending|running)$/);
    assertShown({ ...done, status, succeeded: done.succeeded - 2, processed: done.processed - 2 }, documented);

    for (const phone of phones) assert.equal((await phone.shown(example.message)).message, example.message);
    const { messages } = await get(tenant, `${LOG}?jobId=${made.jobId}`);
    const rows = messages.reverse();
    assert.deepEqual(rows.map(({ to }) => to), example.recipients);
    const pauses = rows.slice(1).map(({ createdAt }, at) => Date.parse(createdAt) - Date.parse(rows[at].createdAt));
    const { delayMin, delayMax } = example;
    for (const pause of pauses) assert.ok(pause >= delayMin && pause < delayMax + 5_000, `${pauses} ms`);
  });

  test('Bulk Broadcast: recipients with names, and the documented pauses by default', async (t) => {
    const { tenant, phones } = await openShop(t, gateway);
    const { message } = shown('Bulk Broadcast', 'Start a bulk job');
    assert.match(told('Bulk Broadcast', 'recipients'), /\{phone, name\}/);
    const recipients = PEOPLE.map((phone, at) => ({ phone, name: `Person ${at + 1}` }));
    const { jobId, total } = await post(tenant, BULK, JSON.stringify({ recipients, message }));
    const job = await get(tenant, `/api/whatsapp/bulk-job/${jobId}`);
    const pauses = { delayMin: byDefault('delayMin'), delayMax: byDefault('delayMax') };
    assertShown({ ...job, total }, { total: 2, ...pauses });
    for (const phone of phones) await phone.shown(message);
  });

  test('Bulk Broadcast: every type of a single send', async (t) => {
    const shop = await openShop(t, gateway);
    const [person] = shop.phones;
    const now = { recipients: [person.number], delayMin: 0, delayMax: 0 };
    const url = (kind) => `https://${host.host}/invoice.${files[kind].extension}`;
    const jobs = [
      { type: 'text', message: 'Hello!' },
      { type: 'poll', message: 'Lunch?', options: ['Rice', 'Beans'] },
      ...KINDS.map((type) => ({ type, mediaUrl: url(type) })),
    ];
    for (const job of jobs) await post(shop.tenant, BULK, JSON.stringify({ ...now, ...job }));
    for (const { type } of jobs) {
      const message = await until(`${person.number} to show a bulk ${type}`, async () =>
        (await person.messages()).find((shown) => shown.type === type),
      );
      if (KINDS.includes(type)) assert.deepEqual(await fileOf(shop, person, message), files[type].bytes);
    }
    // "Required for type: text".
    assertError(await ask(shop.tenant, 'POST', BULK, JSON.stringify(now)), 400, /^message: /);
  });

  test('Poll job progress: each status of the table', async (t) => {
    const { tenant } = await openShop(t, gateway);
    const job = (at) => body('Bulk Broadcast', 'Start a bulk job').replace(/30/, String(30 + at));
    const read = (jobId) => get(tenant, `/api/whatsapp/bulk-job/${jobId}`);
    const seen = new Set();
    const see = (jobId, word) =>
      until(`a job to be ${word}`, async () => {
        const { status } = await read(jobId);
        assert.ok(rows('Poll job progress').includes(status), status);
        return status === word && seen.add(status);
      });

    const quick = { recipients: PEOPLE, message: 'Hello!', delayMin: 0, delayMax: 0 };
    await see((await post(tenant, BULK, JSON.stringify(quick))).jobId, 'completed');
    await see((await post(tenant, BULK, job(1))).jobId, 'running');
    // Its session is not linked yet, and is removed before it is.
    await post(tenant, '/api/whatsapp/session', JSON.stringify({ sessionId: 'second' }));
    const { jobId } = await post(tenant, '/api/whatsapp/session/second/send-bulk', job(2));
    await see(jobId, 'pending');
    await ask(tenant, 'DELETE', '/api/whatsapp/session/second');
    await see(jobId, 'failed');
    assert.deepEqual([...seen].sort(), rows('Poll job progress').sort());
  });

  test('Webhooks: each event of the table, in the documented shape and signed', async (t) => {
    const hooks = await takeHooks(t);
    const secret = 'a webhook secret';
    const documented = shown('Payload format');
    const tenant = await gateway.tenant('webhooks');
    const [number] = documented.data.from.split('@');
    const [phone, person] = [await tenant.phone(NUMBER, 'Shop'), await tenant.phone(number, 'Person')];
    await tenant.call('PUT', '/api/whatsapp/webhook', { url: hooks.url, secret });
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

  // The page contradicts itself: it puts the signature into the body, and hashes the body that has it. What is
  // signed is the body without it; its verifier says yes to that, and no to a body that still holds it.
  test('Signature verification: the function of the page takes what we sign', async (t) => {
    const text = under('Signature verification');
    const code = text.slice(text.indexOf('// Node.js verification example'));
    const verifyWebhook = new Function('require', `${code}; return verifyWebhook;`)(createRequire(import.meta.url));
    const hooks = await takeHooks(t);
    const { tenant, phones } = await openShop(t, gateway);
    const secret = 'a webhook secret';
    await tenant.call('PUT', '/api/whatsapp/webhook', { url: hooks.url, secret });
    await phones[0].send(NUMBER, 'Olá / "Ana" <&> 日本 🙂');
    const { payload } = await hooks.first('message');
    const { signature, ...signed } = payload;
    assert.equal(verifyWebhook(signed, signature, secret), true);
    assert.equal(verifyWebhook(signed, signature, 'another'), false);
    assert.equal(verifyWebhook({ ...signed, timestamp: signed.timestamp + 1 }, signature, secret), false);
    assert.equal(verifyWebhook(payload, signature, secret), false);
  });

  test('Payload format: a signature "only if webhook secret is set"', async (t) => {
    const hooks = await takeHooks(t);
    const { tenant, phones } = await openShop(t, gateway);
    await tenant.call('PUT', '/api/whatsapp/webhook', { url: hooks.url });
    await phones[0].send(NUMBER, shown('Payload format').data.body);
    const { signature, ...documented } = shown('Payload format');
    const { payload } = await hooks.first('message');
    assert.deepEqual(Object.keys(payload), Object.keys(documented));
    assert.ok(signature);
  });

  test('Message Logs: as many messages make as many pages as on the page', async (t) => {
    const { tenant, phones } = await openShop(t, gateway);
    const documented = shown('Message Logs');
    const { messages: [documentedRow], ...counts } = documented;
    await phones[1].send(NUMBER, 'One that is received');
    await until('it to be logged', async () => (await get(tenant, LOG)).total === 1);
    const send = (message) => post(tenant, SEND, JSON.stringify({ to: documentedRow.to, message }));
    for (let sent = 1; sent < counts.total - 1; sent += 10) {
      const some = Math.min(10, counts.total - 1 - sent);
      await Promise.all(Array.from({ length: some }, (_, at) => send(`Message ${sent + at}`)));
    }
    const { messageId } = await send(documentedRow.message);

    const log = await get(tenant, LOG);
    const { messages: [row], ...pages } = log;
    assertShown(pages, counts);
    assert.equal(row.messageId, messageId);
    // Sent, and delivered as soon as the phone has it.
    assertShown(row, documentedRow, { status: /^(sent|delivered)$/, createdAt: ISO });
    const last = await get(tenant, `${LOG}?page=${counts.pages}`);
    assert.deepEqual([log.messages.length, last.messages.length, last.page], [20, 2, counts.pages]);
    const received = last.messages.at(-1);
    assert.deepEqual([received.message, received.status], ['One that is received', 'received']);
    for (const one of [...log.messages, ...last.messages]) {
      for (const name of Object.keys(documentedRow)) assert.equal(typeof one[name], 'string', name);
    }
  });
});
