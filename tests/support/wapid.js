// The processes under test and the doors a user has to them.
//
// Every process gets its own folder and a port of its own, so any number of runs work side by side.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { call } from './http.js';
import { DEADLINE_MS, until } from './until.js';

const built = fileURLToPath(new URL('../../target/debug/wapid', import.meta.url));
const binary = process.env.WAPID_BINARY ?? built;
if (!existsSync(binary)) throw new Error(`${binary} does not exist; run \`cargo build\` or set WAPID_BINARY`);

/** One `wapid` process, with the settings of this test and none of the caller's. */
class Process {
  #child;
  #said = [];

  constructor(args, settings = {}) {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('WAPID_'));
    this.args = args;
    this.#child = spawn(binary, args, {
      env: { ...Object.fromEntries(inherited), ...settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.ended = once(this.#child, 'close').then(([code, signal]) => (this.exit = signal ?? code));
    this.lines = createInterface({ input: this.#child.stdout });
    this.lines.on('line', (line) => this.#said.push(line));
    createInterface({ input: this.#child.stderr }).on('line', (line) => this.#said.push(line));
  }

  /** What it printed, for the report of a test that failed. */
  get said() {
    return this.#said.join('\n');
  }

  get pid() {
    return this.#child.pid;
  }

  /** The first line for which `pick` has an answer. */
  line(what, pick) {
    return until(`wapid ${this.args[0]} to print ${what}`, () => {
      for (const line of this.#said) {
        const answer = pick(line);
        if (answer) return answer;
      }
      if (this.exit !== undefined) throw new Error(`wapid ${this.args[0]} ended (${this.exit}):\n${this.said}`);
    });
  }

  async stop(signal = 'SIGTERM') {
    this.#child.kill(signal);
    const late = setTimeout(() => this.#child.kill('SIGKILL'), DEADLINE_MS);
    await this.ended;
    clearTimeout(late);
  }
}

/** Runs a command to its end and answers the JSON it printed. */
export async function ask(args, settings) {
  const process = new Process(args, settings);
  const code = await process.ended;
  if (code !== 0) throw new Error(`wapid ${args.join(' ')} ended with ${code}:\n${process.said}`);
  return JSON.parse(process.said);
}

/** The sandbox alone, as other people's clients use it. */
export class Sandbox {
  /** With a `folder`, it keeps itself there and serves media over HTTPS too. */
  static async start({ folder } = {}) {
    const sandbox = new Sandbox();
    const kept = folder ? ['--folder', folder, '--media', '127.0.0.1:0'] : [];
    sandbox.process = new Process(['sandbox', '--listen', '127.0.0.1:0', '--json', ...kept]);
    const keys = await sandbox.process.line('its keys', (line) => line.startsWith('{') && JSON.parse(line));
    return Object.assign(sandbox, keys);
  }

  /** One with media over HTTPS, in the name of the authority that this process was started to trust. */
  static async withMedia() {
    const folder = mkdtempSync(join(tmpdir(), 'wapid-sandbox-'));
    cpSync(process.env.INTEROP_AUTHORITY_FOLDER, folder, { recursive: true });
    return Object.assign(await Sandbox.start({ folder }), { folder });
  }

  get url() {
    return `http://${this.listen}`;
  }

  /** A phone of its phone book. */
  async phone(book, number, name) {
    const headers = { authorization: `Bearer ${this.token}` };
    const tell = (method, url, { body } = {}) => call(method, url, { body, headers });
    await tell('POST', `${this.url}/control/${book}/phones`, { body: { phone: number, name } });
    const at = `${this.url}/control/${book}/phones/${number}`;
    return {
      number,
      name,
      scan: (qr) => tell('POST', `${at}/scan`, { body: { qr } }),
      enterCode: (code) => tell('POST', `${at}/enter-code`, { body: { code } }),
      send: async (to, message) => {
        const body = typeof message === 'string' ? { to, type: 'text', message } : { to, ...message };
        return (await tell('POST', `${at}/messages`, { body })).id;
      },
      messages: async () => (await tell('GET', `${at}/messages`)).messages,
      read: (messageId) => tell('POST', `${at}/read`, { body: { messageId } }),
      sees: (other) => tell('GET', `${at}/sees/${other}`),
      devices: async () => (await tell('GET', `${at}/devices`)).devices,
      unlink: () => tell('POST', `${at}/unlink`, { body: {} }),
      fault: (kind, more) => tell('POST', `${this.url}/control/${book}/faults`, { body: { phone: number, kind, ...more } }),
      /** The message with this text, or the one of which `wanted` says yes. */
      shown: (wanted) => {
        const pick = typeof wanted === 'string' ? ({ message }) => message === wanted : wanted;
        return until(`the phone of ${name} to show ${wanted}`, async () =>
          (await tell('GET', `${at}/messages`)).messages.find(pick),
        );
      },
      media: async (id) => {
        const response = await fetch(`${at}/messages/${encodeURIComponent(id)}/media`, { headers });
        if (!response.ok) throw new Error(`no medium: ${response.status}`);
        return Buffer.from(await response.arrayBuffer());
      },
    };
  }

  async stop() {
    await this.process.stop();
    if (this.folder) rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A gateway, on a sandbox in another process or, without one, on its own. */
export class Gateway {
  static async start(sandbox, settings = {}) {
    const gateway = new Gateway();
    gateway.dir = mkdtempSync(join(tmpdir(), 'wapid-gateway-'));
    gateway.settings = {
      WAPID_DATA_DIR: gateway.dir,
      WAPID_LISTEN: '127.0.0.1:0',
      ...(sandbox && {
        WAPID_SANDBOX_URL: sandbox.url,
        WAPID_SANDBOX_KEY: sandbox.staticKey,
        WAPID_SANDBOX_TOKEN: sandbox.token,
      }),
      WAPID_LOG: process.env.WAPID_LOG ?? 'info',
      ...settings,
    };
    gateway.process = new Process(['serve'], gateway.settings);
    gateway.url = await gateway.process.line('its address', (line) => line.match(/is up: (http:\S+)/)?.[1]);
    return gateway;
  }

  /** A new tenant; what it has, nobody else sees. */
  async tenant(name) {
    const { tenantId, testKey } = await ask(['tenant', 'create', '--name', name, '--json'], this.settings);
    return new Tenant(this.url, tenantId, testKey);
  }

  async stop() {
    await this.process.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** One customer of a gateway, with a test key and a phone book of its own. */
class Tenant {
  constructor(url, id, key) {
    Object.assign(this, { url, id, key });
  }

  call(method, path, body) {
    return call(method, `${this.url}${path}`, { body, headers: { 'x-api-key': this.key } });
  }

  async phone(number, name) {
    await this.call('POST', '/api/sandbox/phones', { phone: number, name });
    const at = `/api/sandbox/phones/${number}`;
    return {
      number,
      scan: (qr) => this.call('POST', `${at}/scan`, { qr }),
      enterCode: (code) => this.call('POST', `${at}/enter-code`, { code }),
      read: (messageId) => this.call('POST', `${at}/read`, { messageId }),
      send: (to, message) => this.call('POST', `${at}/messages`, { to, type: 'text', message }),
      messages: async () => (await this.call('GET', `${at}/messages`)).messages,
      shown: (text) =>
        until(`the phone of ${name} to show "${text}"`, async () =>
          (await this.call('GET', `${at}/messages`)).messages.find((message) => message.message === text),
        ),
    };
  }

  /** A session linked to a phone of this tenant, ready to send. */
  async linked(sessionId, phone) {
    await this.call('POST', '/api/whatsapp/session', { sessionId });
    const session = { id: sessionId, number: phone.number };
    const at = `/api/whatsapp/session/${encodeURIComponent(sessionId)}`;
    const status = () => this.call('GET', `${at}/status`);
    const { qrText } = await until(`${sessionId} to show a QR`, async () => {
      const now = await status();
      return now.qrText && now;
    });
    await phone.scan(qrText);
    await until(`${sessionId} to be ready`, async () => (await status()).status === 'ready');
    session.call = (method, tail, body) => this.call(method, `${at}${tail}`, body);
    session.send = async (to, message) => (await this.call('POST', `${at}/send`, { to, type: 'text', message })).messageId;
    /** The row of the message log for which `pick` says yes. */
    session.logged = (what, pick) =>
      until(`${sessionId} to log ${what}`, async () =>
        (await this.call('GET', `/api/whatsapp/messages?sessionId=${encodeURIComponent(sessionId)}&limit=100`)).messages.find(pick),
      );
    return session;
  }
}
