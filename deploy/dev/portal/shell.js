// What all pages share: where one is, what is said to the reader, and questions before something is done.

import * as api from "./api.js";
import { byId, dayInWords, make, select, words } from "./dom.js";
import { t } from "./language.js";

/** The page that the address names: `#/log/abc?period=all` is {name: "log", id: "abc", query: {period: "all"}}. */
export function place() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, id] = path.split("/");
  return { name: name || "overview", id, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** Say something where a screen reader hears it; `more` may be a button beside it. */
export function say(text, more = null) {
  byId("problem").replaceChildren();
  byId("told").replaceChildren(make("p", {}, text), ...(more ? [more] : []));
}

/** Say nothing any more. */
export const hush = () => [byId("told"), byId("problem")].forEach((element) => element.replaceChildren());

/** Go to a page of the portal, and let `more` be said on it; the reader's own moves end what was said. */
export function go(path, text = "", more = null) {
  hush();
  goes.own = `#/${path}` !== location.hash;
  location.hash = `#/${path}`;
  if (text) say(text, more);
}

/** Whether the portal itself is on its way to another page. */
export const goes = { own: false };

/** Show what went wrong, in the service's own words. */
export function complain(error) {
  byId("told").replaceChildren();
  byId("problem").replaceChildren(error instanceof api.Problem ? words(error.message, error.language) : error instanceof TypeError ? t.noAnswer : String(error));
  if (error instanceof TypeError) console.info(error);
}

/** A listener that does `act` once at a time, and shows what goes wrong. */
export function doing(act) {
  let busy = false;
  return async (event) => {
    event?.preventDefault();
    if (busy) return;
    busy = true;
    try {
      await act(event);
    } catch (error) {
      complain(error);
    } finally {
      busy = false;
    }
  };
}

/** Ask before something is done; resolves to whether the answer was yes. The dialog is native, so it keeps the focus. */
export function ask({ title, text, yes, no = t.cancel }) {
  const dialog = byId("ask");
  for (const [id, said] of Object.entries({ "ask-title": title, "ask-text": text, "ask-yes": yes, "ask-no": no })) byId(id).textContent = said;
  dialog.returnValue = "";
  dialog.showModal();
  byId("ask-no").focus();
  return new Promise((resolve) => {
    byId("ask-yes").onclick = () => dialog.close("yes");
    byId("ask-no").onclick = () => dialog.close();
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
  });
}

/** Whether something written on this page is not saved yet; the router asks before it is lost. */
export const unsaved = { is: () => false };

/** The choice of a membership year at the top of a page. Its button goes there: a choice alone moves nobody (WCAG 3.2.2). */
export async function periodChoice(chosen, extra = []) {
  const { items } = await api.get("periods");
  const { name, query } = place();
  const options = [...extra, ...items.map((period) => [period.current ? "current" : period.id, `${range(period)}${period.frozen ? ` (${t.frozen})` : ""}`])];
  const choice = select("period", options, chosen);
  const show = (event) => { event.preventDefault(); go(api.withQuery(name, { ...query, period: choice.value })); };
  return make("form", { class: "period", submit: show }, make("label", { for: "period" }, t.period), choice, make("button", { id: "show" }, t.show));
}

/** The days of a membership year in words. */
export const range = ({ start, end }) => t.fromTo(dayInWords(start), dayInWords(end));
