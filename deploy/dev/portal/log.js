// The log: the list with its filters, and one entry with its form, links and evidence.

import * as api from "./api.js";
import { button, byId, card, day, labelled, link, make, replace, select } from "./dom.js";
import { evidence } from "./evidence.js";
import { labelsOf, missing, recordForm, recordText } from "./form.js";
import { t } from "./language.js";
import { ask, doing, go, periodChoice, place, say } from "./shell.js";

const STATES = { draft: { draft: true }, incomplete: { draft: false, complete: false }, complete: { complete: true }, needs_attention: { needs_attention: true } };

/** The page of the log: a list, a new entry, or one entry. */
export const log = (where) => (where.id === "new" ? newEntry(where) : where.id ? oneEntry(where) : list(where));

/** The state of a record in a word, never by colour alone. */
export function badge({ draft, complete, frozen }) {
  const state = draft ? "draft" : complete ? "complete" : "incomplete";
  return [make("span", { class: `badge ${state}` }, t.states[state]), frozen && make("span", { class: "badge frozen" }, t.frozen)];
}

/** A row of the log; `types` has what the types are called. */
export function entryRow(entry, types) {
  const facts = [entry.reference, day(entry.date) || t.noDate, types.name(entry.type)].filter(Boolean).flatMap((fact, at) => (at ? [" · ", fact] : [fact]));
  return make("li", {}, make("div", { class: "row-head" }, link(`log/${entry.id}`, entry.title ?? t.untitled, { id: `row-${entry.id}` }), make("span", {}, badge(entry))),
    make("p", { class: "quiet" }, facts));
}

async function list({ query }) {
  const period = query.period ?? "current";
  const types = await labelsOf("log", "type");
  const { state, period: _, ...rest } = query;
  const filter = { period, ...rest, ...STATES[state] };
  const rows = make("ol", { class: "rows" }), total = make("p", { id: "total" }), more = make("div", { class: "buttons" });
  let count = 20, shown = "";
  const refresh = async () => {
    const page = await api.firstItems("log", filter, count);
    if (JSON.stringify(page) === shown) return false;
    shown = JSON.stringify(page);
    replace(total, t.entries(page.total));
    replace(rows, page.items.map((entry) => entryRow(entry, types)));
    replace(more, page.total > count && button(t.showMore, doing(() => { count *= 2; return refresh(); }), { id: "more" }));
    return true;
  };
  await refresh();
  return {
    title: t.log,
    body: [await periodChoice(period, [["all", t.allYears]]), make("p", {}, link("log/new", t.actions.log_activity, { class: "button", id: "log-activity" })),
      filters(query, types), make("section", { class: "card", "aria-labelledby": "total" }, total, rows, more)],
    refresh: async () => (await refresh()) && t.listChanged,
  };
}

function filters(query, types) {
  const states = [["", t.any], ...Object.keys(STATES).map((state) => [state, t.states[state]])];
  const order = ["-date", "date", "title", "type", "complete"].map((value) => [value, t.sorts[value]]);
  const field = (name, attributes) => make("input", { id: name, name, value: query[name] ?? "", ...attributes });
  const form = make("form", { id: "filter", class: "card filter", "aria-label": t.filterOf, submit: (event) => { event.preventDefault(); apply(form); } },
    labelled(t.search, field("q", { type: "search" })), labelled(t.state, select("state", states, query.state)),
    labelled(t.type, select("type", [["", t.any], ...types.options], query.type)),
    labelled(t.source, select("source", [["", t.any], ...Object.entries(t.sources)], query.source)),
    labelled(t.linksWithPlan, select("linked", [["", t.any], ["true", t.yes], ["false", t.no]], query.linked)),
    labelled(t.from, field("date_from", { type: "date" })), labelled(t.until, field("date_to", { type: "date" })),
    labelled(t.sort, select("sort", order, query.sort)),
    make("div", { class: "buttons" }, make("button", {}, t.filter), button(t.clear, () => go(api.withQuery("log", { period: query.period })))));
  return form;
}

/** Go to the same list with what the filter says. */
export function apply(form) {
  const { name, query } = place();
  go(api.withQuery(name, { period: query.period, ...Object.fromEntries(new FormData(form)) }));
}

const finished = () => ({ name: "draft", label: t.finished, help: t.finishedHelp });

async function newEntry() {
  const key = api.newKey();
  const save = (changes) => api.call("POST", "log", { body: changes, key });
  const form = await recordForm({ form: "log", record: { draft: true }, save, after: (entry) => saved("log", entry), extra: finished() });
  return { title: t.actions.log_activity, body: [back("log"), form] };
}

/** A link back to a list. */
export const back = (name) => make("p", {}, link(name, t.backTo[name]));

/** What the state of a record is, and what it still needs. */
export const stateOf = async (name, record) => [make("p", {}, badge(record)),
  record.frozen ? frozenNote(record) : record.missing_fields.length > 0 && card(t.stillEmpty, await missing(name, record))];

/** Say what saving a record came to, and show its state; a new one gets its own page. */
export async function saved(name, record, state = null) {
  const text = record.complete ? t.savedComplete : record.draft ? t.savedDraft : t.savedGaps;
  if (!state) return go(`${name}/${record.id}`, text);
  say(text);
  byId("heading").textContent = record.title ?? t.untitled;
  return replace(state, await stateOf(name, record));
}

async function oneEntry({ id }) {
  const path = `log/${id}`;
  const entry = await api.get(path);
  const save = (changes, { version }) => api.call("PATCH", path, { body: changes, version });
  const state = make("div", {}, await stateOf("log", entry));
  const form = entry.frozen ? await recordText("log", entry)
    : await recordForm({ form: "log", record: entry, save, reload: () => api.get(path), after: (now) => saved("log", now, state), extra: finished() });
  const renew = async (section, again) => { // a link or a file changes the record beside the form, where something may be written
    const newer = await api.get(path);
    form.renew(newer);
    section.replaceWith(await again(newer, renew));
  };
  return {
    title: entry.title ?? t.untitled,
    body: [back("log"), state, provenance(entry), form, await planLinks(entry, renew), await evidence(entry, renew), make("section", { class: "buttons" }, copyButton(entry), !entry.frozen && removeButton("log", entry))],
  };
}

/** Why a record cannot be changed. */
const frozenNote = ({ frozen_since: since }) => make("p", { class: "card" }, t.frozenSince, " ", day(since), ". ", t.frozenText);

function provenance({ provenance: origin }) {
  return origin && make("p", { class: "quiet" }, t.fromCentre, " ", day(origin.received_at, true), origin.voided && ` ${t.voided}`);
}

const copyButton = ({ id }) => button(t.copy, doing(async () => {
  const entry = await api.call("POST", `log/${id}/copy`, { key: api.newKey() });
  go(`log/${entry.id}`, t.copied);
}));

/** A button that deletes a record after a question, and offers to bring it back. */
export function removeButton(name, { id, version }) {
  return button(t.remove, doing(async () => {
    if (!await ask({ title: t.removeTitle, text: t.removeText, yes: t.remove })) return;
    await api.call("DELETE", `${name}/${id}`, { version });
    go(name, t.removed, button(t.undo, doing(async () => {
      await api.call("POST", `${name}/${id}/restore`);
      go(`${name}/${id}`, t.restored);
    })));
  }), { class: "danger" });
}

async function planLinks(entry, renew) {
  const items = await api.everyItem("plan");
  const linked = items.filter(({ id }) => entry.plan_ids.includes(id)), others = items.filter((item) => !linked.includes(item));
  const name = (item) => `${item.reference ?? ""} ${item.title ?? t.untitled}`.trim();
  const change = (method, item, text) => doing(async () => {
    await api.call(method, `log/${entry.id}/links/${item()}`);
    say(text);
    await renew(byId("links"), planLinks);
    byId("links-title").focus();
  });
  const rows = linked.map((item) => make("li", { class: "row-head" }, link(`plan/${item.id}`, name(item)),
    !entry.frozen && button(t.unlink, change("DELETE", () => item.id, t.unlinked), { "aria-label": `${t.unlink}: ${name(item)}` })));
  const add = !entry.frozen && others.length > 0 && make("form", { class: "inline", submit: change("PUT", () => byId("plan-item").value, t.linked) },
    labelled(t.linkWith, select("plan-item", others.map((item) => [item.id, name(item)]))), make("button", {}, t.linkIt));
  return make("section", { class: "card", id: "links" }, make("h2", { id: "links-title", tabindex: "-1" }, t.linksWithPlan), rows.length ? make("ul", { class: "rows" }, rows) : make("p", { class: "quiet" }, t.noLinks), add);
}
