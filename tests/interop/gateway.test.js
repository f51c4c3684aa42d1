// A number on wapid and a person on Baileys: two clients that share no code meet on the sandbox.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { DisconnectReason } from 'baileys';

import { Baileys } from './support/baileys.js';
import { Gateway, Sandbox } from '../support/wapid.js';

const SHOP = '15550000010';
const ANA = '15550000011';
const BEN = '15550000012';

let sandbox;
let gateway;
let tenant;
let shop;
let shopPhone;
const people = [];

before(async () => {
  sandbox = await Sandbox.start();
  gateway = await Gateway.start(sandbox);
  tenant = await gateway.tenant('shop');
  shopPhone = await tenant.phone(SHOP, 'Shop');
  shop = await tenant.linked('main', shopPhone);
});
after(async () => {
  for (const person of people) person.close();
  await gateway?.stop();
  await sandbox?.stop();
});

/** Somebody whose phone is in this tenant's book and whose Baileys is linked to it. */
async function person(number, name, link) {
  const phone = await tenant.phone(number, name);
  const client = new Baileys(sandbox, tenant.id);
  people.push(client);
  await link(client, phone);
  await client.online();
  assert.equal(client.phone, number);
  assert.deepEqual(client.closings(), [DisconnectReason.restartRequired]);
  return client;
}

const byQr = async (client, phone) => phone.scan(await client.qr());
const byCode = async (client, phone) => phone.enterCode(await client.pairingCode(phone.number));

for (const [how, link, number, name] of [
  ['QR', byQr, ANA, 'Ana'],
  ['a typed code', byCode, BEN, 'Ben'],
]) {
  test(`a session and a Baileys that linked by ${how} exchange texts and receipts`, async () => {
    const client = await person(number, name, link);

    const id = await shop.send(number, `Hello ${name}, this is the shop`);
    const received = await client.received(`Hello ${name}, this is the shop`);
    assert.deepEqual([received.id, received.from, received.isFromMe], [id, SHOP, false]);
    const isOurs = (row) => row.messageId === id;
    const delivered = await shop.logged('the delivery', (row) => isOurs(row) && row.status === 'delivered');
    assert.deepEqual([delivered.direction, delivered.to, delivered.from], ['out', number, SHOP]);
    await client.markRead(received);
    const read = await shop.logged('the reading', (row) => isOurs(row) && row.status === 'read');
    assert.ok(read.deliveredAt <= read.readAt, `delivered ${read.deliveredAt}, read ${read.readAt}`);

    const reply = await client.send(SHOP, `Hello shop, this is ${name}`);
    const logged = await shop.logged('the reply', (row) => row.messageId === reply);
    assert.deepEqual(
      [logged.direction, logged.from, logged.to, logged.message, logged.type, logged.status],
      ['in', number, SHOP, `Hello shop, this is ${name}`, 'text', 'received'],
    );
    await client.delivered(reply);
    await shopPhone.read(reply);
    await client.read(reply);
    assert.equal(client.copies(`Hello ${name}, this is the shop`), 1);
  });
}

test('two people who never met before write through the shop, each to the right chat', async () => {
  const [ana, ben] = people;
  const toAna = await shop.send(ANA, 'Only for Ana');
  const toBen = await shop.send(BEN, 'Only for Ben');
  assert.equal((await ana.received('Only for Ana')).id, toAna);
  assert.equal((await ben.received('Only for Ben')).id, toBen);
  assert.equal(ana.copies('Only for Ben') + ben.copies('Only for Ana'), 0);
});

test('what the shop sent while Baileys was away reaches it once', async () => {
  const [ana] = people;
  await tenant.call('POST', '/api/sandbox/faults', { phone: ANA, sessionId: 'main', kind: 'drop' });
  const id = await shop.send(ANA, 'You were away');
  await ana.onlineAgain();
  assert.equal((await ana.received('You were away')).id, id);
  await shop.logged('the late delivery', (row) => row.messageId === id && row.status === 'delivered');
  await shop.send(ANA, 'Now you are back');
  await ana.received('Now you are back');
  assert.equal(ana.copies('You were away'), 1);
});

test('Baileys is logged out when the phone unlinks it, and the session stays', async () => {
  const [, ben] = people;
  const phone = await sandbox.phone(tenant.id, BEN, 'Ben');
  assert.deepEqual(await phone.unlink(), { unlinked: 1 });
  await ben.closedWith(DisconnectReason.loggedOut);
  const status = await tenant.call('GET', '/api/whatsapp/session/main/status');
  assert.equal(status.status, 'ready');
});
