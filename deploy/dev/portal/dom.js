// Elements made of text only: nothing that the service or a member wrote is ever read as HTML.

import { t } from "./language.js";

export const byId = (id) => document.getElementById(id);

/** An element with attributes (a function listens to the event; null and false leave one out) and children. */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An element of SVG. */
export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Replace the children of an element; what had the focus has it again when it is still there, by its id. */
export function replace(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
  element.replaceChildren(...children.flat().filter(Boolean));
  if (focused) byId(focused)?.focus();
}

/** A section with a heading, as a card. */
export const card = (title, ...children) => make("section", { class: "card" }, make("h2", {}, title), ...children);

/** A button that does something; its problems are shown by whoever calls. */
export const button = (text, click, attributes = {}) => make("button", { type: "button", click, ...attributes }, text);

/** A link to a page of the portal. */
export const link = (href, text, attributes = {}) => make("a", { href: `#/${href}`, ...attributes }, text);

/** A label with its control; `help` is read out with it. */
export function labelled(text, control, help = null) {
  if (help) control.setAttribute("aria-describedby", `${control.id}-help`);
  const words = help && make("p", { id: `${control.id}-help`, class: "help" }, help);
  return make("div", { class: "field" }, make("label", { for: control.id }, text), words, control);
}

/** A choice of one: `options` are pairs of value and text. */
export function select(id, options, value, attributes = {}) {
  const made = options.map(([key, text]) => make("option", { value: key, selected: key === (value ?? "") }, text));
  return make("select", { id, name: id, ...attributes }, made);
}

/** Words that the service wrote, marked with their language where it is not the page's. */
export const words = (text, language) => make("span", { lang: language === t.code ? null : language }, text);

/** A day in words. The months are ours, since a browser may have none for Welsh. */
export function dayInWords(value) {
  const moment = new Date(value.length === 10 ? `${value}T12:00:00` : value);
  return `${moment.getDate()} ${t.months[moment.getMonth()]} ${moment.getFullYear()}`;
}

/** A day, or a moment with its time on the clock, as an element. */
export function day(value, withTime = false) {
  if (!value) return "";
  const clock = withTime ? `, ${new Date(value).toTimeString().slice(0, 5)}` : "";
  return make("time", { datetime: value }, dayInWords(value) + clock);
}

/** `1 h 35 min`, of minutes. */
export const duration = (minutes) => [[Math.floor(minutes / 60), t.hours], [minutes % 60, t.minutes]]
  .filter(([amount], at) => amount || (at && !minutes)).map(([amount, unit]) => `${amount} ${unit}`).join(" ");

/** A size as people say it. */
export const bytes = (size) => (size < 1048576 ? `${Math.ceil(size / 1024)} KB` : `${(size / 1048576).toFixed(1)} MB`);
