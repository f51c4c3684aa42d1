// whatsmeow against the sandbox: Go's client, which takes the protocol at its word and ends where it is broken.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Sandbox } from '../support/wapid.js';
import { until } from '../support/until.js';
import { Whatsmeow } from './support/whatsmeow.js';

const BOOK = 'whatsmeow';
const ANA = '15550000051';
const BEN = '15550000052';
const NOBODY = '15559999999';

let sandbox;
let whatsmeow;
let anaPhone;
let ben;
let ana;

before(async () => {
  sandbox = await Sandbox.start();
  anaPhone = await sandbox.phone(BOOK, ANA, 'Ana');
  // A name that looks like an address is a name.
  ben = await sandbox.phone(BOOK, BEN, 'ben@home');
  whatsmeow = new Whatsmeow(sandbox);
  ana = await whatsmeow.open('ana');
  await anaPhone.scan(await ana.qr());
  await ana.online();
});
after(async () => {
  await whatsmeow?.stop();
  await sandbox?.stop();
});

// It forgets a restart that it has not handled yet when its socket closes: one link of ten stayed offline.
test('whatsmeow comes back after every pairing', async () => {
  const link = async (name) => {
    const client = await whatsmeow.open(name);
    await anaPhone.scan(await client.qr());
    await client.online();
  };
  for (let round = 0; round < 4; round += 1) {
    await Promise.all([1, 2, 3].map((one) => link(`link-${round}-${one}`)));
  }
  const devices = await anaPhone.devices();
  assert.equal(devices.length, 13);
  await until('every device to be online', async () => (await anaPhone.devices()).every(({ connected }) => connected));
});

test('whatsmeow learns who is on WhatsApp', async () => {
  assert.deepEqual(await ana.call('isOnWhatsApp', `+${BEN}`, `+${NOBODY}`, BEN), {
    [`+${BEN}`]: { jid: `${BEN}@s.whatsapp.net`, isIn: true },
    [`+${NOBODY}`]: { jid: `${NOBODY}@s.whatsapp.net`, isIn: false },
    [BEN]: { jid: `${BEN}@s.whatsapp.net`, isIn: true },
  });
});

test('whatsmeow and a phone exchange texts', async () => {
  await ben.send(ANA, 'Good morning, Ana');
  assert.equal((await ana.received('Good morning, Ana')).pushName, 'ben@home');
  const id = await ana.call('send', BEN, 'Good morning, Ben');
  assert.equal((await ben.shown('Good morning, Ben')).id, id);
});

test('whatsmeow sets its about text, and reads it', async () => {
  await ana.call('setAbout', 'Open @ nine');
  assert.equal((await ben.sees(ANA)).about, 'Open @ nine');
  assert.equal(await ana.call('about', ANA), 'Open @ nine');
});

test('whatsmeow blocks somebody, and is answered with the list', async () => {
  const blocked = await ana.call('block', BEN);
  assert.equal(blocked.length, 1);
  assert.deepEqual(await ana.call('blocked'), blocked);
  assert.deepEqual(await ana.call('unblock', BEN), []);
});

test('whatsmeow comes back when it is told to', async () => {
  let times = 1;
  for (const kind of ['515', '503', 'drop']) {
    await anaPhone.fault(kind);
    await ana.online(++times);
  }
});

test('whatsmeow is logged out when the phone unlinks it', async () => {
  await anaPhone.unlink();
  await ana.loggedOut();
});
