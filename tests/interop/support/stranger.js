// Somebody who writes what no application would: any bytes, under any id, sealed as they should be.
//
// Baileys' own `relayMessage` takes its messages through its own idea of the schema. This seals bytes with the
// same keys and sends the stanza itself, to the linked devices of whom it is for and not to their phones.

import { randomBytes } from 'node:crypto';

import { Baileys } from './baileys.js';

/** Stanzas that are on their way without an answer, and what they may weigh: Baileys gives up on what waits long. */
const UNDERWAY = 32;
const BYTES_UNDERWAY = 2 << 20;

export class Stranger extends Baileys {
  #devices = new Map();
  #acks = new Map();

  /** Delivers `bytes` as a message of a chat of two or of a group; answers its id, once the server has it. */
  async deliver(to, bytes, { id = randomId(), type = 'text', kind, attributes = {}, isPadded = true } = {}) {
    const data = isPadded ? Buffer.concat([bytes, Buffer.alloc(16, 16)]) : Buffer.from(bytes);
    const isGroup = to.endsWith('@g.us');
    const content = isGroup ? [await this.#forGroup(to, data)] : await this.#forDevices(to, data, kind);
    const more = isGroup ? { addressing_mode: 'lid' } : {};
    const acknowledged = this.#acknowledged(id);
    await this.socket.sendNode({ tag: 'message', attrs: { id, to, type, ...more, ...attributes }, content });
    await acknowledged;
    return id;
  }

  /** Some at a time, in their order. */
  async deliverAll(to, messages) {
    const waiting = new Map();
    const weight = () => [...waiting.values()].reduce((sum, bytes) => sum + bytes, 0);
    for (const { bytes, ...more } of messages) {
      while (waiting.size >= UNDERWAY || weight() + bytes.length > BYTES_UNDERWAY) await Promise.race(waiting.keys());
      const sent = this.deliver(to, bytes, more).finally(() => waiting.delete(sent));
      waiting.set(sent, bytes.length);
    }
    await Promise.all(waiting.keys());
  }

  /** A stanza as it is. */
  sendStanza(node) {
    return this.socket.sendNode(node);
  }

  async #forDevices(to, data, kind) {
    const participants = [];
    for (const jid of await this.devicesOf(to)) {
      const { type, ciphertext } = await this.socket.signalRepository.encryptMessage({ jid, data });
      const enc = { tag: 'enc', attrs: { v: '2', type: kind ?? type }, content: ciphertext };
      participants.push({ tag: 'to', attrs: { jid }, content: [enc] });
    }
    return [{ tag: 'participants', attrs: {}, content: participants }];
  }

  async #forGroup(group, data) {
    const meId = this.auth.creds.me.lid;
    const { ciphertext } = await this.socket.signalRepository.encryptGroupMessage({ group, meId, data });
    return { tag: 'enc', attrs: { v: '2', type: 'skmsg' }, content: ciphertext };
  }

  /** The linked devices of somebody. */
  async devicesOf(to) {
    if (!this.#devices.has(to)) {
      const known = await this.socket.getUSyncDevices([to], true, false);
      this.#devices.set(to, known.filter(({ device }) => device).map(({ jid }) => jid));
    }
    return this.#devices.get(to);
  }

  /** The server's answer, a refusal too: both mean that it has read the stanza. */
  #acknowledged(id) {
    if (!this.#acks.size) this.socket.ws.on('CB:ack,class:message', ({ attrs }) => this.#acks.get(attrs.id)?.());
    return new Promise((done) => this.#acks.set(id, done));
  }
}

const randomId = () => `3EB0${randomBytes(9).toString('hex').toUpperCase()}`;
