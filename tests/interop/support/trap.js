// A port that nobody may ever call: what strangers write leads there.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export class Trap {
  #servers = [];
  /** How often somebody came. */
  visits = 0;

  /** On IPv4 and, where the machine has it, on IPv6: names may lead to either. */
  static async set() {
    const trap = new Trap();
    trap.port = await trap.#listen('127.0.0.1', 0);
    await trap.#listen('::1', trap.port).catch(() => {});
    await trap.#isSet();
    return trap;
  }

  /** One that hears nobody proves nothing. */
  async #isSet() {
    for (const [at, server] of this.#servers.entries()) {
      const { address, port } = server.address();
      const visitor = connect(port, address);
      await once(visitor, 'close');
      assert.equal(this.visits, at + 1, `nobody hears who comes to ${address}`);
    }
    this.visits = 0;
  }

  async #listen(host, port) {
    const server = createServer((socket) => {
      this.visits++;
      socket.destroy();
    });
    server.listen(port, host);
    await once(server, 'listening');
    this.#servers.push(server);
    return server.address().port;
  }

  /** Ways to write its address where a host, a URL or a path on WhatsApp's hosts is read. */
  addresses() {
    const at = `127.0.0.1:${this.port}`;
    return [
      `@${at}/x`,
      `//${at}/x`,
      `http://${at}/x`,
      `https://${at}/x`,
      `https://user@${at}`,
      `https://mmg.whatsapp.net@${at}/x`,
      `\\\\${at}\\x`,
      `/\\${at}/x`,
      `http://[::1]:${this.port}/x`,
      `:${this.port}/x`,
      `/v/../../@${at}/x`,
      `/x?u=http://${at}/\r\nHost: ${at}`,
    ];
  }

  close() {
    for (const server of this.#servers) server.close();
  }
}
