// The frame around the pages: signing in, the navigation, and looking again by itself while the page is seen.

import { access } from "./access.js";
import * as api from "./api.js";
import { audit } from "./audit.js";
import { comments } from "./comments.js";
import { button, byId, card, link, make } from "./dom.js";
import { exports } from "./exports.js";
import { chooseLanguage, otherLanguages, t } from "./language.js";
import { log } from "./log.js";
import { overview } from "./overview.js";
import { plan } from "./plan.js";
import { ask, complain, goes, hush, place, say, unsaved } from "./shell.js";

const PAGES = { overview, log, plan, comments, audit, exports, access };
const LOOK_EVERY = 3_000; // milliseconds between two looks at what is new
const NAME = "cpd-portal-name";
let refresh = null, shows = 0, address = location.hash;

/** Show the page that the address names; the focus goes to its heading, or to the element that `focus` names. */
async function show(focus = "heading") {
  const mine = ++shows;
  frame();
  let page;
  try {
    page = api.isSignedIn() ? await (PAGES[place().name] ?? overview)(place()) : await signInPage();
  } catch (error) {
    if (mine !== shows) return;
    if (error.status === 401) return leave(error.message);
    page = { title: t.sorry, body: [button(t.tryAgain, () => show())] };
    complain(error);
  }
  if (mine !== shows) return;
  refresh = page.refresh ?? null;
  document.title = `${page.title} – ${t.portal}`;
  byId("main").replaceChildren(make("h1", { id: "heading", tabindex: "-1" }, page.title), ...page.body.flat(2).filter(Boolean));
  (byId(focus) ?? byId("heading")).focus();
}

function frame() {
  document.documentElement.lang = t.locale;
  document.querySelector(".brand").textContent = t.portal;
  byId("skip").textContent = t.skip;
  const here = place().name;
  const items = Object.keys(PAGES).map((name) => make("li", {}, link(name, t[name], { "aria-current": name === here ? "page" : null })));
  byId("nav").replaceChildren(make("ul", {}, items));
  byId("nav").setAttribute("aria-label", t.portal);
  byId("nav").hidden = !api.isSignedIn();
  const other = (language) => async () => { if (await mayLeave()) { chooseLanguage(language.code); show("language"); } };
  const languages = otherLanguages().map((language) => button(language.name, other(language), { lang: language.code, id: "language" }));
  const signOut = async () => { if (await mayLeave()) leave(t.signedOut); };
  byId("person").replaceChildren(...(api.isSignedIn() ? [make("bdi", {}, sessionStorage.getItem(NAME) ?? ""), button(t.signOut, signOut, { id: "sign-out" })] : []), ...languages);
}

/** The sign-in of development: any sample member. A real portal gets its token from the organisation's identity provider. */
async function signInPage() {
  const members = await (await fetch(new URL("members.json", document.baseURI), { cache: "no-store" })).json();
  const enter = ({ token, name }) => { api.signIn(token); sessionStorage.setItem(NAME, name); hush(); show(); };
  const rows = members.map((member) => make("li", {}, button(member.name, () => enter(member), { class: "main", id: member.member_id })));
  return { title: t.signIn, body: [card(t.whoAreYou, make("p", {}, t.signInIs), rows.length ? make("ul", { class: "people" }, rows) : make("p", {}, t.nobody))] };
}

function leave(text) {
  api.signOut();
  sessionStorage.removeItem(NAME);
  show().then(() => complain(text));
}

/** Look for what is new, and say it, unless the reader has moved on meanwhile. */
async function look() {
  if (document.hidden || !refresh || document.querySelector("dialog[open]")) return;
  const mine = shows;
  const isHere = () => mine === shows && location.hash === address;
  try {
    const news = await refresh();
    if (news && isHere()) say(news);
  } catch (error) { // an outage is told of by what the member does
    if (isHere() && error.status === 401) leave(error.message);
  }
}

/** Whether what is written on this page is saved, or may be lost. */
async function mayLeave() {
  if (unsaved.is() && !await ask({ title: t.leaveTitle, text: t.leaveText, yes: t.leave, no: t.stay })) return false;
  unsaved.is = () => false;
  return true;
}

async function moved() {
  if (location.hash === address) return;
  if (!await mayLeave()) {
    history.replaceState(null, "", address || "#/");
    return;
  }
  address = location.hash;
  if (!goes.own) hush();
  goes.own = false;
  await show();
}

window.addEventListener("hashchange", moved);
window.addEventListener("show", (event) => show(event.detail?.focus));
window.addEventListener("beforeunload", (event) => { if (unsaved.is()) event.preventDefault(); });
byId("skip").addEventListener("click", (event) => { event.preventDefault(); byId("main").focus(); });
setInterval(look, LOOK_EVERY);
show();
