// What became of a statement, in the words of the service: by its id, by a member, or by an identifier.

import { call, Problem, withQuery } from "./api.js";
import { ago, byId, make, number, setText, showEach } from "./dom.js";

const PAGE = 10;
const STATEMENT = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const WAYS = { amqp: "RabbitMQ", http: "HTTP", pull: "pull" };
let sought = null, items = [], next = null, searches = 0;

/** Make the form and the button work. */
export function startStatements({ fail }) {
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    sought = byId("sought").value.trim();
    if (sought) load(false).catch(fail);
  });
  byId("search").addEventListener("reset", forgetStatements);
  byId("statements-more").addEventListener("click", () => load(true).catch(fail));
}

/** Show nothing of anybody any more. */
export function forgetStatements() {
  searches += 1;
  byId("sought").value = "";
  show([], null, "");
}

/** What is asked for: an identifier has a sign in it that no member id has, or the length of a SHA-1. */
const kind = (text) => (/[@|{:]/.test(text) || /^[0-9a-f]{40}$/i.test(text) ? "identifier" : "member_id");

/** What is said when nothing was found; an account written as in a file of members is a usual cause. */
const nothing = () => `No such statement was received.${/#/.test(sought) ? " An account is written with | between home page and name." : ""}`;

async function load(more) {
  const search = (searches += 1);
  const page = STATEMENT.test(sought) ? await single(sought) : await call(withQuery("statements", { [kind(sought)]: sought, limit: PAGE, cursor: more ? next : null }));
  if (search !== searches) return; // another search, or none, is what is wanted by now
  const rows = more ? [...items, ...page.items] : page.items;
  const word = page.total === 1 ? "statement" : "statements, the newest first";
  show(rows, page.next, page.total ? `${number(page.total)} ${word}.` : nothing());
}

/** A statement by its id, as a page. */
async function single(id) {
  try {
    return { items: [await call(`statements/${id}`)], next: null, total: 1 };
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return { items: [], next: null, total: 0 };
    throw error;
  }
}

function show(rows, beyond, text) {
  items = rows;
  next = beyond;
  byId("statements").replaceChildren();
  showEach(byId("statements"), items, (item) => item.id, row);
  setText(byId("statements-count"), text);
  byId("statements-more").hidden = next === null;
}

function row(item) {
  const facts = [item.detail, item.member_id && `member ${item.member_id}`, item.entry_id && `entry ${item.entry_id}`, item.via && `came by ${WAYS[item.via] ?? item.via}`];
  return make(
    "li", {},
    make("p", {}, item.text),
    make("p", { class: "quiet" }, item.received_at ? ago(item.received_at) : "", " ", make("code", {}, item.id), " ", facts.filter(Boolean).join(", ")),
  );
}
