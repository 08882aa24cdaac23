// The public API, called as the member whose token is kept in this tab. All that the portal shows comes through here.

import { t } from "./language.js";

const ROOT = new URL("../v1/", document.baseURI);
const KEY = "cpd-portal-token";

/** A call that was refused: `slug` says which kind (RFC 9457), `errors` name the fields, `detail` says it in words. */
export class Problem extends Error {
  constructor(status, problem, language) {
    super(problem.errors?.map(({ label, message }) => `${label}: ${message}`).join(" ") || problem.detail || problem.title || t.refused(status));
    this.status = status;
    this.language = language;
    this.slug = problem.type?.split("/").at(-1) ?? "";
    this.errors = problem.errors ?? [];
  }
}

export const isSignedIn = () => sessionStorage.getItem(KEY) !== null;
export const signIn = (token) => sessionStorage.setItem(KEY, token);
export const signOut = () => sessionStorage.removeItem(KEY);

const languages = new WeakMap();

/** The language of the words in an answer; English unless it said another. */
export const languageOf = (answer) => languages.get(answer) ?? "en";

/** A key for `Idempotency-Key`: sent again with the same call, it is done once. */
export const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

async function answered(method, path, { body, version, key, signal } = {}) {
  const isFile = body instanceof FormData;
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(KEY)}`, "Accept-Language": t.accept };
  if (body !== undefined && !isFile) headers["Content-Type"] = "application/json";
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  if (key) headers["Idempotency-Key"] = key;
  const sent = isFile ? body : JSON.stringify(body);
  const answer = await fetch(new URL(path, ROOT), { method, headers, body: sent, signal, cache: "no-store" });
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({})), answer.headers.get("Content-Language") ?? "en");
  return answer;
}

/** Make a call and return the decoded answer; throws `Problem`, or `TypeError` when nothing answers. */
export async function call(method, path, options) {
  const answer = await answered(method, path, options);
  if (answer.status === 204) return null;
  const body = await answer.json();
  languages.set(body, answer.headers.get("Content-Language") ?? "en");
  return body;
}

/** Read `path` with a query of what is not empty. */
export const get = (path, query = {}) => call("GET", withQuery(path, query));

/** A path with those of `query` that say something. */
export function withQuery(path, query) {
  const said = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value !== undefined && value !== null));
  return said.size ? `${path}?${said}` : path;
}

/** The first `count` items of a list, page after page, with the `total` of it. */
export async function firstItems(path, query, count) {
  const items = [];
  let page = { next: undefined };
  while (page.next !== null && items.length < count) {
    page = await get(path, { ...query, limit: Math.min(count - items.length, 200), cursor: page.next });
    items.push(...page.items);
  }
  languages.set(items, languageOf(page));
  return { items, total: page.total };
}

/** Every item of a list. */
export const everyItem = async (path, query = {}) => (await firstItems(path, query, Infinity)).items;

/** Save a file: the token goes in a header, so a plain link would not do. */
export async function download(path, name) {
  const answer = await answered("GET", path);
  const said = answer.headers.get("Content-Disposition")?.match(/filename="([^"]+)"/)?.[1];
  const address = URL.createObjectURL(await answer.blob());
  Object.assign(document.createElement("a"), { href: address, download: name ?? said ?? "download" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
