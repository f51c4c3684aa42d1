// Seed 001's page, and what it shows under each of its headings. `seed/page.txt` is the seed, byte for byte.
//
// The seed is a page without its markup: no mark says what is a heading, and tables are in pieces. So headings
// are named here, and everything else is taken from the text.

import { readFileSync } from 'node:fs';

/** In the order of the page; each a line of its own. */
const HEADINGS = [
  'Quick Start',
  'Authentication',
  'Base URL',
  'Error Handling',
  'Sessions',
  'Create / initialize a session',
  'Get session status & QR code',
  'List all sessions',
  'Disconnect a session',
  'Send Message',
  'Media Messages',
  'Bulk Broadcast',
  'Poll job progress',
  'Webhooks',
  'Event types',
  'Payload format',
  'Signature verification',
  'Message Logs',
  'Code Example — OTP Verification',
  'Code Example — Bulk Campaign',
  'Code Example — Receive Messages (Webhook)',
];
const TABS = [
  'Node.js',
  'PHP',
  'Python',
  'Python (Flask)',
  'Ruby',
  'Ruby (Sinatra)',
  'Go',
  'Go (net/http)',
  'Java',
  'Java (Spring Boot)',
  'C# / .NET',
  'C# (ASP.NET Core)',
  'cURL',
  'cURL (test)',
];
/** A program begins right behind the name of its tab. */
const BEGINNING = /^(?:const |<\?php|import |require |package |using |# )/;
/** What the second column says, which may be a line of its own too. */
const TYPES = ['string', 'array', 'number'];

const page = readFileSync(new URL('../seed/page.txt', import.meta.url), 'utf8');
const sections = new Map(HEADINGS.map((heading, at) => [heading, between(heading, HEADINGS[at + 1])]));

function between(heading, next) {
  const from = page.indexOf(`\n${heading}\n`);
  const to = next === undefined ? page.length : page.indexOf(`\n${next}\n`);
  if (from < 0 || to < from) throw new Error(`the page has no "${heading}" before "${next}"`);
  return page.slice(from + heading.length + 2, to + 1);
}

/** The text between a heading and the next. */
export function under(heading) {
  const text = sections.get(heading);
  if (text === undefined) throw new Error(`"${heading}" is no heading of the page`);
  return text;
}

/** The JSON object at `start`, but for comments, which JSON has none of; and where it ends. */
function objectAt(text, start) {
  const token = /"(?:[^"\\]|\\.)*"|\/\/.*|[{}]|[^"{}/]+|\//g;
  token.lastIndex = start;
  let body = '';
  let depth = 0;
  for (;;) {
    const [piece] = token.exec(text);
    if (!piece.startsWith('//')) body += piece;
    if (piece === '{') depth += 1;
    if (piece === '}') depth -= 1;
    if (depth === 0) return { body, end: token.lastIndex };
  }
}

/** The JSON under a heading: `{ label, body }`, the comment above it and its text. */
function objects(heading) {
  const text = under(heading);
  const found = [];
  let end = 0;
  let label;
  for (const { 0: line, index } of text.matchAll(/^.+$/gm)) {
    if (index < end) continue;
    if (line.startsWith('{')) {
      const object = objectAt(text, index);
      found.push({ label, body: object.body });
      ({ end } = object);
      label = undefined;
    } else {
      label = line.match(/^\/\/ (.+)$/)?.[1];
    }
  }
  return found;
}

/** The text of the one JSON body under a heading that has this label, or none where none is given. */
export function body(heading, label) {
  const found = objects(heading).filter((object) => object.label === label);
  if (found.length !== 1) throw new Error(`"${heading}" shows ${found.length} times "${label}"`);
  return found[0].body;
}

/** The same as a value. */
export function shown(heading, label) {
  return JSON.parse(body(heading, label));
}

/** The requests that are written out under a heading: method, path, the name of the key's header, body. */
export function requests(heading) {
  const text = under(heading);
  return [...text.matchAll(/^(GET|POST) (\/\S+)\n([\w-]+): your_api_key\n/gm)].map((found) => {
    const end = found.index + found[0].length;
    const [, method, path, header] = found;
    return { method, path, header, body: text[end] === '{' ? objectAt(text, end).body : undefined };
  });
}

/** The first column of the table under a heading: fields, statuses or events, none of which begins upper case. */
export function rows(heading) {
  const cells = [...under(heading).matchAll(/^([a-z\d]\w*) \|$/gm)].map(([, word]) => word);
  return cells.filter((word) => !TYPES.includes(word));
}

/** What the table under a heading says of a field. */
export function told(heading, field) {
  const text = under(heading);
  const from = text.indexOf(`\n${field} |\n`) + field.length + 4;
  const fields = rows(heading);
  const next = fields[fields.indexOf(field) + 1];
  return text.slice(from, next && text.indexOf(`\n${next} |\n`, from));
}

/** A program under a heading, as it stands. */
export function program(heading, tab) {
  const text = under(heading);
  const tabOf = (line) => TABS.find((name) => line.startsWith(name) && BEGINNING.test(line.slice(name.length)));
  const tabs = [...text.matchAll(/^.+$/gm)].map(({ 0: line, index }) => ({ name: tabOf(line), index }));
  const named = tabs.filter(({ name }) => name);
  const at = named.findIndex(({ name }) => name === tab);
  if (at < 0) throw new Error(`"${heading}" has no ${tab}`);
  return text.slice(named[at].index + tab.length, named[at + 1]?.index);
}

/** A file of `seed/`: a program of the page with its indentation. */
export function seeded(file) {
  return readFileSync(new URL(`../seed/${file}`, import.meta.url), 'utf8');
}
