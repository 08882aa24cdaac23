// The evidence of an entry: files that support it; none is ever needed.

import * as api from "./api.js";
import { button, byId, bytes, labelled, make } from "./dom.js";
import { t } from "./language.js";
import { ask, doing, say } from "./shell.js";

/** The section of an entry's files. */
export async function evidence(entry, renew) {
  const files = await api.everyItem(`log/${entry.id}/evidence`);
  const rows = files.map((file) => make("li", { class: "row-head" },
    make("span", {}, file.name, make("span", { class: "quiet" }, ` ${bytes(file.size)} · ${t.fileStates[file.state]}`)),
    make("span", { class: "buttons" }, file.state === "clean" && button(t.download, doing(() => api.download(`evidence/${file.id}`, file.name)), { "aria-label": `${t.download}: ${file.name}` }),
      !entry.frozen && button(t.remove, doing(() => remove(file, renew)), { "aria-label": `${t.remove}: ${file.name}` }))));
  const form = !entry.frozen && make("form", { class: "inline", submit: doing(() => add(entry, renew)) },
    labelled(t.file, make("input", { type: "file", id: "file", required: true })), make("button", {}, t.upload));
  return make("section", { class: "card", id: "evidence" }, make("h2", { id: "evidence-title", tabindex: "-1" }, t.evidence),
    files.length ? make("ul", { class: "rows" }, rows) : make("p", { class: "quiet" }, t.noEvidence), form);
}

async function again(renew) {
  await renew(byId("evidence"), evidence);
  byId("evidence-title").focus();
}

async function add({ id }, renew) {
  const [file] = byId("file").files;
  if (!file) return;
  const body = new FormData();
  body.append("file", file);
  say(t.uploading);
  await api.call("POST", `log/${id}/evidence`, { body, key: api.newKey() });
  say(t.uploaded(file.name));
  await again(renew);
}

async function remove({ id, name, version }, renew) {
  if (!await ask({ title: t.removeFile(name), text: t.removeFileText, yes: t.remove })) return;
  await api.call("DELETE", `evidence/${id}`, { version });
  say(t.fileRemoved);
  await again(renew);
}
