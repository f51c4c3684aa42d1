// Baileys against the sandbox: another client, by other people, finds the network it expects.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { DisconnectReason, proto } from 'baileys';
import { curve } from 'libsignal';

import { Baileys } from './support/baileys.js';
import { until } from '../support/until.js';
import { Sandbox } from '../support/wapid.js';

const ANA = '15550000001';
const BEN = '15550000002';

let sandbox;
let books = 0;
const clients = [];

before(async () => {
  sandbox = await Sandbox.start();
});
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});
after(() => sandbox.stop());

/** Two phones that know each other and nobody else. */
async function book() {
  const name = `book-${++books}`;
  return { name, ana: await sandbox.phone(name, ANA, 'Ana'), ben: await sandbox.phone(name, BEN, 'Ben') };
}

function open(name) {
  const client = new Baileys(sandbox, name);
  clients.push(client);
  return client;
}

async function linked({ name }, phone) {
  const client = open(name);
  await phone.scan(await client.qr());
  await client.online();
  return client;
}

test('Baileys links by QR and comes back after the restart that WhatsApp asks for', async () => {
  const { name, ana } = await book();
  const client = open(name);
  await ana.scan(await client.qr());
  await client.online();
  assert.equal(client.phone, ANA);
  assert.deepEqual(client.closings(), [DisconnectReason.restartRequired]);
  const devices = await ana.devices();
  assert.equal(devices.length, 1);
  assert.equal(devices[0].connected, true);
});

test('Baileys links by a code that is typed into the phone', async () => {
  const { name, ana } = await book();
  const client = open(name);
  const code = await client.pairingCode(ANA);
  const wrong = code.startsWith('2') ? '3BCDEFGH' : '2BCDEFGH';
  await assert.rejects(ana.enterCode(wrong), { code: 'CODE_NOT_VALID' });
  await ana.enterCode(code);
  await client.online();
  assert.equal(client.phone, ANA);
  assert.deepEqual(client.closings(), [DisconnectReason.restartRequired]);
});

test('a phone and Baileys exchange texts', async () => {
  const people = await book();
  const client = await linked(people, people.ana);

  await people.ben.send(ANA, 'Good morning, Ana');
  const received = await client.received('Good morning, Ana');
  assert.equal(received.from, BEN);
  assert.equal(received.isFromMe, false);

  const id = await client.send(BEN, 'Good morning, Ben');
  const shown = await people.ben.shown('Good morning, Ben');
  assert.deepEqual(
    { id: shown.id, from: shown.from, fromMe: shown.fromMe, type: shown.type },
    { id, from: ANA, fromMe: false, type: 'text' },
  );
});

test('Baileys learns that its message was delivered and read', async () => {
  const people = await book();
  const client = await linked(people, people.ana);
  const id = await client.send(BEN, 'Did you see this?');
  await client.delivered(id);
  await people.ben.read(id);
  await client.read(id);
});

test('two Baileys clients talk to each other', async () => {
  const people = await book();
  const ana = await linked(people, people.ana);
  const ben = await linked(people, people.ben);
  const id = await ana.send(BEN, 'From one client to another');
  const received = await ben.received('From one client to another');
  assert.equal(received.from, ANA);
  await ana.delivered(id);
  await ben.markRead(received);
  await ana.read(id);
  await ben.send(ANA, 'And back');
  assert.equal((await ana.received('And back')).from, BEN);
});

test('what was sent while Baileys was away reaches it once when it is back', async () => {
  const people = await book();
  const client = await linked(people, people.ana);
  await people.ana.fault('drop');
  await people.ben.send(ANA, 'While you were away');
  await client.onlineAgain(3 - 1);
  const received = await client.received('While you were away');
  assert.equal(received.from, BEN);
  await people.ben.send(ANA, 'And now');
  await client.received('And now');
  assert.equal(client.copies('While you were away'), 1);
});

test('Baileys is logged out when the phone unlinks it', async () => {
  const people = await book();
  const client = await linked(people, people.ana);
  assert.deepEqual(await people.ana.unlink(), { unlinked: 1 });
  await client.closedWith(DisconnectReason.loggedOut);
  assert.deepEqual(await people.ana.devices(), []);
});

test('a Baileys that logs out leaves the phone', async () => {
  const people = await book();
  const client = await linked(people, people.ana);
  // Baileys does not wait for the answer.
  await client.logOut();
  await until('the phone to have no device', async () => (await people.ana.devices()).length === 0);
});

// Baileys asks for the chain but does not heed the answer: its `Curve.verify` waits for an exception
// where libsignal returns false (7.0.0-rc14), so it would talk to anybody. We check what it was shown.
test('the network shows a chain that its root signed, and no other', async () => {
  const shown = new Promise((seen) => {
    const { decode } = proto.CertChain;
    proto.CertChain.decode = (...bytes) => {
      proto.CertChain.decode = decode;
      const chain = decode(...bytes);
      seen(chain);
      return chain;
    };
  });
  const { name } = await book();
  await open(name).qr();
  const { leaf, intermediate } = await shown;
  const { key, issuerSerial } = proto.CertChain.NoiseCertificate.Details.decode(intermediate.details);
  const { key: serverKey } = proto.CertChain.NoiseCertificate.Details.decode(leaf.details);
  const isSigned = (by, { details, signature }) => curve.verifySignature(Buffer.concat([Buffer.from([5]), by]), details, signature);
  const root = Buffer.from(sandbox.rootKey, 'hex');
  assert.equal(issuerSerial, 0);
  assert.equal(isSigned(root, intermediate), true);
  assert.equal(isSigned(key, leaf), true);
  assert.equal(Buffer.from(serverKey).toString('hex'), sandbox.staticKey);
  assert.equal(isSigned(Buffer.alloc(32, 0xab), intermediate), false);
});
