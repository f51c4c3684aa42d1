// A customer with a number, people to write to, and programs to do it with.

import { Front } from './front.js';
import { until } from '../../support/until.js';

/** The two numbers in the samples. */
export const PEOPLE = ['919876543210', '919876543211'];
/** The shop's own, which no sample has. */
export const NUMBER = '5511900000001';

let shops = 0;

/**
 * A tenant of its own, so that no two programs share a session's pace, behind a front of its own.
 *
 * `made` is run with a job's id and `change` before the program hears of its job.
 */
export async function openShop(t, gateway, { sessionId = 'main', people = PEOPLE, tls, made } = {}) {
  const tenant = await gateway.tenant(`shop-${++shops}`);
  const phones = await Promise.all(people.map((number, at) => tenant.phone(number, `Person ${at + 1}`)));
  const session = await tenant.linked(sessionId, await tenant.phone(NUMBER, 'Shop'));
  const change = (jobId, how) => tenant.call('POST', `/api/whatsapp/bulk-job/${jobId}/${how}`);
  const front = await Front.start(gateway.url, { tls, made: made && ((jobId) => made(jobId, change)) });
  t.after(() => front.stop());
  const read = (jobId) => tenant.call('GET', `/api/whatsapp/bulk-job/${jobId}`);
  return {
    tenant,
    phones,
    session,
    key: tenant.key,
    front,
    change,
    settings: (settings) => tenant.call('PUT', '/api/whatsapp/settings', settings),
    completed: (jobId) =>
      until('the job to be completed', async () => {
        const job = await read(jobId);
        return job.status === 'completed' && job;
      }),
    /** What every phone shows, once it shows anything. */
    shown: () =>
      Promise.all(
        phones.map((phone) =>
          until(`${phone.number} to show a message`, async () => {
            const messages = await phone.messages();
            return messages.length > 0 && messages.map(({ message }) => message);
          }),
        ),
      ),
  };
}
