// The client that @hey-api/openapi-ts makes compiles, links a number, sends and reads, parsing each answer with zod.

import { copyFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { createClient } from '@hey-api/openapi-ts';

import { Gateway } from '../support/wapid.js';
import { Folder, expectDone } from './support/folder.js';

const driver = fileURLToPath(new URL('drivers/client.ts', import.meta.url));
const compiler = fileURLToPath(new URL('node_modules/typescript/bin/tsc', import.meta.url));
const OPTIONS = {
  compilerOptions: {
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2023', 'dom', 'dom.iterable'],
    strict: true,
    skipLibCheck: true,
    outDir: 'built',
    types: ['node'],
  },
  include: ['client.ts', 'generated'],
};

test('a generated TypeScript client links, sends and reads', async (t) => {
  const folder = new Folder('typescript');
  after(() => folder.remove());
  const gateway = await Gateway.start();
  after(() => gateway.stop());
  const tenant = await gateway.tenant('shop');
  await folder.describe(gateway);
  await createClient({
    input: folder.description,
    output: { path: folder.join('generated'), module: { extension: '.js' } },
    plugins: ['@hey-api/client-fetch', '@hey-api/typescript', 'zod', { name: '@hey-api/sdk', validator: 'zod' }],
    logs: { level: 'silent' },
  });
  copyFileSync(driver, folder.join('client.ts'));
  writeFileSync(folder.join('package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(folder.join('tsconfig.json'), JSON.stringify(OPTIONS));
  folder.run(process.execPath, compiler, '--project', folder.path);
  const { stdout } = folder.run(process.execPath, folder.join('built', 'client.js'), gateway.url, tenant.key);
  expectDone(stdout, '5511900000001');
});
