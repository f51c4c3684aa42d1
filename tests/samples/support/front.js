// What stands where a program believes the API to be.
//
// It hands every request to the gateway and every answer back, byte for byte, and remembers both: some
// samples print nothing between their start and their end, and only here one sees that they still poll.

import { once } from 'node:events';
import { createServer, request as ask } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { buffer } from 'node:stream/consumers';

import { Facts } from '../../support/until.js';

export class Front {
  #facts = new Facts();
  #server;
  #gateway;
  #made;

  /** With `tls` (`{key, cert}`) it speaks HTTPS. `made` is run with a job's id before its maker hears of it. */
  static async start(gateway, { tls, made } = {}) {
    const front = new Front();
    front.#gateway = gateway;
    front.#made = made;
    const serve = (asked, answer) => front.#pass(asked, answer).catch((problem) => answer.destroy(problem));
    front.#server = tls ? createTlsServer(tls, serve) : createServer(serve);
    front.#server.listen(0, '127.0.0.1');
    await once(front.#server, 'listening');
    front.url = `${tls ? 'https' : 'http'}://127.0.0.1:${front.#server.address().port}`;
    return front;
  }

  async #pass(asked, answer) {
    const { method, url: path, headers } = asked;
    const passed = ask(`${this.#gateway}${path}`, { method, headers });
    passed.end(await buffer(asked));
    const [heard] = await once(passed, 'response');
    const body = await buffer(heard);
    const isNewJob = heard.statusCode === 200 && path.endsWith('/send-bulk');
    const isPoll = method === 'GET' && path.startsWith('/api/whatsapp/bulk-job/');
    const text = body.toString();
    if (isNewJob) {
      const { jobId } = JSON.parse(text);
      await this.#made?.(jobId);
      this.#facts.add({ jobId, key: headers['idempotency-key'] });
    }
    if (isPoll) this.#facts.add({ poll: JSON.parse(text), text });
    answer.writeHead(heard.statusCode, heard.headers).end(body);
  }

  /** The job that the program made, and the idempotency key it gave. */
  job() {
    return this.#facts.first('the program to make a job', (fact) => fact.jobId && fact);
  }

  /** What the program has been told of its job so far, oldest first. */
  polls() {
    return this.#facts.all((fact) => fact.poll).map((fact) => fact.poll);
  }

  /** The same as the program read it. */
  texts() {
    return this.#facts.all((fact) => fact.poll).map((fact) => fact.text);
  }

  /** The `nth` answer for which `pick` says yes. */
  poll(what, pick, nth = 1) {
    let seen = 0;
    return this.#facts.first(`the program to hear ${what}`, ({ poll }) => poll && pick(poll) && ++seen === nth);
  }

  stop() {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
