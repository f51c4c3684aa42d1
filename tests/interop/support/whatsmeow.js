// whatsmeow clients linked to phones of the sandbox. They live in one Python process, as an application's would.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { Facts } from '../../support/until.js';

const driver = fileURLToPath(new URL('whatsmeow.py', import.meta.url));
const modules = fileURLToPath(new URL('../python_modules', import.meta.url));

export class Whatsmeow {
  #facts = new Facts();
  #process;
  #asked = 0;
  #said = [];

  /** `sandbox` is one that runs alone; it is its clients' only network. */
  constructor(sandbox) {
    this.folder = mkdtempSync(join(tmpdir(), 'wapid-whatsmeow-'));
    this.#process = spawn('python3', [driver, this.folder, sandbox.listen, sandbox.rootKey], {
      env: { ...process.env, PYTHONPATH: modules, PYTHONDONTWRITEBYTECODE: '1' },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // neonize prints what else it likes.
    createInterface({ input: this.#process.stdout }).on('line', (line) => {
      if (line.startsWith('{')) this.#facts.add(JSON.parse(line));
      else this.#said.push(line);
    });
    createInterface({ input: this.#process.stderr }).on('line', (line) => this.#said.push(line));
    this.#process.on('close', (code, signal) => this.#facts.add({ ended: signal ?? code ?? 'unknown' }));
    // What is written to a process that is gone shows as its end.
    this.#process.stdin.on('error', () => {});
  }

  async call(client, call, ...args) {
    const id = ++this.#asked;
    this.#process.stdin.write(`${JSON.stringify({ id, client, call, args })}\n`);
    const answer = await this.first(`an answer of whatsmeow to ${call}`, (fact) => fact.id === id && fact);
    if (answer.error !== undefined) throw new Error(`${call}: ${answer.error}`);
    return answer.result;
  }

  /** The first answer of `pick` to anything it tells; its end is nobody's answer. */
  async first(what, pick) {
    const found = await this.#facts.first(what, (fact) => pick(fact) || (fact.ended !== undefined && fact));
    if (found.ended !== undefined) throw new Error(`whatsmeow ended (${found.ended}) before ${what}:\n${this.#said.join('\n')}`);
    return found;
  }

  /** A client of this name that is not linked yet. */
  async open(name) {
    await this.call(name, 'open');
    const heard = (what, event, pick = (fact) => fact) =>
      this.first(`${name} to ${what}`, (fact) => fact.client === name && fact.event === event && pick(fact));
    return {
      call: (call, ...args) => this.call(name, call, ...args),
      qr: async () => (await heard('show a QR', 'qr')).qr,
      online: (nth = 1) => {
        let seen = 0;
        return heard(`be online for time ${nth}`, 'connected', (fact) => ++seen === nth && fact);
      },
      loggedOut: () => heard('be logged out', 'loggedOut'),
      replaced: () => heard('be replaced', 'replaced'),
      received: (text) => heard(`receive "${text}"`, 'message', (fact) => fact.text === text && fact),
    };
  }

  async stop() {
    this.#process.stdin.end();
    if (this.#process.exitCode === null && this.#process.signalCode === null) await once(this.#process, 'close');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
