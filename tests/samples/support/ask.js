// Asking as the page of seed 001 does, and comparing what is answered with what the page shows.

import assert from 'node:assert/strict';

import { shown } from './page.js';

// The forms of what is new in each answer. The page's own examples have them too.
export const MESSAGE_ID = /^3EB0[0-9A-F]{16,18}$/;
export const JOB_ID = /^[0-9a-f]{24}$/;
export const SECONDS = /^\d{10}$/;
export const MILLISECONDS = /^\d{13}$/;
export const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
export const PICTURE = /^data:image\/png;base64,/;

/** Asks as the page does, and answers `[status, body]`: "All requests and responses use application/json". */
export async function ask({ url, key }, method, path, text, header = 'X-API-Key') {
  const headers = { ...(key && { [header]: key }), ...(text && { 'Content-Type': 'application/json' }) };
  const response = await fetch(`${url}${path}`, { method, headers, body: text });
  assert.match(response.headers.get('content-type'), /^application\/json(;|$)/, path);
  return [response.status, await response.json()];
}

/** The same, where the answer is yes. */
export async function get(customer, path) {
  const [status, answer] = await ask(customer, 'GET', path);
  assert.equal(status, 200, JSON.stringify(answer));
  return answer;
}
export async function post(customer, path, text) {
  const [status, answer] = await ask(customer, 'POST', path, text);
  assert.equal(status, 200, JSON.stringify(answer));
  return answer;
}

/** That every field that the page shows is there and is the same; of those in `forms`, type and form are. */
export function assertShown(answer, documented, forms = {}) {
  const fixed = (fields) => Object.keys(documented).flatMap((name) => (name in forms ? [] : [[name, fields[name]]]));
  assert.deepEqual(fixed(answer), fixed(documented));
  for (const [name, form] of Object.entries(forms)) {
    assert.equal(typeof answer[name], typeof documented[name], name);
    assert.match(String(documented[name]), form, `${name} on the page`);
    assert.match(String(answer[name]), form, name);
  }
}

export function assertError([status, answer], expected, about) {
  assert.equal(status, expected, JSON.stringify(answer));
  assertShown(answer, shown('Error Handling'), { error: /./, code: /^[A-Z_]+$/ });
  if (about) assert.match(answer.error, about);
}
