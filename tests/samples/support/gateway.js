// A gateway that may reach this machine, and the commands of its operator.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { until } from '../../support/until.js';
import { Gateway } from '../../support/wapid.js';

const built = fileURLToPath(new URL('../../../target/debug/wapid', import.meta.url));
const binary = process.env.WAPID_BINARY ?? built;

const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('WAPID_'));
const environment = (settings) => ({ ...Object.fromEntries(inherited), ...settings });

/** A gateway that may reach this machine, by HTTPS too where the certificate at `trusted` is the only good one. */
export async function openGateway(trusted) {
  const dir = mkdtempSync(join(tmpdir(), 'wapid-gateway-'));
  const settings = {
    WAPID_DATA_DIR: dir,
    WAPID_LISTEN: '127.0.0.1:0',
    WAPID_LOG: process.env.WAPID_LOG ?? 'info',
    WAPID_SSRF_ALLOW: '127.0.0.1',
    ...(trusted && { SSL_CERT_FILE: trusted }),
  };
  const child = spawn(binary, ['serve'], { env: environment(settings), stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
  const ended = once(child, 'close');
  const stop = async () => {
    child.kill();
    await ended;
  };
  const url = await until('the gateway to be up', () => {
    if (child.exitCode !== null) throw new Error(`wapid serve ended with ${child.exitCode}:\n${said}`);
    return said.match(/is up: (http:\S+)/)?.[1];
  });
  return Object.assign(new Gateway(), { dir, settings, url, process: { stop } });
}

/** What a command of this gateway's operator answers. */
export async function operate(gateway, ...args) {
  const options = { env: environment(gateway.settings) };
  const { stdout } = await promisify(execFile)(binary, [...args, '--json'], options);
  return JSON.parse(stdout);
}
