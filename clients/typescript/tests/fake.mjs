/** A fetch that gives each answer in turn, and then the last one again. It keeps the requests. */
export function answering(...answers) {
  const requests = [];
  async function fetch(request) {
    requests.push({
      method: request.method,
      url: request.url,
      headers: request.headers,
      redirect: request.redirect,
      body: request.body && JSON.parse(await request.clone().text()),
    });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer instanceof Error) throw answer;
    return (await answer).clone();
  }
  return { fetch, requests };
}

export const json = (body, status = 200, headers = {}) => Response.json(body, { status, headers });
export const refusal = (status, code, headers) => json({ error: "no", code }, status, headers);

/** A client whose requests these answers get. */
export function scripted(Waitpoints, ...answers) {
  const { fetch, requests } = answering(...answers);
  const waitpoints = new Waitpoints({ url: "https://stack.example.com/", apiKey: "tr_prod_root", fetch });
  return { waitpoints, requests };
}

const TOKEN = { id: "waitpoint_1", url: "https://stack.example.com/1", status: "WAITING", tags: [], createdAt: "2026-11-01T00:00:00.000Z" };
export const token = (more = {}) => json({ ...TOKEN, ...more });
export const completed = (output, more = {}) =>
  token({ status: "COMPLETED", output: JSON.stringify(output), outputType: "application/json", outputIsError: false, ...more });
export const created = (more = {}, headers = {}) =>
  json({ id: "waitpoint_1", url: "https://stack.example.com/1", isCached: false, ...more }, 200, headers);

/** Let pauses end at once. Returns how long they would have lasted, in milliseconds. */
export function withoutPauses(t) {
  const pauses = [];
  const { setTimeout } = globalThis;
  t.mock.method(globalThis, "setTimeout", (run, milliseconds, ...more) => {
    if (milliseconds === 35_000) return setTimeout(run, milliseconds, ...more); // a request's limit
    pauses.push(milliseconds);
    return setTimeout(run, 0, ...more);
  });
  return pauses;
}
