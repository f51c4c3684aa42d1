// A Baileys client linked to a phone of the sandbox, and the words to tell its story with.
//
// It does what an application built on Baileys does and no more: trust the sandbox's root, keep the
// auth state, open a new socket when the server asks for a restart.

import * as baileys7 from 'baileys';

import { Facts } from '../../support/until.js';

const { Status } = baileys7.proto.WebMessageInfo;

/** `WAPID_INTEROP_LOG=debug` shows what Baileys logs. */
const level = process.env.WAPID_INTEROP_LOG ?? 'silent';
const levels = ['trace', 'debug', 'info', 'warn', 'error'];
const write = (at) => (fields, text) => {
  if (levels.includes(level) && levels.indexOf(at) >= levels.indexOf(level)) console.error('baileys', at, text ?? '', fields);
};
const logger = { level, child: () => logger, ...Object.fromEntries(levels.map((at) => [at, write(at)])) };
// libsignal prints whole sessions, keys included, past any logger.
if (level === 'silent') console.info = console.warn = () => {};

/** What an application would keep on disk. */
export function newAuth(library = baileys7) {
  const kept = new Map();
  return {
    creds: library.initAuthCreds(),
    keys: {
      get: (type, ids) =>
        Object.fromEntries(ids.map((id) => [id, kept.get(`${type}/${id}`)]).filter(([, value]) => value !== undefined)),
      set: (changes) => {
        for (const [type, values] of Object.entries(changes)) {
          for (const [id, value] of Object.entries(values)) {
            if (value == null) kept.delete(`${type}/${id}`);
            else kept.set(`${type}/${id}`, value);
          }
        }
      },
    },
  };
}

export class Baileys {
  #network;
  #book;
  #facts = new Facts();
  #sent = new Map();
  #socket;
  #isClosing = false;
  #library;

  /** `network` is `{listen, rootKey}` of a sandbox; `book` the phone book to link into; `library` which Baileys it is. */
  constructor(network, book, { library = baileys7, auth = newAuth(library) } = {}) {
    this.#network = network;
    this.#book = book;
    this.#library = library;
    this.auth = auth;
    this.#open();
  }

  #open() {
    const { default: makeWASocket, Browsers, DisconnectReason, WA_CERT_DETAILS } = this.#library;
    // The one setting of Baileys that is global.
    WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(this.#network.rootKey, 'hex');
    const socket = makeWASocket({
      auth: this.auth,
      browser: Browsers.ubuntu('Chrome'),
      getMessage: async ({ id }) => this.#sent.get(id),
      logger,
      syncFullHistory: false,
      waWebSocketUrl: `ws://${this.#network.listen}/ws/chat?book=${this.#book}`,
    });
    this.#socket = socket;
    socket.ws.on('frame', (frame) => {
      const isAnswer = frame.tag === 'iq' && frame.content?.[0]?.tag === 'link_code_companion_reg';
      if (isAnswer) this.#facts.add({ isCodeKnown: true });
    });
    socket.ev.on('connection.update', ({ qr, connection, lastDisconnect }) => {
      if (qr) this.#facts.add({ qr });
      if (connection === 'open') this.#facts.add({ isOpen: true });
      if (connection !== 'close') return;
      const reason = lastDisconnect?.error?.output?.statusCode;
      this.#facts.add({ closed: reason, why: lastDisconnect?.error?.message });
      const isOver = this.#isClosing || reason === DisconnectReason.loggedOut || reason === undefined;
      if (!isOver && this.auth.creds.me) this.#open();
    });
    socket.ev.on('messages.upsert', ({ messages, type }) => {
      for (const message of messages) {
        this.#facts.add({ message, type });
        if (message.key.fromMe) this.#facts.add({ id: message.key.id, status: message.status });
      }
    });
    socket.ev.on('groups.upsert', (groups) => {
      for (const group of groups) this.#facts.add({ group });
    });
    socket.ev.on('messages.update', (updates) => {
      for (const { key, update } of updates) this.#facts.add({ id: key.id, status: update.status, update });
    });
    socket.ev.on('messages.reaction', (reactions) => {
      for (const { key, reaction } of reactions) this.#facts.add({ id: key.id, reaction });
    });
  }

  /** The first QR on show. */
  qr() {
    return this.#facts.first('a QR', (fact) => fact.qr);
  }

  /** A code to type into the phone, asked for when the first QR is there, as Baileys wants it. */
  async pairingCode(phone) {
    await this.qr();
    const code = await this.#socket.requestPairingCode(phone);
    // Baileys does not wait for the server to hear of it; a test types faster than a person.
    await this.#facts.first('the server to know the code', (fact) => fact.isCodeKnown);
    return code;
  }

  online() {
    return this.#facts.first('Baileys to be online', (fact) => fact.isOpen);
  }

  /** Online for the `nth` time. */
  onlineAgain(nth = 2) {
    let seen = 0;
    return this.#facts.first(`Baileys to be online for time ${nth}`, (fact) => fact.isOpen && ++seen === nth);
  }

  /** Why connections ended, in order: HTTP-like codes of Baileys' `DisconnectReason`. */
  closings() {
    return this.#facts.all((fact) => 'closed' in fact).map((fact) => fact.closed);
  }

  closedWith(reason) {
    return this.#facts.first(`Baileys to be closed with ${reason}`, (fact) => fact.closed === reason && fact);
  }

  /** Baileys' own socket, for what no application would do. */
  get socket() {
    return this.#socket;
  }

  get phone() {
    return this.auth.creds.me?.id.split(/[:@]/)[0];
  }

  async send(to, text) {
    return (await this.sendContent(to, { text })).key.id;
  }

  /** Anything that Baileys' `sendMessage` takes; answers what it made of it. */
  async sendContent(to, content, options) {
    const sent = await this.#socket.sendMessage(`${to}@s.whatsapp.net`, content, options);
    this.#sent.set(sent.key.id, sent.message);
    return sent;
  }

  /** The message with this id, as Baileys hands it to an application. */
  message(id) {
    return this.#facts.first(`Baileys to receive ${id}`, ({ message }) => message?.key.id === id && message);
  }

  /** A change to the message with this id that `wanted` says yes to. */
  update(id, wanted) {
    return this.#facts.first(`${id} to change`, (fact) => fact.id === id && fact.update && wanted(fact.update) && fact.update);
  }

  reaction(id) {
    return this.#facts.first(`a reaction to ${id}`, (fact) => fact.id === id && fact.reaction);
  }

  /** The bytes of a medium; what the host no longer has, the phone is asked for, as an application does. */
  async download(message) {
    const fetched = (of) => this.#library.downloadMediaMessage(of, 'buffer', {}, { logger });
    try {
      return await fetched(message);
    } catch (error) {
      // Baileys asks by itself only for another kind of error than it throws here.
      if (![404, 410].includes(error.output?.statusCode)) throw error;
      return fetched(await this.#socket.updateMediaMessage(message));
    }
  }

  async sendToGroup(group, text) {
    const sent = await this.#socket.sendMessage(group, { text });
    this.#sent.set(sent.key.id, sent.message);
    return sent.key.id;
  }

  /** A message with this text in a group, and the number of who wrote it. */
  async receivedIn(group, text) {
    const isIt = ({ key }) => key.remoteJid === group;
    const { message } = await this.#facts.first(
      `Baileys to receive "${text}" in a group`,
      (fact) => fact.message && textOf(fact.message) === text && isIt(fact.message) && fact,
    );
    const { participant, participantAlt, fromMe, id } = message.key;
    const from = [participant, participantAlt].find((jid) => jid?.endsWith('@s.whatsapp.net'));
    return { id, isFromMe: fromMe, from: from?.split(/[:@]/)[0], key: message.key };
  }

  /** Makes a group and answers its JID. */
  async createGroup(subject, numbers) {
    const made = await this.#socket.groupCreate(subject, numbers.map((number) => `${number}@s.whatsapp.net`));
    return made.id;
  }

  /** What the server tells this client of a group. */
  group(jid) {
    return this.#socket.groupMetadata(jid);
  }

  changeParticipants(group, numbers, action) {
    return this.#socket.groupParticipantsUpdate(group, numbers.map((number) => `${number}@s.whatsapp.net`), action);
  }

  /** The group with this name, as soon as Baileys hears of it. */
  groupCalled(subject) {
    return this.#facts.first(`Baileys to hear of the group "${subject}"`, ({ group }) => group?.subject === subject && group.id);
  }

  /** The message with this text, as Baileys hands it to an application. */
  async received(text) {
    const { message, type } = await this.#facts.first(
      `Baileys to receive "${text}"`,
      (fact) => fact.message && textOf(fact.message) === text && fact,
    );
    return { id: message.key.id, isFromMe: message.key.fromMe, from: numberOf(message.key), type, name: message.pushName, key: message.key };
  }

  /** How often a message with this text was handed over. */
  copies(text) {
    return this.#facts.all((fact) => fact.message && textOf(fact.message) === text).length;
  }

  delivered(id) {
    return this.#advanced(id, Status.DELIVERY_ACK, 'delivered');
  }

  read(id) {
    return this.#advanced(id, Status.READ, 'read');
  }

  #advanced(id, status, word) {
    return this.#facts.first(`${id} to be ${word}`, (fact) => fact.id === id && fact.status >= status);
  }

  /** The user opens the chat. */
  markRead({ key }) {
    return this.#socket.readMessages([key]);
  }

  /** The user logs out inside the application. */
  logOut() {
    this.#isClosing = true;
    return this.#socket.logout();
  }

  close() {
    this.#isClosing = true;
    this.#socket.end(undefined);
  }
}

function textOf({ message }) {
  return message?.conversation ?? message?.extendedTextMessage?.text;
}

/** The sender's number; with LIDs it is the alternative address of the chat. */
function numberOf({ remoteJid, remoteJidAlt }) {
  const jid = remoteJid.endsWith('@lid') ? remoteJidAlt : remoteJid;
  return jid?.split(/[:@]/)[0];
}
