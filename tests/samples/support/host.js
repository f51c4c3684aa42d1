// What a customer has on the internet: files that the gateway fetches, and a place for its webhooks.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { text } from 'node:stream/consumers';

import { Facts } from '../../support/until.js';

async function listen(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${server.address().port}`;
}

/** Serves `{ path: { mime, bytes } }` over HTTPS. */
export async function serveFiles(tls, files) {
  const server = createTlsServer(tls, ({ url }, answer) => {
    const file = files[url];
    answer.writeHead(file ? 200 : 404, { 'content-type': file?.mime ?? 'text/plain' }).end(file?.bytes);
  });
  return { address: await listen(server), stop: () => server.close() };
}

/** Takes webhooks until the test ends. */
export async function takeHooks(t) {
  const facts = new Facts();
  const server = createServer(async (asked, answer) => {
    const body = await text(asked);
    facts.add({ headers: asked.headers, body, payload: JSON.parse(body) });
    answer.end();
  });
  const url = `http://${await listen(server)}/whatsapp-webhook`;
  t.after(() => server.close());
  return {
    url,
    /** The first of these events, come or to come. */
    first: (event) => facts.first(`the webhook ${event}`, (fact) => fact.payload.event === event && fact),
    all: () => facts.all(() => true),
  };
}
