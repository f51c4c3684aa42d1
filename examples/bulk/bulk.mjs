// Sends one text to many and watches the job to its end.
//
//   WAPID_KEY=wapid_test_… node bulk.mjs [--session main] TEXT NUMBER...

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

const { WAPID_URL = 'http://127.0.0.1:8080', WAPID_KEY = '' } = process.env;

async function call(method, path, { headers, body } = {}) {
  const response = await fetch(WAPID_URL + path, { method, headers: { 'X-API-Key': WAPID_KEY, ...headers }, body });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${answer.error} (${answer.code})`);
  return answer;
}

async function start(session, message, recipients) {
  const path = `/api/whatsapp/session/${encodeURIComponent(session)}/send-bulk`;
  const body = JSON.stringify({ message, recipients });
  // The same campaign has the same key: started twice within a day, it is one job.
  const key = createHash('sha256').update(path + body).digest('hex');
  const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': key };
  return (await call('POST', path, { headers, body })).jobId;
}

async function watch(jobId) {
  for (let shown; ; await sleep(2000)) {
    const job = await call('GET', `/api/whatsapp/bulk-job/${jobId}`);
    let line = `${job.processed}/${job.total} ${job.state}`;
    if (job.waiting) line += `: ${job.waiting.message}`;
    if (job.waiting?.until) line += `, until ${job.waiting.until}`;
    if (line !== shown) console.log((shown = line));
    if (job.status === 'completed' || job.status === 'failed') return job;
  }
}

const words = process.argv.slice(2);
const [, session] = words[0] === '--session' ? words.splice(0, 2) : ['', 'main'];
const [message, ...recipients] = words;
if (recipients.length === 0) {
  console.error('usage: node bulk.mjs [--session main] TEXT NUMBER...');
  process.exit(2);
}
try {
  const jobId = await start(session, message, recipients);
  console.log(`Job ${jobId}`);
  const { status, succeeded, failed } = await watch(jobId);
  console.log(`${succeeded} sent, ${failed} failed`);
  process.exitCode = status === 'completed' ? 0 : 1;
} catch (problem) {
  // What fetch says of a gateway that is not there is in the cause.
  console.error(problem.cause?.message ?? problem.message);
  process.exitCode = 1;
}
