// The plan: the list with its filters, and one item with its form and what was logged for it.

import * as api from "./api.js";
import { button, card, day, labelled, link, make, select } from "./dom.js";
import { labelsOf, recordForm, recordText } from "./form.js";
import { t } from "./language.js";
import { apply, back, badge, removeButton, saved, stateOf } from "./log.js";
import { doing, go, periodChoice } from "./shell.js";

/** The page of the plan: a list, a new item, or one item. */
export const plan = (where) => (where.id === "new" ? newItem() : where.id ? oneItem(where) : list(where));

async function list({ query }) {
  const statuses = await labelsOf("plan", "status");
  const items = await api.everyItem("plan", query);
  const row = (item) => make("li", {},
    make("div", { class: "row-head" }, link(`plan/${item.id}`, item.title ?? t.untitled, { id: `row-${item.id}` }), make("span", {}, badge(item))),
    make("p", { class: "quiet" }, [item.reference, " · ", statuses.name(item.status), " · ", days(item), " · ", t.logged(item.log_ids.length)]));
  return {
    title: t.plan,
    body: [await periodChoice(query.period ?? "all", [["all", t.allYears]]), make("p", {}, link("plan/new", t.addItem, { class: "button", id: "plan-activity" })), filters(query, statuses),
      make("section", { class: "card", "aria-labelledby": "total" }, make("p", { id: "total" }, t.items(items.length)), make("ol", { class: "rows" }, items.map(row)))],
  };
}

const days = ({ start_date: start, completion_date: end }) => (start || end ? make("span", {}, day(start) || "…", " – ", day(end) || "…") : t.noDate);

function filters(query, statuses) {
  const form = make("form", { id: "filter", class: "card filter", "aria-label": t.filterOf, submit: (event) => { event.preventDefault(); apply(form); } },
    labelled(t.search, make("input", { id: "q", name: "q", type: "search", value: query.q ?? "" })),
    labelled(t.status, select("status", [["", t.any], ...statuses.options], query.status)),
    labelled(t.linksTitle, select("linked", [["", t.any], ["true", t.withLinks], ["false", t.withoutLinks]], query.linked)),
    make("div", { class: "buttons" }, make("button", {}, t.filter), button(t.clear, () => go(api.withQuery("plan", { period: query.period })))));
  return form;
}

async function newItem() {
  const key = api.newKey();
  const save = (changes) => api.call("POST", "plan", { body: changes, key });
  return { title: t.addItem, body: [back("plan"), await recordForm({ form: "plan", record: {}, save, after: (item) => saved("plan", item) })] };
}

async function oneItem({ id }) {
  const path = `plan/${id}`;
  const item = await api.get(path);
  const save = (changes, { version }) => api.call("PATCH", path, { body: changes, version });
  const state = make("div", {}, await stateOf("plan", item));
  const shown = item.frozen ? await recordText("plan", item) : await recordForm({ form: "plan", record: item, save, reload: () => api.get(path), after: (now) => saved("plan", now, state) });
  return {
    title: item.title ?? t.untitled,
    body: [back("plan"), state, carried(item), shown, await logged(item), make("section", { class: "buttons" }, !item.frozen && carryButton(item), !item.frozen && removeButton("plan", item))],
  };
}

function carried({ carried_to: to, carried_from: from }) {
  return (to || from) && make("p", {}, to && link(`plan/${to}`, t.carriedTo), to && from && " · ", from && link(`plan/${from}`, t.carriedFrom));
}

const carryButton = ({ id, carried_to: to }) => !to && button(t.carry, doing(async () => {
  const item = await api.call("POST", `plan/${id}/carry-forward`, { key: api.newKey() });
  go(`plan/${item.id}`, t.carriedOver);
}));

async function logged({ log_ids: ids }) {
  const entries = await Promise.all(ids.map((id) => api.get(`log/${id}`)));
  const rows = entries.map((entry) => make("li", { class: "row-head" }, link(`log/${entry.id}`, entry.title ?? t.untitled), make("span", {}, badge(entry))));
  return card(t.loggedFor, rows.length ? make("ul", { class: "rows" }, rows) : make("p", { class: "quiet" }, t.nothingLogged));
}
