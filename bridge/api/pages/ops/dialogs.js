// The two dialogs: a question before something is done, and a letter in full. Both are native, so that the browser keeps
// the focus inside, closes them with Escape, and gives the focus back.

import { byId, make, setText } from "./dom.js";

/** Whether a dialog is open. */
export const isOpen = () => document.querySelector("dialog[open]") !== null;

/**
 * Ask before something is done, and do it: `act(tell)` runs while the dialog stays open, and `tell(text)` shows how far
 * it is. Resolves to what `act` returns, or to undefined when the answer was no; rejects with what `act` throws.
 */
export function confirmed({ title, text, yes, danger = false }, act) {
  const dialog = byId("confirm"), agree = byId("confirm-yes"), refuse = byId("confirm-no");
  setText(byId("confirm-title"), title);
  setText(byId("confirm-text"), text);
  setText(agree, yes);
  agree.classList.toggle("danger", danger);
  busy(false);
  dialog.showModal();
  refuse.focus();
  return new Promise((resolve, reject) => {
    const listening = new AbortController();
    const on = (element, event, listener) => element.addEventListener(event, listener, { signal: listening.signal });
    const end = (settle, value) => {
      if (listening.signal.aborted) return;
      listening.abort();
      dialog.close();
      settle(value);
    };
    on(refuse, "click", () => end(resolve));
    on(dialog, "close", () => dialog.open || end(resolve)); // by a sign-out, say; open means that the event is an earlier closing's
    on(dialog, "cancel", (event) => {
      event.preventDefault();
      if (!agree.disabled) end(resolve); // what is under way is not undone by closing the dialog
    });
    on(agree, "click", () => {
      busy(true);
      act((told) => setText(byId("confirm-text"), told)).then((done) => end(resolve, done), (error) => end(reject, error));
    });
  });
}

function busy(is) {
  byId("confirm-yes").disabled = byId("confirm-no").disabled = is;
  byId("confirm-progress").hidden = !is;
}

/** Show a letter; `on` has what its buttons do: `replay`, `discard` and `reveal`. */
export function showLetter(letter, facts, on) {
  const dialog = byId("letter");
  fillLetter(letter, facts);
  for (const name of ["replay", "discard", "reveal"]) byId(`letter-${name}`).onclick = on[name];
  byId("letter-close").onclick = () => dialog.close();
  if (!dialog.open) dialog.showModal();
  byId("letter-title").focus();
}

/** Put a letter, or the same one with its names, into the open dialog. */
export function fillLetter(letter, facts) {
  const { body, shown } = letter;
  setText(byId("letter-title"), facts.title);
  byId("letter-facts").replaceChildren(...facts.rows.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
  setText(byId("letter-shown"), SHOWN[shown]);
  setText(byId("letter-body"), text(body, shown));
  byId("letter-reveal").hidden = shown === "revealed" || shown === "not_kept";
}

const SHOWN = {
  masked: "Body, names masked",
  revealed: "Body as it came",
  unreadable: "Body, not readable JSON",
  not_kept: "Body, too large to be shown",
};

function text(body, shown) {
  if (shown === "unreadable") return "Not JSON, or nested too deep: it has no structure that could be shown masked.";
  if (shown === "not_kept") return "Only the queue has it. A replay sends it as it came.";
  return typeof body === "string" && shown === "revealed" ? body : JSON.stringify(body, null, 2);
}

/** Close the letter, if it is open. */
export const closeLetter = () => byId("letter").close();
