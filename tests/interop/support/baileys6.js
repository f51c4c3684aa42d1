// Baileys 6, as it is still in wide use: the same words as for 7, and what it does in another way.

import { Agent } from 'node:https';
import { createRequire } from 'node:module';
import { connect } from 'node:tls';

import * as baileys6 from 'baileys6';

import { Baileys } from './baileys.js';

/** By version: 6.17.16, which npm calls the latest, is older than 6.7.24 and reads another dictionary. */
export const libraries = { '6.7.24': baileys6, '6.17.16': createRequire(import.meta.url)('baileys6-latest') };

export class Baileys6 extends Baileys {
  #library;
  #media;

  constructor(network, book, version) {
    super(network, book, { library: libraries[version] });
    this.#library = libraries[version];
    this.#media = network.media;
  }

  /** It downloads from `mmg.whatsapp.net` whatever it is told; the connection goes to the sandbox instead. */
  download(message) {
    const [host, port] = this.#media.split(':');
    const httpsAgent = new Agent();
    httpsAgent.createConnection = (options) => connect({ ...options, host, port, servername: 'localhost' });
    return this.#library.downloadMediaMessage(message, 'buffer', { options: { httpsAgent } });
  }
}
