// WhatsApp's messages as their schema has them, walked field by field, and written byte by byte.
//
// Baileys carries the schema. What is written here need not be what a schema allows: a text is the bytes that
// it is given, a number any number, and a field may stand there as often as one likes.

import { readFileSync } from 'node:fs';

import protobuf from 'protobufjs';

const file = new URL('../WAProto/WAProto.proto', import.meta.resolve('baileys'));
const { root } = protobuf.parse(readFileSync(file, 'utf8'), { keepCase: true });
root.resolveAll();

export const Message = root.lookupType('proto.Message');
export const ProtocolMessage = root.lookupType('proto.Message.ProtocolMessage');

/** How many fields below a kind of message are walked: what is quoted in a context, and its file. */
const DEPTH = 5;
/** What a message within a message is. Each kind is walked at the top; here one that says and one that brings something. */
const WITHIN = ['conversation', 'imageMessage'];

/**
 * The bytes of a message of one kind. `leaf` is asked for the value of each field that holds no message, with the
 * fields that lead to it; it answers a value, a list of values, or undefined where the field is left out.
 */
export function written(kind, leaf) {
  return inside(Message, [kind], leaf, []);
}

function inside(type, fields, leaf, above) {
  const writer = protobuf.Writer.create();
  for (const field of fields) {
    const path = [...above, field];
    if (field.resolvedType instanceof protobuf.Type) {
      const within = field.resolvedType;
      const isDeep = path.length > DEPTH || above.some((known) => known.resolvedType === within);
      if (isDeep && within !== Message) continue;
      if (path.length > DEPTH) continue;
      const below = within === Message ? WITHIN.map((name) => Message.fields[name]) : within.fieldsArray;
      writer.uint32((field.id << 3) | 2).bytes(inside(within, below, leaf, path));
    } else {
      const values = leaf(path);
      for (const value of Array.isArray(values) ? values : [values]) {
        if (value !== undefined) put(writer, field, value);
      }
    }
  }
  return writer.finish();
}

function put(writer, field, value) {
  const kind = sortOf(field);
  const type = kind === 'enum' ? 'int32' : field.type;
  writer.uint32(((field.id << 3) | protobuf.types.basic[type]) >>> 0);
  if (kind === 'text' || kind === 'bytes') writer.bytes(Buffer.from(value));
  else writer[type](value);
}

/** What a field holds: `text`, `bytes`, `enum`, `fraction`, or else a whole number or a yes. */
export function sortOf({ type, resolvedType }) {
  if (resolvedType instanceof protobuf.Enum) return 'enum';
  if (type === 'string') return 'text';
  if (type === 'bytes') return 'bytes';
  if (type === 'bool') return 'yes';
  return type === 'double' || type === 'float' ? 'fraction' : 'number';
}

/** Every field below a kind that holds no message, as the fields that lead to it. */
export function leaves(kind) {
  const paths = [];
  written(kind, (path) => void paths.push(path));
  return paths;
}

/** `bytes` in a field, as often as one likes: `nested(200, ['ephemeralMessage', 'message'], bytes)`. */
export function nested(times, names, bytes) {
  const ids = [];
  let type = Message;
  for (const name of names) {
    ids.unshift(type.fields[name].id);
    type = type.fields[name].resolvedType;
  }
  let all = bytes;
  for (let time = 0; time < times; time++) {
    for (const id of ids) all = protobuf.Writer.create().uint32((id << 3) | 2).bytes(all).finish();
  }
  return all;
}
