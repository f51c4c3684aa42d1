// What somebody who means harm puts into the fields of a message.
//
// A message is made of what is ordinary in all its fields, so that it is read as far as possible, and of one hostile
// value in one of them or of one sort of value in all of them. Nothing here is sent: each generator answers
// `{bytes, …}` for `Stranger.deliver`.

import { deflateSync } from 'node:zlib';

import protobuf from 'protobufjs';

import { Message, ProtocolMessage, leaves, nested, sortOf, written } from './schema.js';

/** In every text: whoever finds it in a log has found a text there. */
export const MARK = 'qzhostileqz';

const MEGABYTE = 1_000_000;
const text = (value) => Buffer.from(value);
/** UTF-16's halves, as bytes that UTF-8 does not have. */
const HALVES = Buffer.concat([text(MARK), Buffer.from([0xed, 0xa0, 0x80, 0x20, 0xed, 0xbf, 0xbf])]);

/** Texts of every sort, by what is wrong with them; the trap's addresses are beside them. */
const TEXTS = {
  nul: [text(`a\0${MARK}`), text('\0')],
  halves: [HALVES],
  empty: [text('')],
  paths: ['../../../../etc/passwd', '/etc/passwd', 'C:\\Windows\\system32\\drivers\\etc\\hosts', '%2e%2e%2fetc%2fpasswd'].map(text),
  signs: [`\u202e\u200b\u0001\r\n\t${MARK}`, `%s%n'";--\\u0000{"a":["${MARK}`, `=1+1;=cmd|'${MARK}'!A1`, '\ufeff\uffff😀'].map(text),
};
const BYTES = {
  nul: [Buffer.from('\0'), Buffer.alloc(32)],
  halves: [HALVES],
  empty: [Buffer.alloc(0)],
  paths: [Buffer.alloc(31, 1), Buffer.alloc(33, 1)],
  signs: [Buffer.alloc(1, 0xff), Buffer.alloc(64, 0xff)],
};
const NUMBERS = {
  number: ['0', '1', '-1', '2147483647', '-2147483648', '9223372036854775807', '-9223372036854775808'],
  fraction: [NaN, Infinity, -Infinity, 1e308, -0, 181],
  enum: [-1, 99, 2_147_483_647],
  yes: [true, false],
};
const narrow = (type, value) => (/64$/.test(type) ? value : Number(BigInt.asIntN(32, BigInt(value))));

/** Every sort of value that `packed` fills a message with. */
export const SORTS = [...Object.keys(TEXTS), 'addresses'];

/** Kinds of messages: a field of `Message`, or a type of the messages that phones talk to each other with. */
export function kinds() {
  const fields = Message.fieldsArray.filter(({ name }) => name !== 'messageContextInfo');
  const types = Object.entries(ProtocolMessage.fields.type.resolvedType.values);
  return fields.flatMap((field) =>
    field.resolvedType === ProtocolMessage
      ? types.map(([name, number]) => ({ name: `protocolMessage ${name}`, field, type: number }))
      : [{ name: field.name, field }],
  );
}

/** The kinds that the gateway reads field by field; of the others it keeps that they came. */
export function isRead({ name }) {
  const READ =
    /^(conversation|extendedText|image|video|ptv|audio|document|sticker|location|liveLocation|contact|contactsArray|pollCreation|pollUpdate|reaction|protocolMessage (REVOKE|MESSAGE_EDIT|EPHEMERAL_SETTING|HISTORY))/;
  return READ.test(name);
}

/** The generator of one conversation: it knows an address to lead to and the ids of messages there. */
export class Hostile {
  #addresses;
  #known;
  #turn = 0;

  /** `known` is `{id, chat, person}`: a message, its chat and who wrote it, as ordinary fields name them. */
  constructor(trap, known) {
    this.#addresses = trap.addresses().map(text);
    this.#known = known;
  }

  /** One sort of value in every field of a kind. */
  packed(kind, sort) {
    return { bytes: this.#made(kind, (path) => this.#of(path, sort)) };
  }

  /**
   * One hostile value in one field of a kind, for each of its fields: every value, or the next in turn for those that
   * are not deep. What surrounds a message is the same for every kind, so it is walked with one of them.
   */
  *singles(kind, { each }) {
    const isAround = (path) => path.slice(0, -1).some(({ name }) => name === 'contextInfo');
    const isWalked = (path) => (kind.name === 'extendedTextMessage' || !isAround(path)) && (each || path.length <= 3);
    for (const path of leaves(kind.field).filter(isWalked)) {
      const values = this.#all(path);
      const chosen = each ? values : [values[this.#turn++ % values.length]];
      // What may be followed is followed to several addresses, always.
      const followed = !each && isFollowed(path.at(-1)) ? this.#some(this.#addresses, 4) : [];
      for (const value of [...chosen, ...followed]) {
        yield { bytes: this.#made(kind, (other) => (isSame(other, path) ? value : undefined)) };
      }
    }
  }

  /** One text or one run of bytes of a megabyte in a kind: in its first field, or in each. */
  *large(kind, { each }) {
    const paths = leaves(kind.field).filter((path) => ['text', 'bytes'].includes(sortOf(path.at(-1))));
    for (const path of each ? paths : paths.slice(0, 1)) {
      yield { bytes: this.#made(kind, (other) => (isSame(other, path) ? Buffer.alloc(MEGABYTE, MARK) : undefined)) };
    }
  }

  /** Lists without an end, as many as a frame of the network holds. */
  *crowded() {
    const person = text(this.#known.person);
    const lists = { mentionedJid: 10_000, contacts: 10_000, options: 10_000 };
    const isMention = (path) => path.length === 3 && path.at(-1).name === 'mentionedJid';
    for (const name of ['extendedTextMessage', 'imageMessage']) {
      const kind = { field: Message.fields[name] };
      yield { bytes: this.#made(kind, (path) => (isMention(path) ? Array(lists.mentionedJid).fill(person) : undefined)) };
    }
    const array = Message.fields.contactsArrayMessage.resolvedType;
    yield { bytes: repeated(Message.fields.contactsArrayMessage, array.fields.contacts, 'displayName', lists.contacts) };
    for (const name of ['pollCreationMessage', 'pollCreationMessageV3']) {
      const poll = Message.fields[name].resolvedType;
      yield { bytes: repeated(Message.fields[name], poll.fields.options, 'optionName', lists.options) };
    }
    const list = Message.fields.listMessage.resolvedType;
    yield { bytes: repeated(Message.fields.listMessage, list.fields.sections, 'title', lists.options) };
  }

  /** Messages in messages in messages. */
  *deep() {
    const innermost = written(Message.fields.conversation, () => text(MARK));
    const quoting = ['extendedTextMessage', 'contextInfo', 'quotedMessage'];
    for (const times of [20, 200, 5_000]) {
      yield { bytes: nested(times, ['ephemeralMessage', 'message'], innermost) };
      yield { bytes: nested(times, ['viewOnceMessage', 'message', 'ephemeralMessage', 'message'], innermost) };
      yield { bytes: nested(times, ['deviceSentMessage', 'message'], innermost) };
      yield { bytes: nested(times, quoting, innermost) };
      yield { bytes: nested(times, ['editedMessage', 'message', 'protocolMessage', 'editedMessage'], innermost) };
    }
  }

  /** What is no message, sealed as one is. */
  *noise() {
    const whole = this.packed({ field: Message.fields.imageMessage }, 'signs').bytes;
    const raw = [
      Buffer.alloc(0),
      Buffer.from([0]),
      Buffer.alloc(1_000, 0xff),
      Buffer.from('{"conversation":"no protobuf"}'),
      // Half of one; a length that leads past the end; a number without an end; the end of a group that never began.
      whole.subarray(0, whole.length >> 1),
      Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
      Buffer.alloc(12, 0x80),
      Buffer.from([0x0c]),
      // A number where a text belongs, and a field that no schema has.
      Buffer.from([0x08, 0x01]),
      Buffer.from([0xfa, 0xff, 0xff, 0xff, 0x0f, 0x00]),
      ...Array.from({ length: 16 }, (_, seed) => chaos(seed, 200)),
    ];
    for (const bytes of raw) {
      yield { bytes };
      yield { bytes, isPadded: false };
    }
    // Not even sealed as they say.
    for (const kind of ['pkmsg', 'skmsg', 'msmsg', 'unknown', '']) yield { bytes: whole, kind };
  }

  /** Ids that are paths, code and noise. */
  *ids() {
    const bytes = written(Message.fields.conversation, () => text(MARK));
    const ids = [
      '../../etc/passwd',
      '..%2f..%2fetc%2fpasswd',
      'C:\\x',
      '/',
      '?a=b#c',
      `a'b"c\`d`,
      '%s%n%x',
      '%00',
      'A\0B',
      '\0',
      ' ',
      '\u202eA',
      'A\nB',
      'é'.repeat(100),
      '😀',
      'x'.repeat(255),
      'x'.repeat(5_000),
      '<a b="c">',
      '{"id":1}',
      'status@broadcast',
    ];
    for (const id of ids) yield { bytes, id };
    yield { bytes, type: 'A\0B' };
    yield { bytes, type: '' };
    for (const edit of ['1', '7', '8', '99', 'A\0B']) yield { bytes, attributes: { edit } };
    for (const category of ['peer', 'A\0B']) yield { bytes, attributes: { category } };
  }

  /** Changes of messages that are not the writer's: each way to change one, by each way to name one. */
  *changes(keys) {
    const ways = [
      ['reactionMessage', undefined],
      ['encReactionMessage', undefined],
      ['pollUpdateMessage', undefined],
      ['pinInChatMessage', undefined],
      ['keepInChatMessage', undefined],
      ['encCommentMessage', undefined],
      ['encEventResponseMessage', undefined],
      ['secretEncryptedMessage', undefined],
      ['protocolMessage', 'REVOKE'],
      ['protocolMessage', 'MESSAGE_EDIT'],
    ];
    for (const [name, type] of ways) {
      for (const key of keys) {
        yield { bytes: change(name, type, key, (path) => this.#ordinary(path)), attributes: {} };
      }
    }
  }

  /** What only an account's own phone may say: that it sent something, its history, its keys. */
  *impersonations(chat) {
    const { deviceSentMessage, protocolMessage } = Message.fields;
    const sent = { destinationJid: text(chat), conversation: text(`${MARK} forged`) };
    yield { bytes: written(deviceSentMessage, (path) => sent[path.at(-1).name]) };
    // 200 MB of nothing, said to be the history.
    const bomb = deflateSync(Buffer.alloc(200_000_000), { level: 9 });
    const { values } = ProtocolMessage.fields.type.resolvedType;
    for (const name of ['HISTORY_SYNC_NOTIFICATION', 'APP_STATE_SYNC_KEY_SHARE', 'LID_MIGRATION_MAPPING_SYNC', 'PEER_DATA_OPERATION_REQUEST_MESSAGE']) {
      const kind = { field: protocolMessage, type: values[name] };
      const bytes = this.#made(kind, (path) => {
        const { name } = path.at(-1);
        return name === 'initialHistBootstrapInlinePayload' || name === 'encodedMappingPayload' ? bomb : undefined;
      });
      yield { bytes };
      yield { bytes, attributes: { category: 'peer' } };
    }
  }

  /** A message of a kind: hostile where `hostile` has something, and ordinary elsewhere. */
  #made(kind, hostile) {
    return written(kind.field, (path) => {
      const isType = kind.type !== undefined && path.length === 2 && path[1].name === 'type';
      return isType ? kind.type : (hostile(path) ?? this.#ordinary(path));
    });
  }

  #of(path, sort) {
    const field = path.at(-1);
    const kind = sortOf(field);
    const values =
      kind === 'text'
        ? sort === 'addresses' ? this.#addresses : TEXTS[sort]
        : kind === 'bytes' ? BYTES[sort] ?? [Buffer.alloc(32, 7)] : NUMBERS[kind].map((value) => (kind === 'number' ? narrow(field.type, value) : value));
    return values[this.#turn++ % values.length];
  }

  #some(values, count) {
    return Array.from({ length: count }, () => values[this.#turn++ % values.length]);
  }

  #all(path) {
    const field = path.at(-1);
    const kind = sortOf(field);
    if (kind === 'text') return [...Object.values(TEXTS).flat(), ...this.#addresses];
    if (kind === 'bytes') return Object.values(BYTES).flat();
    return NUMBERS[kind].map((value) => (kind === 'number' ? narrow(field.type, value) : value));
  }

  #ordinary(path) {
    const field = path.at(-1);
    const kind = sortOf(field);
    const { name } = field;
    if (kind === 'bytes') return Buffer.alloc(32, 7);
    if (kind === 'fraction') return 12.5;
    if (kind === 'yes') return name === 'fromMe';
    if (kind === 'enum') return Object.values(field.resolvedType.values)[0];
    if (kind === 'number') return narrow(field.type, '60');
    if (/path$/i.test(name)) return text('/v/t62.7118-24/x?oe=1');
    if (/url$/i.test(name)) return text('https://mmg.whatsapp.net/v/t62.7118-24/x?oe=1');
    if (/^id$|stanzaId/i.test(name)) return text(this.#known.id);
    if (/remoteJid/i.test(name)) return text(this.#known.chat);
    if (/jid|participant/i.test(name)) return text(this.#known.person);
    if (/mimetype/i.test(name)) return text('image/jpeg');
    return text(MARK);
  }
}

const isSame = (path, other) => path.length === other.length && path.every((field, at) => field === other[at]);
const isFollowed = ({ name, type }) => type === 'string' && /url|path|host|link|uri|matchedText/i.test(name);

/** A kind with one field of its list as often as said, each with one text in it. */
function repeated(kind, list, named, times) {
  const one = protobuf.Writer.create().uint32((list.resolvedType.fields[named].id << 3) | 2).bytes(text(`${MARK} 1`)).finish();
  const all = protobuf.Writer.create();
  for (let time = 0; time < times; time++) all.uint32((list.id << 3) | 2).bytes(one);
  return protobuf.Writer.create().uint32((kind.id << 3) | 2).bytes(all.finish()).finish();
}

/** A change of the message that `key` names. */
export function change(name, type, key, ordinary = (path) => (sortOf(path.at(-1)) === 'text' ? text(MARK) : undefined)) {
  return written(Message.fields[name], (path) => {
    const field = path.at(-1);
    if (field.parent.name === 'MessageKey') {
      const value = key[field.name];
      return typeof value === 'string' ? text(value) : value;
    }
    if (type && path.length === 2 && field.name === 'type') return ProtocolMessage.fields.type.resolvedType.values[type];
    return ordinary(path);
  });
}

/** Bytes that look like chance and are the same in every run. */
function chaos(seed, length) {
  let state = seed + 1;
  return Buffer.from(Array.from({ length }, () => ((state = (state * 1_103_515_245 + 12_345) % 2 ** 31) >> 16) & 0xff));
}
