/** One JSON call. A refusal is an error that carries `status` and the `{error, code}` of the body. */
export async function call(method, url, { body, headers } = {}) {
  const response = await fetch(url, {
    method,
    headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) {
    const refusal = new Error(`${method} ${url}: ${response.status} ${answer.code}: ${answer.error}`);
    throw Object.assign(refusal, { status: response.status, code: answer.code });
  }
  return answer;
}
