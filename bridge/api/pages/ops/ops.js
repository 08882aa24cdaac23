// The page: signing in and out, and a look at everything every few seconds for as long as the page is seen.

import { call, health, isSignedIn, Problem, signIn, signOut } from "./api.js";
import { isOpen } from "./dialogs.js";
import { byId, make, refreshTimes, setText, showEach } from "./dom.js";
import { isAtStart, loadLetters, showReasons, startLetters } from "./letters.js";
import { loadParked, parkedIsAtStart, startParked } from "./parked.js";
import { showQueues } from "./queues.js";
import { forgetStatements, startStatements } from "./statements.js";

const EVERY = 5000; // milliseconds between two looks
let timer = null, looking = false, lastFailed = false, isPaused = false;
let seen = ""; // what the lists were made from

const tell = (text) => {
  setText(byId("problem"), "");
  setText(byId("told"), text);
};

function fail(error) {
  if (error instanceof Problem && (error.status === 401 || error.status === 403)) return leave(error.message);
  setText(byId("told"), "");
  setText(byId("problem"), error instanceof Problem ? error.message : "The service does not answer. Trying again …");
}

function show(isIn) {
  byId("content").hidden = byId("bar").hidden = !isIn;
  byId("sign-in").hidden = isIn;
}

function leave(why) {
  signOut();
  clearTimeout(timer);
  forgetStatements();
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  show(false);
  tell("");
  setText(byId("problem"), why);
  byId("token").focus();
}

async function enter() {
  show(true);
  seen = "";
  byId("main").focus();
  await look();
}

/** Look once, and again after a while, unless the page is hidden, paused, or signed out. */
async function look() {
  clearTimeout(timer);
  if (looking || !isSignedIn()) return;
  looking = true;
  byId("content").setAttribute("aria-busy", "true");
  try {
    await Promise.all([lookAtHealth(), lookAtQueues()]);
    if (lastFailed) setText(byId("problem"), "");
    lastFailed = false;
    refreshTimes();
    setText(byId("updated"), `Updated ${new Date().toLocaleTimeString()}`);
  } catch (error) {
    lastFailed = true;
    fail(error);
  } finally {
    looking = false;
    byId("content").removeAttribute("aria-busy");
    if (isSignedIn() && !isPaused && !document.hidden) timer = setTimeout(look, EVERY);
  }
}

async function lookAtHealth() {
  const found = Object.entries(await health().catch(() => ({ API: { state: "down", detail: "does not answer" } })));
  showEach(byId("health"), found, ([name]) => name, () => make("li"));
  found.forEach(([name, { state, detail }], at) => {
    const chip = byId("health").children[at];
    chip.className = state;
    setText(chip, `${NAMES[name] ?? name}: ${state}${detail ? ` (${detail})` : ""}`);
  });
}

const NAMES = { mongodb: "MongoDB", rabbitmq: "RabbitMQ" };

async function lookAtQueues() {
  const { items, dead_letters_by_reason: reasons } = await call("queues");
  showQueues(items);
  showReasons(reasons);
  const depth = Object.fromEntries(items.map((item) => [item.name, item.depth]));
  const now = JSON.stringify([depth.dead_letters, depth.parked, reasons]);
  if (now === seen || isOpen()) return;
  if (isAtStart()) await loadLetters();
  if (parkedIsAtStart()) await loadParked();
  seen = now;
}

function pause() {
  isPaused = !isPaused;
  byId("pause").setAttribute("aria-pressed", String(isPaused));
  if (!isPaused) look();
  else clearTimeout(timer);
}

byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(byId("token").value.trim());
  byId("token").value = "";
  tell("");
  enter();
});
byId("sign-out").addEventListener("click", () => leave("You are signed out."));
byId("pause").addEventListener("click", pause);
byId("refresh").addEventListener("click", () => {
  seen = "";
  look();
});
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : isPaused || look()));
startLetters({ tell, fail });
startParked({ fail });
startStatements({ fail });
if (isSignedIn()) enter();
else {
  show(false);
  byId("token").focus();
}
