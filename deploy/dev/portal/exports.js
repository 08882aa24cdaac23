// Copies of the record to keep. They work while it is frozen, too.

import * as api from "./api.js";
import { button, byId, card, make } from "./dom.js";
import { t } from "./language.js";
import { doing, periodChoice, say } from "./shell.js";

const FILES = ["log.pdf", "log.zip", "plan.pdf", "plan.ics", "record.zip"];

/** The page of exports. */
export async function exports({ query }) {
  const period = query.period ?? "current";
  const save = (name, more = {}) => doing(async () => {
    say(t.making);
    await api.download(api.withQuery(`exports/${name}`, more), name);
    say(t.saved(name));
  });
  const chosen = (name) => save(name, { period, include: byId("include").checked ? "all" : "completed" });
  const row = (name, act) => make("li", { class: "row-head" }, make("span", {}, t.files[name]), button(t.download, (event) => act(name)(event), { "aria-label": `${t.download}: ${t.files[name]}`, id: name }));
  return {
    title: t.exports,
    body: [await periodChoice(period, [["all", t.allYears]]),
      card(t.ofTheYear, make("label", { class: "tick" }, make("input", { type: "checkbox", id: "include" }), t.includeAll), make("ul", { class: "rows" }, FILES.map((name) => row(name, chosen)))),
      card(t.ofEverything, make("p", {}, t.subjectAccess), make("ul", { class: "rows" }, row("subject-access.zip", save)))],
  };
}
