// A session of wapid, a Baileys and a phone in one group: sender keys of three kinds of client, both ways.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Baileys } from './support/baileys.js';
import { Gateway, Sandbox } from '../support/wapid.js';

const SHOP = '15550000010';
const ANA = '15550000011';
const BEN = '15550000012';

let sandbox;
let gateway;
let tenant;
let shop;
let ana;
let ben;

before(async () => {
  sandbox = await Sandbox.start();
  gateway = await Gateway.start(sandbox);
  tenant = await gateway.tenant('shop');
  shop = await tenant.linked('main', await tenant.phone(SHOP, 'Shop'));
  ben = await tenant.phone(BEN, 'Ben');
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

/** Everybody writes, everybody reads. */
async function talk(group, round) {
  const texts = { shop: `From the shop, ${round}`, ana: `From Ana, ${round}`, ben: `From Ben, ${round}` };
  const sent = await shop.send(group, texts.shop);
  assert.deepEqual(await received(ana, group, texts.shop), { id: sent, from: SHOP, isFromMe: false });
  assert.equal((await ben.shown(texts.shop)).from, SHOP);

  const written = await ana.sendToGroup(group, texts.ana);
  const row = await shop.logged('what Ana wrote', ({ messageId }) => messageId === written);
  assert.deepEqual([row.direction, row.phone, row.message], ['in', ANA, texts.ana]);
  assert.equal((await ben.shown(texts.ana)).from, ANA);

  await ben.send(group, texts.ben);
  assert.equal((await received(ana, group, texts.ben)).from, BEN);
  assert.equal((await shop.logged('what Ben wrote', ({ message }) => message === texts.ben)).phone, BEN);
  for (const text of Object.values(texts)) assert.ok(ana.copies(text) <= 1, `${text} came twice`);
}

async function received(client, group, text) {
  const { id, from, isFromMe } = await client.receivedIn(group, text);
  return { id, from, isFromMe };
}

test('a group that the session made is one for Baileys and for a phone', async () => {
  const made = await shop.call('POST', '/groups', { subject: 'By the shop', participants: [ANA, BEN] });
  const group = made.group.groupId;
  assert.equal(await ana.groupCalled('By the shop'), group);
  const seen = await ana.group(group);
  assert.deepEqual([seen.subject, seen.participants.length, seen.addressingMode], ['By the shop', 3, 'lid']);
  for (const round of ['once', 'again', 'and again']) await talk(group, `the shop's group, ${round}`);
});

test('a group that Baileys made is one for the session and for a phone', async () => {
  const group = await ana.createGroup('By Ana', [SHOP, BEN]);
  const read = await shop.call('GET', `/groups/${group}`);
  assert.deepEqual([read.subject, read.size, read.role, read.owner.phone], ['By Ana', 3, 'member', ANA]);
  for (const round of ['once', 'again']) await talk(group, `Ana's group, ${round}`);
});

test('the status of a message to a group goes by what its members tell', async () => {
  const made = await shop.call('POST', '/groups', { subject: 'Of two', participants: [ANA] });
  const id = await shop.send(made.group.groupId, 'Do you read this?');
  const message = await ana.receivedIn(made.group.groupId, 'Do you read this?');
  await shop.logged('the delivery', (row) => row.messageId === id && row.status === 'delivered');
  await ana.markRead(message);
  await shop.logged('the reading', (row) => row.messageId === id && row.status === 'read');
});

test('who is removed reads nothing more, and who comes reads what comes', async () => {
  const group = await ana.createGroup('Coming and going', [SHOP]);
  await ana.sendToGroup(group, 'Two of us');
  await shop.logged('the first text', ({ message }) => message === 'Two of us');
  assert.deepEqual((await ana.changeParticipants(group, [BEN], 'add')).map(({ status }) => status), ['200']);
  await talk(group, 'three of us');
  assert.deepEqual((await ana.changeParticipants(group, [SHOP], 'remove')).map(({ status }) => status), ['200']);
  await ana.sendToGroup(group, 'Two of us again');
  await ben.shown('Two of us again');
  await assert.rejects(shop.send(group, 'Am I in?'), { code: 'NOT_IN_GROUP' });
  // A direct message is behind whatever the group would have brought.
  await ana.send(SHOP, 'In private');
  await shop.logged('the private text', ({ message }) => message === 'In private');
  const { messages } = await tenant.call('GET', '/api/whatsapp/messages?limit=100');
  assert.equal(messages.some(({ message }) => message === 'Two of us again'), false);
});

test('a message that Baileys cannot open is sent to it again', async () => {
  const made = await shop.call('POST', '/groups', { subject: 'Noisy line', participants: [ANA, BEN] });
  const group = made.group.groupId;
  await shop.send(group, 'Clear');
  await ana.receivedIn(group, 'Clear');
  await tenant.call('POST', '/api/sandbox/faults', { phone: ANA, sessionId: 'main', kind: 'corrupt_delivery' });
  await shop.send(group, 'Spoiled');
  await ana.receivedIn(group, 'Spoiled');
  await shop.send(group, 'Clear again');
  await ana.receivedIn(group, 'Clear again');
  await tenant.call('POST', '/api/sandbox/faults', { phone: SHOP, sessionId: 'main', kind: 'corrupt_delivery' });
  await ana.sendToGroup(group, 'Spoiled for the shop');
  await shop.logged('what was spoiled', ({ message }) => message === 'Spoiled for the shop');
  await tenant.call('POST', '/api/sandbox/faults', { phone: BEN, sessionId: 'main', kind: 'lose_sessions' });
  await ana.sendToGroup(group, 'Lost by Ben');
  await ben.shown('Lost by Ben');
});
