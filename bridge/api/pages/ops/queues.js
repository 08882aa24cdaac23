// What waits where, and how it moves: rates are the difference between looks, over the last minute of them.

import { age, byId, make, number, setText, showEach, spoken } from "./dom.js";

const KEPT = 15 * 60_000; // milliseconds of history behind a trend
const RATE_OVER = 60_000;
const WIDTH = 160, HEIGHT = 24;
const SVG = "http://www.w3.org/2000/svg";

const history = new Map(); // name → [{ at, depth }], oldest first

/** Show the queues of one look at them. */
export function showQueues(items) {
  const now = Date.now();
  for (const item of items) note(item, now);
  showEach(byId("queues"), items, (item) => item.name, build);
  items.forEach((item, at) => fill(byId("queues").children[at], item, history.get(item.name)));
}

function note({ name, depth }, at) {
  const kept = (history.get(name) ?? []).filter((look) => at - look.at <= KEPT);
  history.set(name, depth === null ? [] : [...kept, { at, depth }]);
}

function build(item) {
  const cell = (name) => make("td", { class: `number ${name}` });
  const name = make("th", { scope: "row" }, spoken(item.name), make("span", { class: "warning" }));
  return make("tr", {}, name, cell("depth"), cell("rate"), cell("oldest"), cell("consumers"), make("td", { class: "trend" }));
}

function fill(row, item, looks) {
  const put = (name, text) => setText(row.querySelector(`.${name}`), text);
  const warning = worry(item);
  row.classList.toggle("worrying", warning !== "");
  put("warning", warning);
  put("depth", item.depth === null ? "–" : number(item.depth));
  put("rate", rate(looks));
  put("oldest", item.oldest_age === null ? "–" : age(item.oldest_age));
  put("consumers", item.consumers === null ? "–" : number(item.consumers));
  row.querySelector(".trend").replaceChildren(trend(looks));
}

/** What is wrong with a queue, in words; nothing when all is well. */
function worry({ name, depth, consumers }) {
  if (depth === null) return "does not exist";
  if (consumers === 0 && name !== "dead_letters") return "nobody takes from it";
  if (name === "dead_letters" && depth > 0) return "look at these";
  return "";
}

/** How much more or less waits than a minute ago, in words. */
function rate(looks) {
  const last = looks.at(-1);
  const first = looks.find((look) => last.at - look.at <= RATE_OVER);
  if (!last || last.at - first.at < 1000) return "…";
  const change = ((last.depth - first.depth) / (last.at - first.at)) * 60_000;
  if (Math.abs(change) < 0.05) return "±0";
  const shown = Math.abs(change) < 10 ? change.toFixed(1) : number(Math.round(change));
  return change > 0 ? `+${shown}` : shown.replace("-", "−");
}

/** A line of the depth; the numbers beside it say the same to who does not see it. */
function trend(looks) {
  const svg = document.createElementNS(SVG, "svg");
  const set = (element, values) => Object.entries(values).forEach(([name, value]) => element.setAttribute(name, value));
  set(svg, { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, "aria-hidden": "true", focusable: "false" });
  if (looks.length < 2) return svg;
  const most = Math.max(1, ...looks.map((look) => look.depth));
  const span = looks.at(-1).at - looks[0].at || 1;
  const points = looks.map((look) => {
    const x = ((look.at - looks[0].at) / span) * (WIDTH - 4) + 2;
    return `${x.toFixed(1)},${(HEIGHT - 2 - (look.depth / most) * (HEIGHT - 4)).toFixed(1)}`;
  });
  const line = document.createElementNS(SVG, "polyline");
  set(line, { points: points.join(" "), class: "line" });
  svg.append(line);
  return svg;
}
