// The comments on a membership year. Posted, they stay: nothing changes or deletes one.

import * as api from "./api.js";
import { byId, day, labelled, make } from "./dom.js";
import { t } from "./language.js";
import { doing, periodChoice, say } from "./shell.js";

/** The page of comments. */
export async function comments({ query }) {
  const period = query.period ?? "current", path = `periods/${period}`;
  const [items, { actions }] = await Promise.all([api.everyItem(`${path}/comments`), api.get(path)]);
  const { enabled, reason } = actions.find(({ name }) => name === "add_comment");
  const row = ({ text, created_at: at }) => make("li", {}, make("p", { class: "text" }, text), make("p", { class: "quiet" }, day(at, true)));
  return {
    title: t.comments,
    body: [await periodChoice(period), make("p", {}, t.commentsAre),
      make("section", { class: "card", "aria-labelledby": "total" }, make("p", { id: "total", tabindex: "-1" }, t.commentCount(items.length)), make("ol", { class: "rows" }, items.map(row))),
      enabled ? form(`${path}/comments`) : make("p", { class: "card" }, t.notNow(t.actions.add_comment, t.reasons[reason]))],
  };
}

function form(path) {
  const key = api.newKey();
  const post = async () => {
    await api.call("POST", path, { body: { text: byId("text").value }, key });
    say(t.posted);
    window.dispatchEvent(new CustomEvent("show", { detail: { focus: "total" } }));
  };
  return make("form", { class: "card", submit: doing(post) },
    labelled(t.newComment, make("textarea", { id: "text", rows: 4, required: true, maxlength: 100000 }), t.commentHelp), make("button", { class: "main" }, t.actions.add_comment));
}
