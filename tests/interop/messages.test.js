// Every kind of message between a number on wapid and a person on Baileys, over a media host with HTTPS.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';

import { proto } from 'baileys';

import { Baileys } from './support/baileys.js';
import { Gateway, Sandbox } from '../support/wapid.js';
import { until } from '../support/until.js';

const SHOP = '15550000030';
const ANA = '15550000031';

const { WebMessageInfo } = proto;
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
// A real picture: both sides make a thumbnail of it.
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
  'base64',
);
const PDF = Buffer.concat([Buffer.from('%PDF-1.4\n'), Buffer.alloc(200_000, 'x'), Buffer.from('\n%%EOF\n')]);

let sandbox;
let gateway;
let tenant;
let shop;
let ana;

before(async () => {
  sandbox = await Sandbox.withMedia();
  gateway = await Gateway.start(sandbox);
  tenant = await gateway.tenant('shop');
  shop = await tenant.linked('main', await tenant.phone(SHOP, 'Shop'));
  const phone = await tenant.phone(ANA, 'Ana');
  ana = new Baileys(sandbox, tenant.id);
  await phone.scan(await ana.qr());
  await ana.online();
});
after(async () => {
  ana?.close();
  await gateway?.stop();
  await sandbox?.stop();
});

const send = async (body) => (await tenant.call('POST', '/api/whatsapp/session/main/send', { to: ANA, ...body })).messageId;

/** The first event of that type about a message. */
const told = (type, messageId) =>
  until(`${type} of ${messageId}`, async () => {
    const { events } = await tenant.call('GET', `/api/whatsapp/events?limit=1000&types=${type}`);
    return events.find(({ data }) => data.messageId === messageId)?.data;
  });

/** A file that arrived, once it is stored. */
const stored = (mediaId) =>
  until(`${mediaId} to be stored`, async () => {
    const file = await tenant.call('GET', `/api/whatsapp/media/${mediaId}`);
    return file.state === 'stored' && file;
  });

test('files arrive byte for byte, both ways', async () => {
  const image = await send({ type: 'image', mediaBase64: PNG.toString('base64'), message: 'Look' });
  const picture = await ana.message(image);
  assert.equal(picture.message.imageMessage.caption, 'Look');
  assert.deepEqual(await ana.download(picture), PNG);

  const document = await send({ type: 'document', mediaBase64: PDF.toString('base64'), fileName: 'bill.pdf', message: 'Yours' });
  const bill = await ana.message(document);
  const content = bill.message.documentWithCaptionMessage.message.documentMessage;
  assert.deepEqual([content.fileName, content.mimetype, content.caption], ['bill.pdf', 'application/pdf', 'Yours']);
  assert.deepEqual(await ana.download(bill), PDF);

  const hers = await ana.sendContent(SHOP, { image: PNG, caption: 'Mine', mimetype: 'image/png' });
  const data = await told('message.received', hers.key.id);
  assert.deepEqual([data.type, data.body, data.media.mimeType], ['image', 'Mine', 'image/png']);
  assert.equal((await stored(data.mediaId)).sha256, sha256(PNG));

  const file = await ana.sendContent(SHOP, { document: PDF, mimetype: 'application/pdf', fileName: 'order.pdf' });
  const order = await told('message.received', file.key.id);
  assert.deepEqual([order.type, order.media.fileName], ['document', 'order.pdf']);
  assert.equal((await stored(order.mediaId)).sha256, sha256(PDF));
});

test('polls go both ways', async () => {
  const ours = await send({ type: 'poll', message: 'Lunch?', options: ['Rice', 'Beans'] });
  const poll = await ana.message(ours);
  const creation = poll.message.pollCreationMessageV3;
  assert.deepEqual([creation.name, creation.options.map(({ optionName }) => optionName)], ['Lunch?', ['Rice', 'Beans']]);
  assert.equal(poll.message.messageContextInfo.messageSecret.length, 32);

  const hers = await ana.sendContent(SHOP, { poll: { name: 'When?', values: ['Now', 'Later'], selectableCount: 1 } });
  const data = await told('message.received', hers.key.id);
  assert.deepEqual([data.type, data.body, data.poll], ['poll', 'When?', { options: ['Now', 'Later'], selectableCount: 1 }]);
});

test('reactions go both ways', async () => {
  const id = await send({ message: 'Your order has shipped' });
  const { key } = await ana.received('Your order has shipped');
  const reaction = await ana.sendContent(SHOP, { react: { text: '🎉', key } });
  const data = await told('message.reaction', reaction.key.id);
  assert.deepEqual([data.targetId, data.targetFromMe, data.emoji], [id, true, '🎉']);

  const thanks = await ana.send(SHOP, 'Thank you');
  await shop.logged('her thanks', (row) => row.messageId === thanks);
  await send({ type: 'reaction', messageId: thanks, emoji: '👍' });
  assert.equal((await ana.reaction(thanks)).text, '👍');
});

test('edits and deletes go both ways', async () => {
  const id = await send({ message: 'We open at 8' });
  await ana.received('We open at 8');
  await send({ type: 'edit', messageId: id, message: 'We open at 9' });
  const { message } = await ana.update(id, ({ message }) => message?.editedMessage);
  assert.equal(message.editedMessage.message.conversation, 'We open at 9');
  await send({ type: 'delete', messageId: id });
  await ana.update(id, ({ messageStubType }) => messageStubType === WebMessageInfo.StubType.REVOKE);

  const { key } = await ana.sendContent(SHOP, { text: 'See you at 8' });
  await shop.logged('her plan', (row) => row.messageId === key.id);
  await ana.sendContent(SHOP, { text: 'See you at 9', edit: key });
  const edited = await shop.logged('her change', (row) => row.messageId === key.id && row.editedAt);
  assert.deepEqual([edited.message, edited.original], ['See you at 9', 'See you at 8']);
  await ana.sendContent(SHOP, { delete: key });
  await shop.logged('that it is gone', (row) => row.messageId === key.id && row.deletedAt);
});

test('an answer names what it answers, both ways', async () => {
  const question = await ana.send(SHOP, 'Do you deliver?');
  await shop.logged('her question', (row) => row.messageId === question);
  await send({ message: 'We do', quotedMessageId: question });
  const { id } = await ana.received('We do');
  const { extendedTextMessage } = (await ana.message(id)).message;
  assert.equal(extendedTextMessage.contextInfo.stanzaId, question);
  assert.equal(extendedTextMessage.contextInfo.quotedMessage.conversation, 'Do you deliver?');

  const reply = await ana.sendContent(SHOP, { text: 'Great' }, { quoted: await ana.message(id) });
  const data = await told('message.received', reply.key.id);
  assert.deepEqual([data.quoted.messageId, data.quoted.body], [id, 'We do']);
});
