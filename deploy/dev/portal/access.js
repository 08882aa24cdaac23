// Who read the record and by which right, and whom the member lets look.

import * as api from "./api.js";
import { button, byId, card, day, labelled, make, select, words } from "./dom.js";
import { t } from "./language.js";
import { doing, say } from "./shell.js";

/** The page of access. */
export async function access() {
  const [history, grants] = await Promise.all([api.everyItem("access-history"), api.everyItem("support-grants")]);
  const look = (row) => make("li", {}, words(row.text, api.languageOf(history)), make("p", { class: "quiet" }, day(row.at, true)));
  return {
    title: t.access,
    body: [card(t.accessHistory, history.length ? make("ol", { class: "rows" }, history.map(look)) : make("p", { class: "quiet" }, t.nobodyRead)), support(grants)],
  };
}

const again = () => window.dispatchEvent(new CustomEvent("show", { detail: { focus: "support-title" } }));

function support(grants) {
  const row = ({ id, reason, state, expires_at: until }) => make("li", { class: "row-head" },
    make("span", {}, reason, make("span", { class: "quiet" }, " ", t.grantStates[state], " ", t.until.toLowerCase(), " ", day(until, true))),
    state === "live" && button(t.revoke, doing(async () => { await api.call("DELETE", `support-grants/${id}`); say(t.revoked); again(); }), { "aria-label": `${t.revoke}: ${reason}` }));
  const give = async () => {
    await api.call("POST", "support-grants", { body: { reason: byId("reason").value, hours: Number(byId("hours").value) }, key: api.newKey() });
    say(t.granted);
    again();
  };
  return make("section", { class: "card" }, make("h2", { id: "support-title", tabindex: "-1" }, t.support), make("p", {}, t.supportIs),
    grants.length > 0 && make("ul", { class: "rows" }, grants.map(row)),
    make("form", { submit: doing(give) }, labelled(t.grantReason, make("input", { id: "reason", required: true, maxlength: 2000, autocomplete: "off" })),
      labelled(t.howLong, select("hours", [1, 24, 72, 168].map((hours) => [String(hours), t.forHours(hours)]), "24")), make("button", {}, t.grant)));
}
