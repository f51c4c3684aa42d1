// A description of a running gateway in a folder of its own, and programs run beside it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const suite = fileURLToPath(new URL('..', import.meta.url));

/** Below the suite, so that what is generated finds the suite's packages. */
export class Folder {
  constructor(name) {
    this.path = mkdtempSync(join(suite, `.${name}-`));
  }

  join(...names) {
    return join(this.path, ...names);
  }

  async describe(gateway) {
    const answer = await fetch(`${gateway.url}/openapi.json`);
    assert.equal(answer.status, 200);
    this.description = this.join('openapi.json');
    writeFileSync(this.description, await answer.text());
  }

  /** Runs a program to its end and answers what it printed. */
  run(command, ...args) {
    const env = { ...process.env, PYTHONPATH: [join(suite, 'python_modules'), this.path].join(':') };
    const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: this.path, env, encoding: 'utf8' });
    assert.equal(status, 0, `${command} ${args.join(' ')}:\n${error ?? ''}${stdout}${stderr}`);
    return { stdout, stderr };
  }

  remove() {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** What both programs say when all went well. */
export function expectDone(said, phone) {
  const told = JSON.parse(said.trim().split('\n').at(-1));
  const { sent, ...rest } = told;
  assert.deepEqual(rest, {
    shown: sent,
    logged: sent,
    ready: [phone],
    timelock: true,
    sessions: 1,
    preview: ['Hello there', 'Hello Ana'],
    refused: 'SESSION_NOT_FOUND',
  });
}
