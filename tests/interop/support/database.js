// Databases for gateways: a file of its own, or one of its own on the server that the tests run on.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import pg from 'pg';

const script = fileURLToPath(new URL('../../support/postgres.sh', import.meta.url));

/** The settings of a gateway with a database of its own, and how to take it away again. */
export async function database(engine) {
  if (engine === 'sqlite') return { settings: {}, drop: async () => {} };
  const { url, stop } = server();
  const name = `wapid_interop_${randomBytes(8).toString('hex')}`;
  const ask = async (statement) => {
    const client = new pg.Client(url);
    await client.connect();
    await client.query(statement).finally(() => client.end());
  };
  await ask(`CREATE DATABASE ${name}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  return {
    settings: { WAPID_DATABASE_URL: own.href },
    drop: async () => {
      await ask(`DROP DATABASE ${name} WITH (FORCE)`);
      stop();
    },
  };
}

/** The one that `./test` started, or else a private one. */
function server() {
  if (process.env.WAPID_TEST_POSTGRES) return { url: process.env.WAPID_TEST_POSTGRES, stop: () => {} };
  const folder = mkdtempSync(join(tmpdir(), 'wapid-postgres-'));
  const url = execFileSync(script, ['start', folder], { encoding: 'utf8' }).trim();
  return { url, stop: () => execFileSync(script, ['stop', folder]) };
}
