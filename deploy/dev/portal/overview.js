// The overview of a membership year: how far it is, what is recorded, and what wants the member.

import { get, languageOf, withQuery } from "./api.js";
import { card, dayInWords, draw, duration, link, make, replace, words } from "./dom.js";
import { t } from "./language.js";
import { labelsOf } from "./form.js";
import { entryRow } from "./log.js";
import { periodChoice } from "./shell.js";

const AWAITED = ["selected", "returned"];

/** The page. It looks again by itself, so that a completion is seen when it arrives. */
export async function overview({ query }) {
  const period = query.period ?? "current";
  const body = make("div", { class: "overview" });
  let seen = await read(period);
  const show = async () => replace(body, ...sections(seen, period, await labelsOf("log", "type")));
  await show();
  const refresh = async () => {
    const now = await read(period);
    if (JSON.stringify(now) === JSON.stringify(seen)) return "";
    const more = now.year.counts.draft - seen.year.counts.draft;
    seen = now;
    await show();
    return more > 0 ? t.newDrafts(more) : "";
  };
  return { title: t.overview, body: [await periodChoice(period), body], refresh };
}

async function read(period) {
  const [me, year, todo] = await Promise.all([
    get("me"), get(`periods/${period}`), get("log", { period, needs_attention: true, limit: 5 }),
  ]);
  return { me, year, todo };
}

function sections({ me, year, todo }, period, types) {
  return [
    selected(me, year), passed(year), counts(year, period), toDo(todo, period, types), byType(year, types),
    targets(year), links(year, period), actions(year, period), help(me),
  ];
}

function passed({ elapsed }) {
  const size = 2 * Math.PI * 42;
  const circle = (name, more = {}) => draw("circle", { cx: 50, cy: 50, r: 42, class: name, ...more });
  const part = { "stroke-dasharray": `${(size * elapsed.percent) / 100} ${size}`, transform: "rotate(-90 50 50)" };
  const ring = draw("svg", { viewBox: "0 0 100 100", class: "ring", "aria-hidden": "true" },
    circle("ring-all"), circle("ring-part", part),
    draw("text", { x: 50, y: 57, "text-anchor": "middle" }, `${Math.floor(elapsed.percent)}%`));
  return make("section", { class: "card passed" }, ring,
    make("div", {}, make("h2", {}, t.elapsedTitle), make("p", { id: "elapsed" }, t.elapsed(elapsed)), make("p", { class: "quiet" }, t.elapsedNote)));
}

function counts({ counts: number, minutes }, period) {
  const tile = (amount, text, state) => make("li", {},
    link(withQuery("log", { period, state }), [make("strong", {}, String(amount)), ` ${text}`], { id: `count-${state}` }));
  return card(t.recorded,
    make("ul", { class: "tiles" }, tile(number.complete, t.complete, "complete"), tile(number.draft, t.drafts, "draft"),
      tile(number.incomplete, t.incomplete, "incomplete")),
    make("p", {}, t.timeSpent(duration(minutes))), number.waiting > 0 && make("p", {}, t.waiting(number.waiting)));
}

function toDo({ items, total }, period, types) {
  if (!total) return card(t.toDo, make("p", {}, t.nothingToDo));
  return card(t.toDo, make("ol", { class: "rows" }, items.map((entry) => entryRow(entry, types))),
    total > items.length && link(withQuery("log", { period, state: "needs_attention" }), t.allToDo(total), { id: "all-to-do" }));
}

function byType({ by_type: amounts }, types) {
  const rows = Object.entries(amounts).map(([type, { total, complete }]) => make("tr", {},
    make("th", { scope: "row" }, types.name(type) ?? t.noType), make("td", {}, String(total)), make("td", {}, String(complete))));
  if (!rows.length) return null;
  const head = [t.type, t.entriesColumn, t.states.complete].map((text) => make("th", { scope: "col" }, text));
  return card(t.byType, make("table", {}, make("thead", {}, make("tr", {}, head)), make("tbody", {}, rows)));
}

/** Guidance of the professional body, where the service has any; never a bar to anything (R57). */
function targets(year) {
  const line = ({ label, text }) => make("li", {}, words(`${label}: ${text}`, languageOf(year)));
  return year.targets?.length ? card(t.targets, make("ul", {}, year.targets.map(line))) : null;
}

function links({ unlinked }, period) {
  const line = (amount, text, path) => make("li", {}, link(withQuery(path, { period, linked: "false" }), text(amount), { id: `unlinked-${path}` }));
  return card(t.linksTitle, make("ul", {}, line(unlinked.planned_not_logged, t.plannedNotLogged, "plan"), line(unlinked.logged_not_planned, t.loggedNotPlanned, "log")));
}

const LEADS = { log_activity: "log/new", add_comment: "comments", export_pdf: "exports", export_zip: "exports", submit_for_review: "audit" };

/** What can be done: what cannot says why, and stays in sight (R26). */
function actions({ actions: offered }, period) {
  const shown = offered.filter(({ name }) => name !== "export_zip");
  return card(t.actionsTitle, make("ul", { class: "actions" }, shown.map(({ name, enabled, reason }) => make("li", {}, enabled
    ? link(withQuery(LEADS[name], { period }), t.actions[name], { id: `action-${name}`, class: "button" })
    : make("span", { class: "quiet" }, t.notNow(t.actions[name], t.reasons[reason] ?? reason))))));
}

function selected({ audit }, year) {
  const open = audit.find(({ state }) => AWAITED.includes(state));
  if (open) return notice(t.selectedTitle, t.selectedText(dayInWords(open.due_date)), " ", link("audit", t.toAudit, { id: "to-audit" }));
  return year.frozen ? notice(t.frozenTitle, t.frozenText) : null;
}

function notice(title, ...text) {
  return make("section", { class: "card selected" }, make("h2", {}, title), make("p", {}, text));
}

function help({ links: addresses }) {
  const known = ["help", "privacy", "survey"].filter((name) => addresses[name]);
  return known.length ? card(t.help, make("ul", {}, known.map((name) => make("li", {}, make("a", { href: addresses[name] }, t.helpLinks[name]))))) : null;
}
