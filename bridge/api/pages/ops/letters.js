// The dead letters: which, why, and what to do with them, one by one or all that a filter names.

import { call, withQuery } from "./api.js";
import { closeLetter, confirmed, fillLetter, showLetter } from "./dialogs.js";
import { ago, byId, bytes, inFull, make, number, setText, showEach, spoken } from "./dom.js";

const PAGE = 25;
let filter = {}; // as the list takes it
let items = [], next = null, total = 0;
let tell, fail; // how the page speaks: what was done, and what went wrong

/** Make the controls work. */
export function startLetters(speak) {
  ({ tell, fail } = speak);
  const form = byId("filter");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    choose(Object.fromEntries(new FormData(form)));
  });
  form.addEventListener("reset", () => setTimeout(() => choose({})));
  byId("letters-more").addEventListener("click", () => loadLetters(true).catch(fail));
  byId("replay-all").addEventListener("click", () => settleAll("replay"));
  byId("discard-all").addEventListener("click", () => settleAll("discard"));
}

/** Show how many letters there are for each reason; each is a way to filter by it. */
export function showReasons(reasons) {
  const found = Object.entries(reasons).sort(([, one], [, other]) => other - one);
  showEach(byId("reasons"), found, ([reason]) => reason, ([reason]) => make("li", {}, make("button", { type: "button", click: () => chooseReason(reason) })));
  found.forEach(([reason, count], at) => {
    const button = byId("reasons").children[at].firstElementChild;
    setText(button, `${spoken(reason)} ${number(count)}`);
    button.setAttribute("aria-pressed", String(filter.reason === reason));
  });
  const select = byId("reason"), known = new Set([...select.options].map((option) => option.value));
  for (const [reason] of found) if (!known.has(reason)) select.append(make("option", { value: reason }, spoken(reason)));
}

function chooseReason(reason) {
  byId("reason").value = filter.reason === reason ? "" : reason;
  byId("filter").requestSubmit();
}

async function choose(chosen) {
  filter = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== ""));
  for (const each of byId("reasons").querySelectorAll("button")) {
    each.setAttribute("aria-pressed", String(each.closest("li").dataset.id === filter.reason));
  }
  await loadLetters().then(() => tell(counted()), fail);
}

/** Whether the first page, and no more, is shown: then it may be shown anew when letters come. */
export const isAtStart = () => items.length <= PAGE;

/** Load the list from its start, or `more` of it. */
export async function loadLetters(more = false) {
  const query = { ...filter, limit: PAGE, cursor: more ? next : null };
  const page = await call(withQuery("dead-letters", query));
  items = more ? [...items, ...page.items] : page.items;
  ({ next, total } = page);
  showList();
}

function showList() {
  const list = byId("letters"), had = list.contains(document.activeElement);
  showEach(list, items, (letter) => letter.id, row);
  if (had && !list.contains(document.activeElement)) byId("letters-title").focus();
  setText(byId("letters-count"), counted());
  byId("letters-more").hidden = next === null;
  byId("replay-all").disabled = byId("discard-all").disabled = total === 0;
}

function counted() {
  const among = Object.keys(filter).length ? " that the filter names" : "";
  if (total === 0) return among ? "No dead letters that the filter names." : "No dead letters. All is well.";
  const shown = items.length < total ? `; the first ${number(items.length)} are shown` : "";
  return `${number(total)} dead ${total === 1 ? "letter" : "letters"}${among}${shown}.`;
}

function row(letter) {
  const which = `the letter of ${inFull(letter.failed_at)}, ${spoken(letter.reason)}`;
  const button = (verb, name, click) => make("button", { type: "button", "aria-label": `${verb} ${which}`, click }, name);
  return make("li", {},
    make("div", { class: "when" }, ago(letter.failed_at)),
    make("div", { class: "why" }, make("strong", {}, spoken(letter.reason)), make("span", {}, letter.detail)),
    make("div", { class: "from" }, letter.routing_key || letter.exchange || "–"),
    make("div", { class: "buttons" },
      button("Show", "Show", () => show(letter).catch(fail)),
      button("Replay", "Replay…", () => settleOne("replay", letter)),
      button("Discard", "Discard…", () => settleOne("discard", letter))));
}

function facts(letter) {
  const rows = [
    ["Failed", inFull(letter.failed_at)],
    ["Detail", letter.detail],
    ["Came from", [letter.exchange, letter.routing_key].filter(Boolean).join(" · ") || "–"],
    ["Attempts", number(letter.attempts)],
    ["Size", bytes(letter.size)],
    ["Content type", [letter.content_type, letter.content_encoding].filter(Boolean).join(", ") || "–"],
    ["Correlation id", letter.correlation_id],
    ["Letter", letter.id],
  ];
  return { title: `Dead letter: ${spoken(letter.reason)}`, rows };
}

const pathOf = (letter) => `dead-letters/${encodeURIComponent(letter.id)}`;

async function show(letter) {
  const found = await call(pathOf(letter));
  showLetter(found, facts(found), {
    replay: () => settleOne("replay", letter),
    discard: () => settleOne("discard", letter),
    reveal: () => reveal(letter),
  });
}

async function reveal(letter) {
  const question = { title: "Show names?", text: "The body may hold personal data. That you looked is written to the log.", yes: "Show names" };
  await confirmed(question, async () => {
    const found = await call(withQuery(pathOf(letter), { reveal: "true" }));
    fillLetter(found, facts(found));
  }).catch(fail);
}

const QUESTIONS = {
  replay: (what) => ({ title: `Replay ${what}?`, text: `It goes back where it came from and is worked on again. Doing so twice is harmless.`, yes: "Replay" }),
  discard: (what) => ({ title: `Discard ${what}?`, text: `It is removed for good. What a statement would have logged is lost.`, yes: "Discard", danger: true }),
};

async function settleOne(act, letter) {
  const work = () => call(`${pathOf(letter)}/${act}`, null);
  await settle(QUESTIONS[act]("this letter"), work);
}

async function settleAll(act) {
  const chosen = Object.keys(filter).length ? filter : { all: true };
  const what = total === 1 ? "1 letter" : `${number(total)} letters`;
  await settle(QUESTIONS[act](what), (say) => inTurns(`dead-letters/${act}`, chosen, say));
}

/** Do it again while the service says that there is more, and say how far it is. */
async function inTurns(path, chosen, say) {
  const sum = { replayed: 0, discarded: 0, refused: [], missing: [] };
  for (let more = true; more; ) {
    const done = await call(path, chosen);
    for (const name of ["replayed", "discarded"]) sum[name] += done[name];
    for (const name of ["refused", "missing"]) sum[name].push(...done[name]);
    more = done.more && done.replayed + done.discarded > 0;
    say(`${told(sum)} Going on …`);
  }
  return sum;
}

async function settle(question, work) {
  try {
    const done = await confirmed(question, work);
    if (!done) return;
    closeLetter();
    await loadLetters();
    tell(told(done));
    if (document.activeElement === document.body) byId("letters-title").focus();
  } catch (error) {
    fail(error);
  }
}

function told({ replayed, discarded, refused, missing }) {
  const count = (number_, what) => (number_ ? `${number(number_)} ${what}.` : "");
  const parts = [
    count(replayed, "replayed"),
    count(discarded, "discarded"),
    count(refused.length, "refused: no queue of ours takes them back, so they stay"),
    count(missing.length, "no longer there"),
  ];
  return parts.filter(Boolean).join(" ") || "Nothing was left to do.";
}
