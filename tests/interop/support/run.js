// Runs the tests in a Node that believes the sandbox's media host, as an application would be started.
//
// Node reads whom it trusts once, when it starts. So the authority is made first, in a folder of which
// the sandboxes of the tests get copies.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Sandbox } from '../../support/wapid.js';

const folder = mkdtempSync(join(tmpdir(), 'wapid-authority-'));
const { process: first, mediaAuthority } = await Sandbox.start({ folder });
await first.stop();

const args = ['--test', '--test-force-exit', '--test-reporter=spec', ...process.argv.slice(2)];
const env = { ...process.env, INTEROP_AUTHORITY_FOLDER: folder, NODE_EXTRA_CA_CERTS: mediaAuthority };
const [code] = await once(spawn(process.execPath, args, { env, stdio: 'inherit' }), 'close');
rmSync(folder, { recursive: true, force: true });
process.exitCode = code ?? 1;
