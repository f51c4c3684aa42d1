// The client that openapi-python-client makes has every operation, links a number, sends and reads.

import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Gateway } from '../support/wapid.js';
import { Folder, expectDone } from './support/folder.js';

const driver = fileURLToPath(new URL('drivers/client.py', import.meta.url));

test('a generated Python client links, sends and reads', async () => {
  const folder = new Folder('python');
  after(() => folder.remove());
  const gateway = await Gateway.start();
  after(() => gateway.stop());
  const tenant = await gateway.tenant('shop');
  await folder.describe(gateway);
  // What the generator would format with is none of our business.
  writeFileSync(folder.join('config.yml'), 'post_hooks: []\n');
  const { stdout, stderr } = folder.run(
    ...['python3', '-m', 'openapi_python_client', 'generate', '--path', folder.description],
    ...['--output-path', folder.join('wapid_client'), '--meta', 'none', '--config', folder.join('config.yml')],
  );
  assert.doesNotMatch(stdout + stderr, /warning|error|unsupported|skipp/i);
  copyFileSync(driver, folder.join('client.py'));
  const said = folder.run('python3', folder.join('client.py'), gateway.url, tenant.key);
  expectDone(said.stdout, '5511900000001');
  assert.ok(readFileSync(folder.description, 'utf8').length < 600_000, 'the description has grown large');
});
