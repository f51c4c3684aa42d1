// Somebody who means harm writes to a number, in a chat of two and in a group that both are in: whatever they put into
// a message, the number stays ready and reads what others write, and nothing is fetched from where they say.
//
// `WAPID_TEST_FULL=1` walks every field of every kind.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { MARK, SORTS, change, isRead, kinds } from './support/hostile.js';
import { BEN, EVE, IS_FULL, LOG, SHOP, Story, jid, said } from './support/story.js';

for (const engine of ['sqlite', 'postgres']) {
  describe(`on ${engine}`, () => {
    const story = new Story(engine);
    before(() => story.begin());
    after(() => story.end());

    test('every kind of message with every sort of nonsense in all its fields', async () => {
      // What is not read field by field gets two sorts of the six, by turns.
      const isChosen = (kind, at, sort) => IS_FULL || isRead(kind) || (at + sort) % 3 === 0;
      const sorts = (kind, at) => SORTS.filter((_, sort) => isChosen(kind, at, sort));
      await story.survives((hostile) => kinds().flatMap((kind, at) => sorts(kind, at).map((sort) => hostile.packed(kind, sort))));
    });

    test('every field of what is read, by itself', async () => {
      const walked = IS_FULL ? kinds() : kinds().filter(isRead);
      for (const kind of walked) {
        const each = IS_FULL && isRead(kind);
        await story.delivers((hostile) => [...hostile.singles(kind, { each })]);
      }
      await story.isWell();
    });

    test('texts and bytes of a megabyte', async () => {
      const walked = kinds().filter(isRead).filter((_, at) => IS_FULL || at % 4 === 1);
      await story.survives((hostile) => walked.flatMap((kind) => [...hostile.large(kind, { each: IS_FULL })]));
    });

    test('lists without an end, and messages in messages', async () => {
      await story.survives((hostile) => [...hostile.crowded(), ...hostile.deep()]);
    });

    test('what is no message at all', async () => {
      await story.survives((hostile) => [...hostile.noise()]);
    });

    test('ids, types and attributes of a stanza', async () => {
      await story.survives((hostile) => [...hostile.ids()]);
      for (const name of [`a\0${MARK}`, '\0', '\u202e\r\n', `=${MARK}`, '../..', '😀'.repeat(25)]) {
        await story.eve.sendStanza({ tag: 'presence', attrs: { type: 'available', name } });
        await story.eve.deliver(jid(SHOP), said(`${MARK} from somebody of another name`));
      }
      await story.isWell();
    });

    test('receipts and typing of what is nobody’s', async () => {
      const told = await story.shop.send(BEN, 'For Ben alone');
      await story.ben.shown('For Ben alone');
      const item = (id) => ({ tag: 'item', attrs: { id } });
      const ids = [told, 'A\0B', '\0', '', '../../etc/passwd', 'x'.repeat(5_000), 'é'];
      for (const id of ids) {
        for (const type of ['read', 'played', 'retry', 'server-error', 'sender', 'inactive', 'A\0B']) {
          const retry = { tag: 'retry', attrs: { id, count: '99999', t: '-1', v: '1' } };
          const content = type === 'retry' ? [retry] : [{ tag: 'list', attrs: {}, content: ids.map(item) }];
          for (const to of [jid(SHOP), ...(await story.eve.devicesOf(jid(SHOP)))]) {
            await story.eve.sendStanza({ tag: 'receipt', attrs: { id, to, type }, content });
          }
          await story.eve.sendStanza({ tag: 'receipt', attrs: { id, to: story.group, participant: jid(SHOP), type }, content });
        }
      }
      const many = Array.from({ length: 10_000 }, (_, at) => item(`A${at}`));
      const attrs = { id: told, to: jid(SHOP), type: 'read' };
      await story.eve.sendStanza({ tag: 'receipt', attrs, content: [{ tag: 'list', attrs: {}, content: many }] });
      await story.eve.sendStanza({ tag: 'chatstate', attrs: { to: jid(SHOP) }, content: [{ tag: 'composing', attrs: { media: 'A\0B' } }] });
      await story.isWell();
      assert.equal(story.eve.copies('For Ben alone'), 0, 'what Ben was told came to somebody who asked for it');
      const { status } = await story.row(told);
      assert.notEqual(status, 'read', 'somebody else read it for Ben');
    });

    test('what only an account’s own phone may say', async () => {
      await story.survives((hostile) => [...hostile.impersonations(jid(BEN))]);
      const { messages } = await story.tenant.call('GET', `${LOG}?search=forged&limit=100`);
      const taken = messages.filter(({ direction, chat, phone }) => direction === 'out' || chat?.startsWith(BEN) || phone === BEN);
      assert.deepEqual(taken, [], 'what somebody else says that we sent is in the log');
    });

    test('changes of what others wrote change nothing', async () => {
      const ours = await story.shop.send(BEN, 'The price is 10');
      const private_ = await story.shop.send(EVE, 'Yours is 11');
      const bens = await story.benWrites(SHOP, 'I take two');
      const inGroup = await story.benWrites(story.group, 'Who else?');
      const oursInGroup = await story.shop.send(story.group, 'We do not');
      const rows = [ours, private_, bens, inGroup, oursInGroup];
      const was = await story.words(rows);
      const chats = [jid(BEN), jid(EVE), jid(SHOP), story.group, 'status@broadcast', 'A\0B', undefined];
      const keys = rows.flatMap((id) =>
        chats.flatMap((remoteJid) =>
          [jid(BEN), jid(SHOP), jid(EVE), story.lids.ben, story.lids.shop, 'A\0B', undefined].flatMap((participant) =>
            [true, false].map((fromMe) => ({ id, remoteJid, participant, fromMe })),
          ),
        ),
      );
      const some = IS_FULL ? keys : keys.filter((_, at) => at % 17 === 0);
      const odd = ['A\0B', '\0', '', undefined, '../..'].map((id) => ({ id, remoteJid: jid(SHOP), fromMe: true }));
      const isReaction = ({ way }) => way === 'reactionMessage';
      await story.survives((hostile) => [...hostile.changes([...some, ...odd])].filter((one) => !isReaction(one)));
      await story.survives((hostile) => [...hostile.changes(odd)]);
      assert.deepEqual(await story.words(rows), was);
    });

    test('a member who is no admin takes back nothing that others wrote', async () => {
      const bens = await story.benWrites(story.group, 'Meet at 9');
      const ours = await story.shop.send(story.group, 'We come at 9');
      const was = await story.words([bens, ours]);
      for (const [id, participants] of [[bens, [story.lids.ben, jid(BEN)]], [ours, [story.lids.shop, jid(SHOP)]]]) {
        for (const participant of participants) {
          const key = { id, remoteJid: story.group, participant, fromMe: false };
          for (const attributes of [{}, { edit: '7' }, { edit: '8' }]) {
            await story.eve.deliver(story.group, change('protocolMessage', 'REVOKE', key), { attributes });
          }
        }
      }
      await story.isWell();
      assert.deepEqual(await story.words([bens, ours]), was);
      // The same takes back what is her own.
      const own = await story.eve.deliver(story.group, said('I come at 10'));
      const key = { id: own, remoteJid: story.group, fromMe: true };
      await story.eve.deliver(story.group, change('protocolMessage', 'REVOKE', key), { attributes: { edit: '7' } });
      await story.shop.logged('that it is gone', (row) => row.messageId === own && row.deletedAt);
    });

    test('a member edits nothing that others wrote', async () => {
      const bens = await story.benWrites(story.group, 'It costs 20');
      const ours = await story.shop.send(story.group, 'It costs 30');
      const was = await story.words([bens, ours]);
      for (const [id, participants] of [[bens, [story.lids.ben, jid(BEN)]], [ours, [story.lids.shop, jid(SHOP)]]]) {
        for (const participant of [...participants, undefined]) {
          for (const fromMe of [true, false]) {
            const key = { id, remoteJid: story.group, participant, fromMe };
            for (const attributes of [{}, { edit: '1' }]) {
              await story.eve.deliver(story.group, change('protocolMessage', 'MESSAGE_EDIT', key), { attributes });
            }
          }
        }
      }
      await story.isWell();
      assert.deepEqual(await story.words([bens, ours]), was);
    });

    test('in a chat of two the other takes back and edits nothing of ours', async () => {
      const ours = await story.shop.send(EVE, 'You owe us 40');
      await story.eve.received('You owe us 40');
      const was = await story.words([ours]);
      for (const type of ['REVOKE', 'MESSAGE_EDIT']) {
        for (const fromMe of [true, false]) {
          for (const participant of [undefined, jid(SHOP), jid(EVE), story.lids.shop]) {
            for (const attributes of [{}, { edit: '1' }, { edit: '7' }, { edit: '8' }]) {
              const key = { id: ours, remoteJid: jid(SHOP), participant, fromMe };
              await story.eve.deliver(jid(SHOP), change('protocolMessage', type, key), { attributes });
            }
          }
        }
      }
      await story.isWell();
      assert.deepEqual(await story.words([ours]), was);
      // The same changes what is her own.
      const own = await story.eve.deliver(jid(SHOP), said('I owe you 40'));
      const key = { id: own, remoteJid: jid(SHOP), fromMe: true };
      await story.eve.deliver(jid(SHOP), change('protocolMessage', 'MESSAGE_EDIT', key), { attributes: { edit: '1' } });
      await story.shop.logged('the change', (row) => row.messageId === own && row.editedAt);
    });

    test('all that is kept is read to its end', async () => {
      await story.readsAll();
    });
  });
}
