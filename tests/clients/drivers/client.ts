// A program as somebody writes it on the generated client: link, send, read. Every answer is parsed strictly.

import { client } from './generated/client.gen.js';
import {
  createSession,
  listEvents,
  listMessages,
  listSessions,
  previewBulk,
  sandboxCreatePhone,
  sandboxMessages,
  sandboxScan,
  sendMessage,
  sessionHealth,
  sessionStatus,
} from './generated/sdk.gen.js';

const [url, key] = process.argv.slice(2) as [string, string];
client.setConfig({ baseUrl: url, auth: key, throwOnError: true });

const SHOP = '5511900000001';
const FRIEND = '5511900000002';
const path = { id: 'main' };

async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + 60_000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`waited 60 s for ${what}`);
    await new Promise((look) => setTimeout(look, 50));
  }
}

for (const [phone, name] of [[SHOP, 'Shop'], [FRIEND, 'Friend']] as const) {
  await sandboxCreatePhone({ body: { phone, name }, throwOnError: true });
}
const made = await createSession({ body: { sessionId: 'main', name: 'Shop' }, throwOnError: true });
if (made.data.isNew !== true) throw new Error('the session was not made');
const qr = await until('a QR', async () => (await sessionStatus({ path, throwOnError: true })).data.qrText ?? undefined);
await sandboxScan({ path: { phone: SHOP }, body: { qr }, throwOnError: true });
await until('ready', async () => {
  const { data } = await sessionStatus({ path, throwOnError: true });
  return data.status === 'ready' ? data : undefined;
});

const sent = await sendMessage({ path, body: { to: FRIEND, message: 'written in TypeScript' }, throwOnError: true });
const inbox = await until('the phone to show it', async () => {
  const { data } = await sandboxMessages({ path: { phone: FRIEND }, throwOnError: true });
  return data.messages.find(({ message }) => message === 'written in TypeScript');
});
const log = await listMessages({ query: { limit: 10, direction: 'out' }, throwOnError: true });
const row = log.data.messages.find(({ messageId }) => messageId === sent.data.messageId);
const events = await listEvents({ query: { types: 'message.*,session.*' }, throwOnError: true });
const ready = events.data.events.flatMap((event) => (event.type === 'session.ready' ? [event.data.phoneNumber] : []));
const { data: health } = await sessionHealth({ path, throwOnError: true });
const { data: sessions } = await listSessions({ throwOnError: true });
// Numbers and objects, as the list takes them.
const { data: preview } = await previewBulk({
  path,
  body: { recipients: [FRIEND, { phone: SHOP, name: 'Ana' }], message: 'Hello {{name|there}}' },
  throwOnError: true,
});
const refused = await sendMessage({ path: { id: 'nobody' }, body: { to: FRIEND, message: 'x' }, throwOnError: false });

console.log(
  JSON.stringify({
    sent: sent.data.messageId,
    shown: inbox.id,
    logged: row?.messageId,
    ready,
    timelock: 'timelock' in health,
    sessions: sessions.sessions.length,
    preview: preview.previews.map(({ message }) => message),
    refused: refused.error?.code,
  }),
);
