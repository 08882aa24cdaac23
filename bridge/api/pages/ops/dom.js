// Elements, made of text only: nothing that the service sends is ever read as HTML.

export const byId = (id) => document.getElementById(id);

/** An element with attributes (a function listens to the event) and children, where text is text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Set the text only where it differs, so that what is being read or selected stays. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Show `items` as children of `list`, one each; what is there already stays, and with it the focus. */
export function showEach(list, items, idOf, build) {
  const known = new Map([...list.children].map((child) => [child.dataset.id, child]));
  const wanted = items.map((item) => known.get(idOf(item)) ?? build(item));
  wanted.forEach((child, at) => {
    child.dataset.id ??= idOf(items[at]);
    if (list.children[at] !== child) list.insertBefore(child, list.children[at] ?? null);
  });
  while (list.children.length > wanted.length) list.lastElementChild.remove();
}

const WORDS = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const NUMBER = new Intl.NumberFormat();
const STEPS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

/** 1234 as the reader's language writes it. */
export const number = (value) => NUMBER.format(value);

/** `3 h`, of seconds. */
export function age(seconds) {
  const [size, unit] = STEPS.find(([size]) => seconds >= size) ?? STEPS.at(-1);
  return `${Math.floor(seconds / size)} ${unit}`;
}

/** A `time` element: how long ago, and the moment itself as its title. */
export function ago(moment) {
  const seconds = Math.max(0, (Date.now() - Date.parse(moment)) / 1000);
  return make("time", { datetime: moment, title: WORDS.format(new Date(moment)) }, `${age(seconds)} ago`);
}

/** Say anew how long ago everything was. */
export function refreshTimes() {
  for (const time of document.querySelectorAll("time")) setText(time, ago(time.dateTime).textContent);
}

/** A moment in full. */
export const inFull = (moment) => WORDS.format(new Date(moment));

/** `not_json` as `not json`. */
export const spoken = (name) => name.replaceAll("_", " ");

/** Sizes as people say them. */
export const bytes = (size) => (size < 1024 ? `${size} B` : size < 1048576 ? `${(size / 1024).toFixed(1)} KiB` : `${(size / 1048576).toFixed(1)} MiB`);
