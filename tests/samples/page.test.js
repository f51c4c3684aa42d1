// The page of seed 001, section by section: what it sends is sent as it stands, and what it shows as an answer
// is what is answered.
//
// Bodies, answers, statuses and events are read from `seed/page.txt`, the seed's own text; only the host of
// `https://example.com` is another, and a file that the page cuts off (`JVBERi0xLjQ...`) is filled up. The seed
// has lost the methods and paths of `Sessions`, `Bulk Broadcast` and `Message Logs`: its programs name those of
// bulk jobs, the others are ours.
//
// Its programs are run by `seed.test.js`, `otp.test.js` and `webhooks.test.js`, which has its webhooks too.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { until } from '../support/until.js';
import {
  ISO,
  JOB_ID,
  MESSAGE_ID,
  PICTURE,
  SECONDS,
  ask,
  assertError,
  assertShown,
  get,
  post,
} from './support/ask.js';
import { openGateway, operate } from './support/gateway.js';
import { serveFiles } from './support/host.js';
import { smallFiles } from './support/media.js';
import { body, program, requests, rows, seeded, shown, told, under } from './support/page.js';
import { Workshop } from './support/program.js';
import { NUMBER, PEOPLE, openShop } from './support/shop.js';
import { certificate } from './support/tls.js';

const SEND = '/api/whatsapp/session/main/send';
const BULK = '/api/whatsapp/session/main/send-bulk';
const LOG = '/api/whatsapp/messages';

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
/** What a busy machine may add to a time. */
const LATE_MS = 5_000;
const KEY_LIFE_MS = 5_000 + LATE_MS;

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

/** The page's image by URL, and the same for another kind. Sound goes without a caption. */
function byUrl(kind) {
  const text = body('Media Messages', 'Send an image via URL').replace('//example.com/', `//${host.address}/`);
  const example = JSON.parse(text);
  if (kind === example.type) return { text, caption: example.message };
  const mediaUrl = example.mediaUrl.replace(/jpg$/, files[kind].extension);
  const caption = kind === 'audio' ? '' : example.message;
  return { text: JSON.stringify({ ...example, type: kind, mediaUrl, message: caption || undefined }), caption };
}

/** The page's document in base64, filled up, and the same for another kind. */
function byBase64(kind) {
  const example = shown('Media Messages', 'Send a PDF document');
  const { extension, mime, bytes } = files[kind];
  const mediaBase64 = bytes.toString('base64');
  if (kind === example.type) {
    assert.ok(mediaBase64.startsWith(example.mediaBase64.replace(/\.\.\.$/, '')), 'it begins as on the page');
    const text = body('Media Messages', 'Send a PDF document').replace(example.mediaBase64, mediaBase64);
    return { text, fileName: example.fileName };
  }
  const fileName = example.fileName.replace(/pdf$/, extension);
  return { text: JSON.stringify({ ...example, type: kind, mediaBase64, mediaMimeType: mime, fileName }), fileName };
}

const statusOf = (tenant, id) => get(tenant, `/api/whatsapp/session/${id}/status`);
const untilStatus = (tenant, id, word) =>
  until(`${id} to be ${word}`, async () => {
    const now = await statusOf(tenant, id);
    return now.status === word && now;
  });
/** What the page says of a pause: `(default: 2000)`. */
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

    // The page has a dashboard for it and says "immediately invalidated". We have a command, beside a gateway
    // that knows its keys by heart for 5 s.
    const { testKey } = await operate(gateway, 'key', 'rotate', tenant.key);
    const reset = Date.now();
    assert.equal((await asks(testKey))[0], 200);
    await until('the old key to be refused', async () => (await asks(tenant.key))[0] === 401);
    const lived = Date.now() - reset;
    assert.ok(lived < KEY_LIFE_MS, `the old key lived on for ${lived} ms`);
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
        const fault = { sessionId: session.id, kind: 'lookup_refused', count: 1_000 };
        await tenant.call('POST', '/api/sandbox/faults', fault);
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
    const [status, refused] = await send(0);
    assert.equal(status, 429);
    assertShown(refused, documented);
    // What the page does not say, and whoever waits wants to know.
    assert.ok(refused.retryAfter > 0 && refused.retryAfter <= 86_400, JSON.stringify(refused));
    assert.match(refused.resetAt, /T00:00:00\.000Z$/);
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
    const required = rows('Send Message').filter((field) => told('Send Message', field).includes('| Yes |'));
    assert.deepEqual(required, ['to', 'message']);
    for (const field of required) {
      const rest = JSON.stringify({ ...example, [field]: undefined });
      assertError(await ask(shop.tenant, 'POST', SEND, rest), 400, new RegExp(`^${field}: `));
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
      const { mime, bytes } = files[kind];
      const { text, caption } = byUrl(kind);
      const message = await sends(shop, text);
      assert.deepEqual([message.type, message.message, message.mimeType], [kind, caption, mime]);
      assert.deepEqual(await fileOf(shop, shop.phones[0], message), bytes);
    });

    test(`Media Messages: ${kind} by mediaBase64`, async (t) => {
      const shop = await openShop(t, gateway);
      const { mime, bytes } = files[kind];
      const { text, fileName } = byBase64(kind);
      const message = await sends(shop, text);
      assert.deepEqual([message.type, message.message, message.mimeType], [kind, '', mime]);
      // "Filename shown in WhatsApp (for documents)".
      if (kind === 'document') assert.equal(message.fileName, fileName);
      assert.deepEqual(await fileOf(shop, shop.phones[0], message), bytes);
    });
  }

  // The table says `message` of all four types: "optional caption", as of every send: "required".
  test('Media Messages: audio with the optional message', async (t) => {
    const shop = await openShop(t, gateway);
    const { message: caption } = shown('Media Messages', 'Send an image via URL');
    const message = await sends(shop, JSON.stringify({ ...JSON.parse(byUrl('audio').text), message: caption }));
    assert.equal(message.type, 'audio');
    assert.deepEqual(await fileOf(shop, shop.phones[0], message), files.audio.bytes);
  });

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
    const like = polls.find((poll) => poll.status === documented.status && poll.processed === documented.processed);
    assertShown(like ?? {}, documented);
    for (const poll of polls) assert.match(poll.status, /^(pending|running)$/);
    assertShown(done, { total: 3, succeeded: 3, failed: 0, processed: 3 });

    for (const phone of phones) assert.equal((await phone.shown(example.message)).message, example.message);
    const { messages } = await get(tenant, `${LOG}?jobId=${made.jobId}`);
    messages.reverse();
    assert.deepEqual(messages.map(({ to }) => to), example.recipients);
    const left = messages.map(({ createdAt }) => Date.parse(createdAt));
    const pauses = left.slice(1).map((time, at) => time - left[at]);
    const { delayMin, delayMax } = example;
    for (const pause of pauses) assert.ok(pause >= delayMin && pause < delayMax + LATE_MS, `${pauses} ms`);
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
    const url = (kind) => `https://${host.address}/invoice.${files[kind].extension}`;
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

  test('Message Logs: as many messages make as many pages as on the page', async (t) => {
    const { tenant, phones } = await openShop(t, gateway);
    const { messages: [documentedRow], ...counts } = shown('Message Logs');
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
