// Statements whose actor is not known yet: how long they wait, and how they name the actor; never whom.

import { call, withQuery } from "./api.js";
import { ago, byId, make, number, setText, showEach } from "./dom.js";

const PAGE = 10;
let items = [], next = null;

/** Make the button work. */
export const startParked = ({ fail }) => byId("parked-more").addEventListener("click", () => loadParked(true).catch(fail));

/** Whether the first page, and no more, is shown. */
export const parkedIsAtStart = () => items.length <= PAGE;

/** Load the list from its start, or `more` of it. */
export async function loadParked(more = false) {
  const page = await call(withQuery("parked", { limit: PAGE, cursor: more ? next : null }));
  items = more ? [...items, ...page.items] : page.items;
  next = page.next;
  showEach(byId("parked"), items, (item) => item.statement_id, row);
  const wait = page.total === 1 ? "statement waits" : "statements wait";
  setText(byId("parked-count"), page.total ? `${number(page.total)} ${wait} for an actor to become known, the longest first.` : "None: every actor is known.");
  byId("parked-more").hidden = next === null;
}

function row(item) {
  return make("li", {}, make("span", { class: "when" }, ago(item.parked_at)), make("code", {}, item.statement_id), make("span", { class: "quiet" }, `named by ${item.identifier}`));
}
