// Public validators find nothing to say about openapi.json.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';

import { createConfig, lintFromString } from '@redocly/openapi-core';
import { Validator } from '@seriousme/openapi-schema-validator';

import { Gateway } from '../support/wapid.js';
import { Folder } from './support/folder.js';

/** Rules that do not hold here, and why. */
const NOT_OURS = {
  // A WebSocket opens with 101. That each operation has an answer of success is tested in tests/it/openapi.rs.
  'operation-2xx-response': 'off',
};

describe('validators', { concurrency: true }, () => {
  let gateway;
  const folder = new Folder('validators');

  before(async () => {
    gateway = await Gateway.start();
    await folder.describe(gateway);
  });

  after(async () => {
    await gateway?.stop();
    folder.remove();
  });

  test('redocly finds nothing, not even to warn of', async () => {
    const config = await createConfig({ extends: ['recommended'], rules: NOT_OURS });
    const source = readFileSync(folder.description, 'utf8');
    const problems = await lintFromString({ source, absoluteRef: 'openapi.json', config });
    const told = problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`);
    assert.deepEqual(told, []);
  });

  test('@seriousme/openapi-schema-validator finds it valid', async () => {
    const { valid, errors } = await new Validator().validate(folder.description);
    assert.ok(valid, JSON.stringify(errors, undefined, 2));
  });

  test('openapi-spec-validator of PyPI finds it valid', () => {
    const { stdout } = folder.run('python3', '-m', 'openapi_spec_validator', folder.description);
    assert.match(stdout, /OK/);
  });

  test('a description that is wrong is found', async () => {
    const description = JSON.parse(readFileSync(folder.description, 'utf8'));
    delete description.paths['/healthz'].get.responses['200'].description;
    const { valid } = await new Validator().validate(description);
    assert.ok(!valid);
  });
});
