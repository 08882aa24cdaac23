// Calls the service as whoever's token is kept in this tab. The page has no data of its own: all of it comes from here.

const KEY = "cpd-bridge-ops-token";
const ROOT = new URL("../", document.baseURI);

/** A call that was refused, in the words of the service (RFC 9457). */
export class Problem extends Error {
  constructor(status, problem) {
    const said = problem.errors?.map((fault) => fault.message).join(" ") || problem.detail || problem.title;
    super(said || `The service answered ${status}.`);
    this.status = status;
  }
}

/** Whether there is a token to call with. */
export const isSignedIn = () => sessionStorage.getItem(KEY) !== null;

/** Keep a token for as long as the tab is open. */
export const signIn = (token) => sessionStorage.setItem(KEY, token);

/** Forget the token. */
export const signOut = () => sessionStorage.removeItem(KEY);

/** The decoded answer of a call below `/v1/ops/`; throws `Problem`, or `TypeError` when nothing answers. */
export async function call(path, body, signal) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(KEY)}` };
  const sent = body === undefined ? {} : { method: "POST", ...(body && { body: JSON.stringify(body) }) };
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(new URL(`v1/ops/${path}`, ROOT), { headers, signal, cache: "no-store", ...sent });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, told);
  return told;
}

/** What the service leans on, by name; nothing at all when the service itself does not answer. */
export async function health(signal) {
  const answer = await fetch(new URL("health/ready", ROOT), { signal, cache: "no-store" });
  return (await answer.json()).dependencies;
}

/** `path` with those of `given` that say something as its query. */
export function withQuery(path, given) {
  const query = new URLSearchParams(Object.entries(given).filter(([, value]) => value));
  return query.size ? `${path}?${query}` : path;
}
