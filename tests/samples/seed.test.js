// The bulk campaign of seed 001 in eight languages, as its readers copied it: each sample meets a gateway
// unmodified, but that it calls this test's address.
//
// The files in `seed/` are the seed's text; only the indentation, which the seed lost, is restored. Five
// samples and PHP's read the job's `status` and end as it says. Java's and cURL's look for `"failed"`
// anywhere in the answer, where the documented count `"failed":0` always stands: they stop at once.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Gateway } from '../support/wapid.js';
import { Workshop } from './support/program.js';
import { openShop } from './support/shop.js';
import { certificate } from './support/tls.js';

/** Where the samples believe the API to be. */
const BASE = 'https://api.wapiconnect.cloud';
const SALE = 'Big Sale! 40% off today.';

const progress = (polls) => polls.map(({ processed, total }) => `${processed}/${total} sent`);
const started = (jobId, polls) => [`Job started: ${jobId}`, ...progress(polls)];
const done = (polls) => polls.slice(-1).map(({ succeeded, failed }) => `Done: ${succeeded} sent, ${failed} failed`);

/** Those that read `status`; `prints` says what of a job's id and the answers it heard. */
const PATIENT = [
  { language: 'Node.js', file: 'campaign.js', message: 'Big Sale! 40% off everything today.', prints: started },
  { language: 'PHP', file: 'campaign.php', message: SALE, prints: (_, polls) => done(polls) },
  { language: 'Python', file: 'campaign.py', message: SALE, prints: (_, polls) => progress(polls) },
  // It switches TLS on by itself, so it alone is served by TLS: to turn that off would change the sample.
  { language: 'Ruby', file: 'campaign.rb', message: SALE, prints: (_, polls) => progress(polls), isTls: true },
  { language: 'Go', file: 'campaign.go', message: SALE, prints: (_, polls) => progress(polls) },
];

/** Those that stop at their first answer. */
const HASTY = [
  { name: 'Java', language: 'Java', file: 'BulkCampaign.java', prints: (_, texts) => texts },
  { name: 'cURL', language: 'bash', file: 'campaign.sh', prints: (jobId, texts) => [`Job started: ${jobId}`, ...texts] },
];

const workshop = new Workshop();
let gateway;
let tls;

before(async () => {
  tls = certificate(workshop);
  gateway = await Gateway.start();
});
after(async () => {
  await gateway?.stop();
  workshop.remove();
});

/** Runs a sample with the base URL of this shop's front in it. */
function run(t, { language, file }, { front, key }) {
  const edit = (text) => {
    assert.ok(text.includes(BASE), `${file} names no ${BASE}`);
    return text.replaceAll(BASE, front.url);
  };
  const settings = { WAPI_KEY: key, SSL_CERT_FILE: tls.path };
  return workshop.start(t, language, new URL(`seed/${file}`, import.meta.url), { settings, edit });
}

describe('seed 001', { concurrency: true }, () => {
  for (const sample of PATIENT) {
    const { language, message, prints, isTls } = sample;

    test(`the ${language} sample ends when everybody has the message`, async (t) => {
      const shop = await openShop(t, gateway, { tls: isTls && tls });
      const program = await run(t, sample, shop);
      const { jobId } = await program.runsUntil(shop.front.job());
      assert.equal(await program.end(), 0, program.said);

      const polls = shop.front.polls();
      assert.deepEqual(program.lines, prints(jobId, polls), program.said);
      const { status, processed, total, succeeded, failed } = polls.pop();
      assert.deepEqual([status, processed, total, succeeded, failed], ['completed', 2, 2, 2, 0]);
      for (const { status } of polls) assert.match(status, /^(pending|running)$/);
      assert.deepEqual(await shop.shown(), [[message], [message]]);
    });

    test(`the ${language} sample polls on while its job is paused and ends when it is cancelled`, async (t) => {
      const made = (jobId, change) => change(jobId, 'pause');
      const shop = await openShop(t, gateway, { tls: isTls && tls, made });
      const program = await run(t, sample, shop);
      const { jobId } = await program.runsUntil(shop.front.job());
      await program.runsUntil(shop.front.poll('of a paused job, three times', ({ paused }) => paused, 3));

      await shop.change(jobId, 'cancel');
      assert.equal(await program.end(), 0, program.said);
      const polls = shop.front.polls();
      assert.deepEqual(program.lines, prints(jobId, polls), program.said);
      const last = polls.pop();
      assert.deepEqual([last.status, last.reason, last.paused], ['failed', 'cancelled', false]);
      assert.ok(last.processed < 2, `the pause came too late: ${last.processed} were processed`);
      for (const { status } of polls) assert.equal(status, 'running');
    });
  }

  for (const sample of HASTY) {
    const { name, prints } = sample;

    test(`the ${name} sample stops at its first answer, and its job goes on without it`, async (t) => {
      // Paused, so that a slow machine does not complete the job before the first look at it.
      const shop = await openShop(t, gateway, { made: (jobId, change) => change(jobId, 'pause') });
      const program = await run(t, sample, shop);
      const { jobId } = await program.runsUntil(shop.front.job());
      assert.equal(await program.end(), 0, program.said);

      const [poll, ...more] = shop.front.polls();
      assert.deepEqual(more, []);
      assert.equal(poll.status, 'running');
      assert.ok(poll.processed < poll.total, `${poll.processed} of ${poll.total} were processed`);
      assert.deepEqual(program.lines, prints(jobId, shop.front.texts()), program.said);
      await shop.change(jobId, 'resume');
      const { succeeded, failed } = await shop.completed(jobId);
      assert.deepEqual([succeeded, failed], [2, 0]);
      assert.deepEqual(await shop.shown(), [[SALE], [SALE]]);
    });
  }

  test('the C# sample ends when everybody has the message', (t) =>
    t.skip('no .NET SDK: Debian packages none, so nobody has run seed/campaign.cs here'));
});
