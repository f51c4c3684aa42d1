// Google's own library judges how numbers are read: every country, its mobile numbers, in all their spellings,
// with the home of who asks, with none, and with somebody else's.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { corpus, googleReads } from './support/corpus.js';
import { DIFFERENCES } from './support/differences.js';
import { weRead } from './support/ours.js';

const rows = corpus();
const read = weRead(rows);
const judged = rows.map((row, place) => {
  const ours = read[place].startsWith('!') ? null : read[place];
  return { ...row, ours, why: read[place], google: googleReads(row.text, row.home) };
});

const line = ({ region, digits, spelling, home, text, why, google }) =>
  `${digits} of ${region}, ${spelling}, in ${home || 'no home'}: ${JSON.stringify(text)} is ${why}; Google says ${google}`;
const some = (list) => `${list.length}:\n${list.slice(0, 20).map(line).join('\n')}`;

describe('numbers, judged by Google', () => {
  test('the corpus has every country that has mobiles', () => {
    assert.ok(new Set(rows.map((row) => row.region)).size > 230);
    assert.ok(rows.length > 100_000, `${rows.length} texts`);
  });

  test("nobody else's number is ever read", () => {
    const strangers = judged.filter(({ ours, digits }) => ours !== null && ours !== digits);
    assert.equal(strangers.length, 0, some(strangers));
  });

  test('no difference is without its reason', () => {
    const used = new Set();
    const unexplained = judged.filter((row) => {
      if (row.ours === row.google) return false;
      const reason = DIFFERENCES.find(
        ({ spellings, regions, homes, we }) =>
          spellings.includes(row.spelling) &&
          (!regions || regions.includes(row.region)) &&
          (!homes || homes.includes(row.home)) &&
          (we === 'refuse') === (row.ours === null),
      );
      used.add(reason);
      return !reason;
    });
    assert.equal(unexplained.length, 0, some(unexplained));
    const idle = DIFFERENCES.filter((reason) => !used.has(reason));
    assert.deepEqual(idle, [], 'reasons for which there is no difference any more');
  });
});
