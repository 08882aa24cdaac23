// The Register Audit: what is asked of the member, what is missing, and the submission.

import * as api from "./api.js";
import { byId, card, day, labelled, link, make, words } from "./dom.js";
import { t } from "./language.js";
import { ask, doing, range, say } from "./shell.js";

const AWAITED = ["selected", "returned"];

/** The page of the member's cases, newest first. */
export async function audit() {
  const [cases, { items: periods }] = await Promise.all([api.everyItem("audit"), api.get("periods")]);
  const shown = await Promise.all(cases.map((one) => oneCase(one, periods.find(({ id }) => id === one.period_id), api.languageOf(cases))));
  return { title: t.audit, body: [make("p", {}, t.auditIs), cases.length ? shown : card(t.notSelected, make("p", {}, t.notSelectedText))] };
}

async function oneCase(audited, period, language) {
  const facts = [[t.state, t.caseStates[audited.state]], [t.dueDate, day(audited.due_date)], [t.submittedAt, day(audited.submitted_at, true)],
    [t.receipt, audited.receipt], [t.outcome, audited.outcome], [t.feedback, audited.feedback]].filter(([, value]) => value);
  return make("article", { class: "case" },
    card(period ? range(period) : audited.period_id, make("dl", {}, facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))),
      audited.state === "submitted" && make("p", {}, t.frozenText)),
    AWAITED.includes(audited.state) && [await readiness(audited), submission(audited, language), extension(audited)]);
}

async function readiness({ id }) {
  const found = await api.get(`audit/${id}/readiness`);
  const { advice, missing, drafts } = found, language = api.languageOf(found);
  const records = [...drafts, ...missing.filter((gap) => !drafts.some((draft) => draft.id === gap.id))];
  const gaps = ({ fields }) => (fields ? ` – ${fields.map(({ label }) => label).join(", ")}` : "");
  return card(t.readiness, make("p", {}, t.readinessIs),
    advice.length ? make("ul", {}, advice.map((text) => make("li", {}, words(text, language)))) : make("p", {}, t.nothingMissing),
    records.length > 0 && make("details", {}, make("summary", {}, t.openRecords(records.length)),
      make("ul", {}, records.map((record) => make("li", {}, link(`${record.kind}/${record.id}`, record.title ?? t.untitled), words(gaps(record), language))))));
}

function submission({ id, declarations }, language) {
  const key = api.newKey();
  const send = async (event) => {
    const accepted = declarations.map((declaration) => ({ id: declaration.id, accepted: byId(declaration.id).checked }));
    if (accepted.some((declaration) => !declaration.accepted)) return say(t.acceptAll);
    if (!await ask({ title: t.submitTitle, text: t.submitText, yes: t.submit })) return event.target.querySelector("button").focus();
    const receipt = await api.call("POST", `audit/${id}/submission`, { body: { declarations: accepted }, key });
    say(t.submitted(receipt.receipt));
    return window.dispatchEvent(new CustomEvent("show"));
  };
  const ticks = declarations.map((declaration) => make("label", { class: "tick" }, make("input", { type: "checkbox", id: declaration.id }), words(declaration.text, language)));
  return card(t.submit, make("form", { submit: doing(send) }, make("fieldset", {}, make("legend", {}, t.declarations), ticks), make("button", { class: "main", id: "submit" }, t.submitDots)));
}

function extension({ id, extensions }) {
  const decided = extensions.map(({ until, decision, feedback }) => make("li", {}, day(until), ": ", t.decisions[decision ?? "open"], feedback && ` – ${feedback}`));
  const isOpen = extensions.some(({ decision }) => decision === null);
  const send = async () => {
    await api.call("POST", `audit/${id}/extension-requests`, { body: { until: byId("until").value, reason: byId("why").value }, key: api.newKey() });
    say(t.asked);
    window.dispatchEvent(new CustomEvent("show"));
  };
  return card(t.moreTime, decided.length > 0 && make("ul", {}, decided), !isOpen && make("form", { submit: doing(send) },
    labelled(t.untilWhen, make("input", { id: "until", type: "date", required: true })), labelled(t.why, make("textarea", { id: "why", rows: 3, required: true, maxlength: 5000 })), make("button", {}, t.askMoreTime)));
}
