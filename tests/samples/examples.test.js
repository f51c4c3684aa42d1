// `examples/bulk/`: the pollers that we publish, run as they are.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Gateway } from '../support/wapid.js';
import { Workshop } from './support/program.js';
import { PEOPLE, openShop } from './support/shop.js';

const EXAMPLES = [
  { language: 'Node.js', file: 'bulk.mjs' },
  { language: 'PHP', file: 'bulk.php' },
  { language: 'Python', file: 'bulk.py' },
  { language: 'Ruby', file: 'bulk.rb' },
  { language: 'Go', file: 'bulk.go' },
  { language: 'Java', file: 'Bulk.java' },
  { language: 'bash', file: 'bulk.sh' },
];
// What a shell, a command line and JSON each want to have escaped.
const TEXT = '-30% on "all" of Ana\'s \\ cafés, $HOME too\nToday!';

const workshop = new Workshop();
let gateway;

before(async () => {
  gateway = await Gateway.start();
});
after(async () => {
  await gateway?.stop();
  workshop.remove();
});

function run(t, { language, file }, { front, key }, args) {
  const url = new URL(`../../examples/bulk/${file}`, import.meta.url);
  return workshop.start(t, language, url, { args, settings: { WAPID_URL: front.url, WAPID_KEY: key } });
}

/** What an example prints of the answers it heard: a line when something is new. */
function told(polls) {
  const lines = polls.map(({ processed, total, state, waiting }) => {
    const why = waiting ? `: ${waiting.message}` : '';
    const until = waiting?.until ? `, until ${waiting.until}` : '';
    return `${processed}/${total} ${state}${why}${until}`;
  });
  return lines.filter((line, at) => line !== lines[at - 1]);
}

/** A window of one hour in three days, and when it opens. */
function aWindowToCome() {
  const date = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10);
  const day = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'][new Date(date).getUTCDay()];
  return { windows: [{ days: [day], from: '09:00', to: '10:00' }], opensAt: `${date}T09:00:00.000Z` };
}

describe('examples/bulk', { concurrency: true }, () => {
  for (const example of EXAMPLES) {
    const { language } = example;

    test(`the ${language} example watches its job to the end, and finds it again when it is started again`, async (t) => {
      const shop = await openShop(t, gateway);
      const program = await run(t, example, shop, [TEXT, ...PEOPLE]);
      const { jobId, key } = await program.runsUntil(shop.front.job());
      assert.equal(await program.end(), 0, program.said);

      const lines = told(shop.front.polls());
      assert.deepEqual(program.lines, [`Job ${jobId}`, ...lines, '2 sent, 0 failed'], program.said);
      assert.equal(lines.at(-1), '2/2 completed');
      assert.match(key, /^[0-9a-f]{64}$/i);

      const again = await run(t, example, shop, [TEXT, ...PEOPLE]);
      assert.equal(await again.end(), 0, again.said);
      assert.deepEqual(again.lines, [`Job ${jobId}`, '2/2 completed', '2 sent, 0 failed'], again.said);
      assert.deepEqual(await shop.shown(), [[TEXT], [TEXT]]);
    });

    test(`the ${language} example says why its job waits, and ends with 1 when it is cancelled`, async (t) => {
      const sessionId = 'second number';
      const shop = await openShop(t, gateway, { sessionId });
      const { windows, opensAt } = aWindowToCome();
      await shop.settings({ windows });
      const program = await run(t, example, shop, ['--session', sessionId, TEXT, ...PEOPLE]);
      const { jobId } = await program.runsUntil(shop.front.job());
      await program.runsUntil(shop.front.poll('that its job waits, twice', ({ state }) => state === 'waiting', 2));

      await shop.change(jobId, 'cancel');
      assert.equal(await program.end(), 1, program.said);
      const lines = told(shop.front.polls());
      assert.deepEqual(program.lines, [`Job ${jobId}`, ...lines, '0 sent, 0 failed'], program.said);
      const waiting = `0/2 waiting: No sending window is open, until ${opensAt}`;
      assert.deepEqual(lines.slice(-2), [waiting, '0/2 cancelled']);
    });

    test(`the ${language} example says why it is refused and ends with 1`, async (t) => {
      const { key } = await gateway.tenant(`nobody-${language}`);
      const program = await run(t, example, { front: gateway, key }, [TEXT, ...PEOPLE]);
      assert.equal(await program.end(), 1, program.said);
      assert.deepEqual(program.lines, []);
      assert.match(program.said, /^.+ \(SESSION_NOT_FOUND\)\n$/);
    });
  }

  test('the C# example watches its job to the end', (t) =>
    t.skip('no .NET SDK: Debian packages none, so nobody has run bulk.cs here'));
});
