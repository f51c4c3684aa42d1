// Baileys 6 against the sandbox: it switches its keys late, uploads in chunks, and reads two dictionaries.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';

import { DisconnectReason } from 'baileys6';

import { Sandbox } from '../support/wapid.js';
import { Baileys6, libraries } from './support/baileys6.js';

const ANA = '15550000061';
const BEN = '15550000062';

const sandbox = await Sandbox.withMedia();
const clients = [];
after(async () => {
  for (const client of clients) client.close();
  await sandbox.stop();
});

for (const version of Object.keys(libraries)) {
  describe(`Baileys ${version}`, async () => {
    const book = `baileys-${version}`;
    const open = () => {
      const client = new Baileys6(sandbox, book, version);
      clients.push(client);
      return client;
    };
    const anaPhone = await sandbox.phone(book, ANA, 'Ana');
    const ben = await sandbox.phone(book, BEN, 'Ben');
    const ana = open();

    test('links by QR and comes back after the restart', async () => {
      await anaPhone.scan(await ana.qr());
      await ana.online();
      assert.equal(ana.phone, ANA);
      assert.deepEqual(ana.closings(), [DisconnectReason.restartRequired]);
    });

    // It loses what comes before it has switched its keys; nothing but time tells the two moments apart.
    test('hears the first stanza of every connection', async () => {
      await Promise.all(Array.from({ length: 6 }, () => open().qr()));
      for (let nth = 2; nth < 5; nth += 1) {
        await anaPhone.fault('drop');
        await ana.onlineAgain(nth);
      }
    });

    test('exchanges texts with a phone', async () => {
      await ben.send(ANA, 'Good morning, Ana');
      const received = await ana.received('Good morning, Ana');
      assert.equal(received.isFromMe, false);
      const id = await ana.send(BEN, 'Good morning, Ben');
      assert.equal((await ben.shown('Good morning, Ben')).id, id);
      await ana.delivered(id);
    });

    test('uploads a file in chunks, and downloads one', async () => {
      const document = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
      const sent = await ana.sendContent(BEN, { document, mimetype: 'application/pdf', fileName: 'offer.pdf' });
      await ben.shown(({ id }) => id === sent.key.id);
      assert.deepEqual(await ben.media(sent.key.id), document);

      const mediaBase64 = document.toString('base64');
      const id = await ben.send(ANA, { type: 'document', mediaBase64, mimeType: 'application/pdf' });
      assert.deepEqual(await ana.download(await ana.message(id)), document);
    });
  });
}
