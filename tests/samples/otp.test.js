// The one-time password of seed 001's page in eight languages: each program as it stands there, but for the
// address that it calls.
//
// They are taken from `seed/page.txt`. The page has lost their indentation, which only Python misses:
// `seed/otp.py` has it again.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { until } from '../support/until.js';
import { Gateway } from '../support/wapid.js';
import { program, seeded, under } from './support/page.js';
import { Workshop } from './support/program.js';
import { openShop } from './support/shop.js';
import { certificate } from './support/tls.js';

const OTP = 'Code Example — OTP Verification';
const [BASE] = under('Base URL').split('\n');

const VALID = 'Valid for 10 minutes.';
const PROGRAMS = [
  // Its last lines are "in your auth route", which is an async function: a program of CommonJS awaits in no
  // other place.
  { tab: 'Node.js', file: 'otp.js', says: `${VALID}\nDo not share this code.`, edit: inRoute },
  { tab: 'PHP', file: 'otp.php' },
  { tab: 'Python', file: 'otp.py', edit: () => seeded('otp.py') },
  // It switches TLS on by itself.
  { tab: 'Ruby', file: 'otp.rb', isTls: true },
  { tab: 'Go', file: 'otp.go' },
  { tab: 'Java', file: 'WapiOtp.java' },
  { tab: 'cURL', language: 'bash', file: 'otp.sh' },
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

function inRoute(text) {
  const usage = '// Usage in your auth route:\n';
  assert.ok(text.includes(usage));
  return `${text.replace(usage, `${usage}(async () => {\n`)}})();\n`;
}

describe('the OTP programs of seed 001', { concurrency: true }, () => {
  for (const { tab, language = tab, file, says = VALID, edit = (text) => text, isTls } of PROGRAMS) {
    test(`the ${tab} program sends its code`, async (t) => {
      const { key, front, phones } = await openShop(t, gateway, { tls: isTls && tls });
      const text = edit(program(OTP, tab));
      assert.ok(text.includes(BASE), `${file} names no ${BASE}`);
      const settings = { WAPI_KEY: key, SSL_CERT_FILE: tls.path };
      const url = workshop.write(file, text.replaceAll(BASE, front.url));
      const running = await workshop.start(t, language, url, { settings });
      assert.equal(await running.end(), 0, running.said);

      const [message, ...more] = await until('the phone to show a message', async () => {
        const messages = await phones[0].messages();
        return messages.length > 0 && messages;
      });
      assert.deepEqual(more, []);
      const [code] = message.message.match(/\d{6}/) ?? [];
      assert.equal(message.message, `*Verification Code*\n\nYour OTP is *${code}*. ${says}\n\n_WapiConnect Security_`);
      assert.deepEqual(await phones[1].messages(), []);
    });
  }

  test('the C# program sends its code', (t) =>
    t.skip('no .NET SDK: Debian packages none, so nobody has run the C# program of the page here'));
});
