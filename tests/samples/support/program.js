// Programs as a user starts them: in an environment of their own, until they end by themselves.

import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

import { DEADLINE_MS } from '../../support/until.js';

const modules = fileURLToPath(new URL('../node_modules', import.meta.url));

// Debian's modules belong to Debian's Python, which need not be the first one on the path.
const withModule = (name) =>
  ['python3', '/usr/bin/python3'].find((python) => spawnSync(python, ['-c', `import ${name}`]).status === 0);
const withRequests = withModule('requests');
/** Where Flask is, if it is anywhere; and the same of Sinatra. */
export const withFlask = withModule('flask');
export const withSinatra = spawnSync('ruby', ['-e', 'require "sinatra/base"']).status === 0;

/** How a file of each language is started with its settings: the words of its command line. */
const COMMANDS = {
  'Node.js': (file) => ['node', file],
  PHP: (file) => ['php', file],
  'PHP, served': (file, { PORT }) => ['php', '-S', `127.0.0.1:${PORT}`, file],
  Python: (file) => [withRequests ?? 'python3', file],
  'Python, Flask': (file) => [withFlask, file],
  Ruby: (file) => ['ruby', file],
  // `go run` would answer 1 for every exit code and outlive a signal, so it is built first.
  Go: async (file) => {
    await promisify(execFile)('go', ['build', '-o', `${file}.program`, file]);
    return [`${file}.program`];
  },
  // Without the second compiler, which a program of one page never pays back.
  Java: (file) => ['java', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', file],
  bash: (file) => ['bash', file],
};

/** A port for a program that is told where to listen. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** A folder for the copies that run, so that what a tool leaves beside a file is not left in the repository. */
export class Workshop {
  #folder = mkdtempSync(join(tmpdir(), 'wapid-samples-'));

  path(name) {
    return join(this.#folder, name);
  }

  /** A file with this text, for `start`. */
  write(name, text) {
    const path = join(mkdtempSync(this.path('text-')), name);
    writeFileSync(path, text);
    return pathToFileURL(path);
  }

  /** Starts a copy of the file at `url`, of which `edit` may change the text. It does not outlive test `t`. */
  async start(t, language, url, { args = [], settings, edit = (text) => text }) {
    const copy = join(mkdtempSync(this.path('run-')), basename(fileURLToPath(url)));
    writeFileSync(copy, edit(readFileSync(url, 'utf8')));
    const [command, ...words] = await COMMANDS[language](copy, settings);
    const program = new Program(command, [...words, ...args], settings);
    t.after(() => program.kill());
    return program;
  }

  remove() {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

class Program {
  #child;
  #out = '';
  #said = '';
  #ended;

  /** With nothing in its environment but where tools and modules are, and `settings`. */
  constructor(command, args, settings) {
    const { PATH, HOME, TMPDIR } = process.env;
    const env = { PATH, HOME, ...(TMPDIR && { TMPDIR }), LANG: 'C.UTF-8', NODE_PATH: modules, ...settings };
    this.#child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout.setEncoding('utf8').on('data', (text) => {
      this.#out += text;
      this.#said += text;
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text) => (this.#said += text));
    this.#ended = once(this.#child, 'close').then(([code, signal]) => (this.exit = signal ?? code));
    // A program that is missing is told to whoever waits for its end; nobody need be waiting yet.
    this.#ended.catch(() => {});
  }

  /** Waits for `fact`; a program that ends before it is a failure that tells what the program said. */
  runsUntil(fact) {
    const early = this.#ended.then(() => {
      throw new Error(`it ended with ${this.exit} before that; it said:\n${this.#said}`);
    });
    return Promise.race([fact, early]);
  }

  /** Its exit code, once it ended by itself. */
  async end() {
    let late;
    const deadline = new Promise((_, failed) => {
      late = setTimeout(() => failed(new Error(`still running after ${DEADLINE_MS / 1000} s`)), DEADLINE_MS);
    });
    try {
      return await Promise.race([this.#ended, deadline]);
    } catch (problem) {
      problem.message += `; it said:\n${this.#said}`;
      throw problem;
    } finally {
      clearTimeout(late);
    }
  }

  /** Everything it printed, errors too, for the report of a test that failed. */
  get said() {
    return this.#said;
  }

  /** What it printed as its result, line by line. */
  get lines() {
    return this.#out.split('\n').slice(0, -1);
  }

  kill() {
    this.#child.kill('SIGKILL');
  }
}
