// Baileys and simulated phones: media over HTTPS, polls, reactions, edits, deletions, both ways.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';

import { decryptPollVote, proto } from 'baileys';

import { Baileys } from './support/baileys.js';
import { Sandbox } from '../support/wapid.js';

const ANA = '15550000021';
const BEN = '15550000022';

const { WebMessageInfo } = proto;
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const bytes = (count) => Buffer.from(Array.from({ length: count }, (_, index) => (index * 31 + Math.floor(index / 251)) % 256));

let sandbox;
let ana;
let ben;
let client;

before(async () => {
  sandbox = await Sandbox.withMedia();
  ana = await sandbox.phone('kinds', ANA, 'Ana');
  ben = await sandbox.phone('kinds', BEN, 'Ben');
  client = new Baileys(sandbox, 'kinds');
  await ana.scan(await client.qr());
  await client.online();
});
after(async () => {
  client?.close();
  await sandbox?.stop();
});

test('Baileys downloads the picture and the document that a phone sent', async () => {
  const picture = bytes(70_001);
  const image = await ben.send(ANA, {
    type: 'image',
    mediaBase64: picture.toString('base64'),
    message: 'Look',
    width: 640,
    height: 480,
  });
  const received = await client.message(image);
  const { caption, mimetype, width, height } = received.message.imageMessage;
  assert.deepEqual([caption, mimetype, width, height], ['Look', 'image/jpeg', 640, 480]);
  assert.deepEqual(await client.download(received), picture);

  const bill = bytes(300_000);
  const document = await ben.send(ANA, {
    type: 'document',
    mediaBase64: bill.toString('base64'),
    message: 'The bill',
    fileName: 'bill.pdf',
    mimeType: 'application/pdf',
  });
  const sent = await client.message(document);
  const content = sent.message.documentWithCaptionMessage.message.documentMessage;
  assert.deepEqual([content.fileName, content.mimetype, content.caption], ['bill.pdf', 'application/pdf', 'The bill']);
  assert.deepEqual(await client.download(sent), bill);
});

test('a phone downloads the picture and the document that Baileys sent', async () => {
  // A real one: Baileys makes a thumbnail of it.
  const png = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
    'base64',
  );
  const image = await client.sendContent(BEN, { image: png, caption: 'Look', mimetype: 'image/png' });
  const shown = await ben.shown(({ id }) => id === image.key.id);
  assert.deepEqual(
    [shown.type, shown.message, shown.mimeType, shown.size, shown.mediaSha256],
    ['image', 'Look', 'image/png', png.length, sha256(png)],
  );
  assert.deepEqual(await ben.media(image.key.id), png);
  // The copy on the sender's own phone.
  const own = await ana.shown(({ id }) => id === image.key.id);
  assert.deepEqual([own.fromMe, own.mediaSha256], [true, sha256(png)]);

  const bill = bytes(300_000);
  const document = await client.sendContent(BEN, { document: bill, mimetype: 'application/pdf', fileName: 'bill.pdf' });
  const file = await ben.shown(({ id }) => id === document.key.id);
  assert.deepEqual([file.type, file.fileName, file.mediaSha256], ['document', 'bill.pdf', sha256(bill)]);
  assert.deepEqual(await ben.media(document.key.id), bill);
});

test('what expired at the host, Baileys gets from its own phone', async () => {
  const picture = bytes(5_000);
  const id = await ben.send(ANA, { type: 'image', mediaBase64: picture.toString('base64') });
  const received = await client.message(id);
  await ana.fault('media_expired');
  assert.deepEqual(await client.download(received), picture);
});

test('a phone votes in a poll of Baileys, and Baileys gets the poll of a phone', async () => {
  const poll = await client.sendContent(BEN, {
    poll: { name: 'Lunch?', values: ['Pizza', 'Soup'], selectableCount: 1 },
  });
  const { id } = poll.key;
  const shown = await ben.shown((message) => message.id === id);
  assert.deepEqual([shown.type, shown.message, shown.options, shown.selectableCount], ['poll', 'Lunch?', ['Pizza', 'Soup'], 1]);
  const vote = await client.message(await ben.send(ANA, { type: 'vote', messageId: id, votes: ['Soup'] }));
  const update = vote.message.pollUpdateMessage;
  assert.equal(update.pollCreationMessageKey.id, id);
  const { selectedOptions } = decryptPollVote(update.vote, {
    pollEncKey: poll.message.messageContextInfo.messageSecret,
    pollCreatorJid: `${ANA}@s.whatsapp.net`,
    pollMsgId: id,
    voterJid: `${BEN}@s.whatsapp.net`,
  });
  assert.deepEqual(selectedOptions.map((hash) => Buffer.from(hash).toString('hex')), [sha256('Soup')]);
  const voted = await ana.shown((message) => message.id === id && message.votes.Soup.length > 0);
  assert.deepEqual(voted.votes, { Pizza: [], Soup: [BEN] });

  const dinner = await ben.send(ANA, { type: 'poll', message: 'Dinner?', options: ['Fish', 'Rice'], selectableCount: 2 });
  const received = await client.message(dinner);
  assert.deepEqual(received.message.pollCreationMessage.options.map(({ optionName }) => optionName), ['Fish', 'Rice']);
  assert.equal(received.message.messageContextInfo.messageSecret.length, 32);
});

test('reactions go both ways', async () => {
  const hello = await ben.send(ANA, 'Hello, Ana');
  const { key } = await client.received('Hello, Ana');
  await client.sendContent(BEN, { react: { text: '🎉', key } });
  const shown = await ben.shown(({ id, reactions }) => id === hello && reactions);
  assert.deepEqual(shown.reactions, [{ from: ANA, emoji: '🎉' }]);

  const answer = await client.send(BEN, 'Hello, Ben');
  await ben.shown('Hello, Ben');
  await ben.send(ANA, { type: 'reaction', messageId: answer, emoji: '👍' });
  const { text, key: by } = await client.reaction(answer);
  assert.deepEqual([text, by.fromMe], ['👍', false]);
});

test('edits and deletions go both ways', async () => {
  const { key } = await client.sendContent(BEN, { text: 'Helo' });
  await ben.shown('Helo');
  await client.sendContent(BEN, { text: 'Hello', edit: key });
  const edited = await ben.shown(({ id, edited }) => id === key.id && edited);
  assert.equal(edited.message, 'Hello');
  await client.sendContent(BEN, { delete: key });
  const deleted = await ben.shown(({ id, deleted }) => id === key.id && deleted);
  assert.equal(deleted.message, '');

  const bye = await ben.send(ANA, 'Good by');
  await client.received('Good by');
  await ben.send(ANA, { type: 'edit', messageId: bye, message: 'Good bye' });
  const { message } = await client.update(bye, ({ message }) => message?.editedMessage);
  assert.equal(message.editedMessage.message.conversation, 'Good bye');
  await ben.send(ANA, { type: 'delete', messageId: bye });
  const gone = await client.update(bye, ({ messageStubType }) => messageStubType === WebMessageInfo.StubType.REVOKE);
  assert.equal(gone.message, null);
});
