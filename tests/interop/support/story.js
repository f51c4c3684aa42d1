// One gateway with a shop on it, somebody who writes the shop bad things, and others who go on as if nothing was.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';

import { database } from './database.js';
import { Hostile, MARK, kinds } from './hostile.js';
import { Message, written } from './schema.js';
import { Stranger } from './stranger.js';
import { Trap } from './trap.js';
import { Gateway, Sandbox } from '../../support/wapid.js';
import { until } from '../../support/until.js';

export const SHOP = '15550000040';
export const EVE = '15550000041';
export const BEN = '15550000042';
const CAT = '15550000043';

/** `WAPID_TEST_FULL=1` walks every field of every kind. */
export const IS_FULL = process.env.WAPID_TEST_FULL === '1';
export const LOG = '/api/whatsapp/messages';
/** By how much the gateway may grow over all that it is sent. */
const GROWTH_MAX = 300 << 20;

export const jid = (number) => `${number}@s.whatsapp.net`;
export const said = (text) => written(Message.fields.conversation, () => Buffer.from(text));

export class Story {
  #round = 0;
  #turn = 0;
  /** Where its reader of events is, and the ids of the texts that it was told. */
  #after = 0;
  #heard = new Map();

  constructor(engine) {
    this.engine = engine;
  }

  async begin() {
    this.trap = await Trap.set();
    this.database = await database(this.engine);
    this.sandbox = await Sandbox.withMedia();
    this.gateway = await Gateway.start(this.sandbox, this.database.settings);
    this.tenant = await this.gateway.tenant('shop');
    this.shop = await this.tenant.linked('main', await this.tenant.phone(SHOP, 'Shop'));
    this.ben = await this.tenant.phone(BEN, 'Ben');
    await this.tenant.phone(CAT, 'Cat');
    const phone = await this.tenant.phone(EVE, 'Eve');
    this.eve = new Stranger(this.sandbox, this.tenant.id);
    await phone.scan(await this.eve.qr());
    await this.eve.online();
    const made = await this.shop.call('POST', '/groups', { subject: 'Neighbours', participants: [EVE, BEN] });
    this.group = made.group.groupId;
    await this.eve.groupCalled('Neighbours');
    const { participants } = await this.eve.group(this.group);
    const lid = (number) => participants.find(({ phoneNumber }) => phoneNumber?.startsWith(number))?.id;
    this.lids = { shop: lid(SHOP), ben: lid(BEN) };
    assert.ok(this.lids.shop && this.lids.ben, 'the group names its members');
    // Keys are exchanged once, as in any conversation.
    await this.eve.sendToGroup(this.group, 'Hello, all');
    await this.eve.send(SHOP, 'Hello, shop');
    await this.logged('Hello, all');
    const hello = await this.logged('Hello, shop');
    await this.shop.send(EVE, 'Hello, Eve');
    await this.eve.received('Hello, Eve');
    this.hostile = new Hostile(this.trap, { id: hello.messageId, chat: jid(SHOP), person: jid(BEN) });
    this.states = await this.#states();
    this.memory = this.#memory();
  }

  async end() {
    this.eve?.close();
    await this.gateway?.stop();
    await this.sandbox?.stop();
    await this.database?.drop();
    this.trap?.close();
  }

  async survives(make) {
    await this.delivers(make);
    await this.isWell();
  }

  /** By turns to the chat of two and to the group; in the long walk each to both. */
  async delivers(make) {
    const all = make(this.hostile);
    assert.ok(all.length > 0, 'nothing hostile was made');
    const half = (turn) => all.filter((_, at) => IS_FULL || (at + turn) % 2 === 0);
    const turn = this.#turn++;
    await this.eve.deliverAll(jid(SHOP), half(turn));
    await this.eve.deliverAll(this.group, half(turn + 1));
  }

  /** Everything that must be true whatever came. */
  async isWell() {
    const round = ++this.#round;
    const honest = [`Eve is honest, ${round}`, `Eve tells all, ${round}`, `Ben writes, ${round}`];
    await this.eve.deliver(jid(SHOP), said(honest[0]));
    await this.eve.deliver(this.group, said(honest[1]));
    await this.ben.send(SHOP, honest[2]);
    for (const text of honest) await this.logged(text);
    const sent = await this.shop.send(CAT, `Sent, ${round}`);
    await this.shop.logged('what was sent', (row) => row.messageId === sent && row.status === 'delivered');
    assert.equal((await this.shop.call('GET', '/status')).status, 'ready');
    assert.deepEqual(await this.#states(), this.states, 'the session was not ready all the time');
    await this.#answersEverywhere();
    assert.equal(this.trap.visits, 0, 'somebody called where the messages lead');
    const { said: log } = this.gateway.process;
    for (const word of ['panicked', MARK, 'Eve is honest', EVE, BEN]) {
      assert.equal(log.includes(word), false, `the log has "${word}":\n${lineWith(log, word)}`);
    }
    const grown = this.#memory() - this.memory;
    assert.ok(grown < GROWTH_MAX, `the gateway grew by ${grown >> 20} MiB`);
  }

  async #answersEverywhere() {
    const { messages } = await this.tenant.call('GET', `${LOG}?limit=100`);
    // Those whose ids are the strangest are among the newest.
    for (const { messageId } of messages.slice(0, 40)) {
      await this.tenant.call('GET', `${LOG}/${encodeURIComponent(messageId)}`);
    }
    for (const path of [
      `${LOG}?search=${MARK}&limit=20`,
      `${LOG}?chat=${encodeURIComponent(this.group)}&limit=20`,
      '/api/whatsapp/events?limit=100',
      '/api/whatsapp/session/main/chats',
      `/api/whatsapp/session/main/chats/${encodeURIComponent(jid(EVE))}/messages?limit=20`,
      '/api/whatsapp/session/main/contacts',
      '/api/whatsapp/session/main/groups',
      `/api/whatsapp/session/main/groups/${encodeURIComponent(this.group)}`,
      '/api/whatsapp/media',
      '/api/whatsapp/sessions',
    ]) {
      await this.tenant.call('GET', path);
    }
  }

  /** The whole log, its events and its files: as JSON, without a gap. */
  async readsAll() {
    const headers = { 'x-api-key': this.tenant.key };
    const get = async (path) => {
      const response = await fetch(`${this.gateway.url}${path}`, { headers });
      assert.equal(response.status, 200, path);
      return response.text();
    };
    const lines = (await get(`${LOG}/export?format=jsonl`)).trimEnd().split('\n').map((line) => JSON.parse(line));
    const last = lines.pop();
    assert.deepEqual([last.end, last.count], [true, lines.length]);
    assert.ok(lines.length > kinds().length, `only ${lines.length} messages are kept`);
    assert.ok((await get(`${LOG}/export?format=csv`)).length > 0);
    for (let after = 0; ; ) {
      const { events, nextAfter } = JSON.parse(await get(`/api/whatsapp/events?limit=1000&after=${after}`));
      if (!events.length) return;
      after = nextAfter;
    }
  }

  /** A honest message of Ben's, once it is in the log. */
  async benWrites(to, text) {
    await this.ben.send(to, text);
    return (await this.logged(text)).messageId;
  }

  /** The row of a message that came with this text, once its event has told of it. */
  async logged(text) {
    const messageId = await until(`"${text}" to be told`, async () => {
      const { events, nextAfter } = await this.tenant.call('GET', `/api/whatsapp/events?limit=1000&after=${this.#after}&types=message.received`);
      this.#after = nextAfter;
      for (const { data } of events) this.#heard.set(data.body, data.messageId);
      return this.#heard.get(text);
    });
    const row = await this.row(messageId);
    assert.equal(row.message, text);
    return row;
  }

  row(messageId) {
    return this.tenant.call('GET', `${LOG}/${encodeURIComponent(messageId)}`);
  }

  /** What these messages say, and whether anybody changed them. */
  async words(ids) {
    const rows = await Promise.all(ids.map((id) => this.row(id)));
    return rows.map(({ messageId, message, original, editedAt, deletedAt, pinnedAt }) => ({ messageId, message, original, editedAt, deletedAt, pinnedAt }));
  }

  /** How the session came and went, so far. */
  async #states() {
    const types = ['session.initializing', 'session.authenticated', 'session.ready', 'session.disconnected', 'session.qr_ready'];
    const { events } = await this.tenant.call('GET', `/api/whatsapp/events?limit=1000&types=${types}`);
    return events.map(({ id, type }) => `${id} ${type}`);
  }

  #memory() {
    return Number(execFileSync('ps', ['-o', 'rss=', '-p', `${this.gateway.process.pid}`], { encoding: 'utf8' })) * 1_024;
  }
}

const lineWith = (log, word) => log.split('\n').find((line) => line.includes(word))?.slice(0, 500);
