// A record as a form that is made from the service's definition of it, so that a changed form needs no changed portal.

import * as api from "./api.js";
import { byId, card, day, make, select, words } from "./dom.js";
import { t } from "./language.js";
import { doing, say, unsaved } from "./shell.js";

const definitions = new Map();
const idOf = (field) => `field-${field}`; // so that no field's name is the id of something else

/**
 * The definition of the form `log` or `plan`, with labels in the reader's language as far as the service has them. A
 * record is shown by the `version` that it was made with; a new one by the newest.
 */
export async function definition(name, version) {
  const key = `${name} ${version} ${t.code}`;
  if (!definitions.has(key)) {
    const form = await api.get(`forms/${name}`, { version });
    definitions.set(key, { ...form, language: api.languageOf(form) });
  }
  return definitions.get(key);
}

/** The choices of a field: `name(value)` is what a person calls one, `options` are for a select. */
export async function labelsOf(form, field) {
  const { fields, language } = await definition(form);
  const choices = fields.find(({ name }) => name === field)?.choices ?? [];
  const labels = new Map(choices.map(({ value, label }) => [value, label]));
  return { name: (value) => (labels.has(value) ? words(labels.get(value), language) : null), options: choices.map(({ value, label }) => [value, label]) };
}

/**
 * A record's form. `save(changes, record)` sends what changed and resolves to the record as it is then; `reload()` reads
 * it anew, when somebody else changed it meanwhile. `after(record)` is called when it is saved. The form's `renew(record)`
 * goes on from what the page itself changed beside it, such as a link.
 */
export async function recordForm({ form, record, save, reload, after, extra = null }) {
  const { fields, language } = await definition(form, record.form_version);
  const controls = new Map(fields.map((field) => [field.name, control(field, record[field.name])]));
  if (extra) controls.set(extra.name, flag(extra, record[extra.name]));
  let base = record;
  const read = (name) => controls.get(name).read(base[name] ?? null);
  const changes = () => Object.fromEntries([...controls.keys()].map((name) => [name, read(name)]).filter(([name, value]) => !same(value, base[name] ?? null)));
  const summary = make("div", { id: "faults", class: "faults", tabindex: "-1", role: "group", "aria-labelledby": "faults-title" });

  const submit = async () => {
    clear(summary, controls);
    const written = new Map([...controls.keys()].map((name) => [name, read(name)]));
    try {
      base = await save(changes(), base);
      for (const [name, { write }] of controls) if (same(read(name), written.get(name))) write(base[name]); // not what was written meanwhile
      await after(base);
    } catch (error) {
      if (error.slug === "validation") showFaults(summary, controls, error.errors);
      else if (error.slug === "stale-version" && reload) base = merge(await reload(), base, controls, changes());
      else throw error;
    }
  };
  unsaved.is = () => document.contains(summary) && Object.keys(changes()).length > 0;

  const group = (name) => make("fieldset", { class: "card" }, make("legend", {}, t.groups[name]),
    fields.filter((field) => field.group === name).map((field) => wrapped(field, controls.get(field.name), language)));
  const element = make("form", { id: "record", novalidate: true, submit: doing(submit) }, summary,
    make("p", { class: "quiet" }, t.starMeans), group("factual"), group("reflective"),
    make("div", { class: "card save" }, extra && controls.get(extra.name).element, make("button", { class: "main", id: "save" }, t.save)));
  return Object.assign(element, { renew: (newer) => { base = newer; } });
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** Show a record that cannot change, as terms and what they say. */
export async function recordText(form, record) {
  const { fields, language } = await definition(form, record.form_version);
  const shown = (field) => {
    const value = record[field.name];
    if (value === null || value === undefined || value === "" || value.length === 0) return make("span", { class: "quiet" }, t.empty);
    if (field.type === "date") return day(value);
    if (field.type === "boolean") return value ? t.yes : t.no;
    if (field.choices.length) return [value].flat().map((one) => field.choices.find((choice) => choice.value === one)?.label ?? one).join(", ");
    return [value].flat().join(", ");
  };
  return card(t.record, make("dl", {}, fields.map((field) => make("div", {}, make("dt", {}, words(field.label, language)), make("dd", {}, shown(field))))));
}

/** A control for a field: its element, and how its value is read and set. */
function control(field, value) {
  const attributes = { id: idOf(field.name), name: field.name, "aria-describedby": `${idOf(field.name)}-help ${idOf(field.name)}-fault`, maxlength: field.max_length };
  if (field.type === "boolean") return ticked(make("input", { ...attributes, type: "checkbox" }), value);
  if (field.type === "choice") return plain(select(field.name, [["", t.none], ...field.choices.map((choice) => [choice.value, choice.label])], value, attributes), value);
  if (field.type === "choices") return several(field, attributes, value);
  if (field.type === "long_text") return plain(make("textarea", { ...attributes, rows: 4, dir: "auto" }), value);
  const kind = { date: { type: "date" }, integer: { inputmode: "numeric" }, url: { inputmode: "url" }, text: { dir: "auto" } }[field.type];
  const element = make("input", { ...attributes, autocomplete: "off", ...kind, ...(field.type === "tags" && { maxlength: null }) });
  if (field.type === "integer") return plain(element, value, (text) => (/^\d+$/.test(text) ? Number(text) : text));
  if (field.type === "tags") return plain(element, value, (text) => text.split(",").map((tag) => tag.trim()).filter(Boolean));
  return plain(element, value);
}

function plain(element, value, parse = (text) => text) {
  const write = (now) => { element.value = Array.isArray(now) ? now.join(", ") : now ?? ""; };
  write(value);
  return { element, write, read: () => (element.value.trim() === "" ? null : parse(element.value)) };
}

function ticked(element, value) {
  const write = (now) => { element.checked = Boolean(now); };
  write(value);
  return { element, write, read: (before) => (element.checked || before !== null ? element.checked : null) };
}

function several(field, attributes, value) {
  const boxes = field.choices.map(({ value: key, label }) => [key, make("label", { class: "tick" }, make("input", { type: "checkbox", value: key }), label)]);
  const inputs = () => boxes.map(([, box]) => box.firstChild);
  const write = (now) => inputs().forEach((input) => { input.checked = (now ?? []).includes(input.value); });
  write(value);
  const element = make("div", { id: attributes.id, tabindex: "-1", role: "group", "aria-label": field.label, "aria-describedby": attributes["aria-describedby"] }, boxes.map(([, box]) => box));
  return { element, write, read: () => inputs().filter((input) => input.checked).map((input) => input.value) };
}

/** The switch that is no field of the form: whether the entry is finished, which is `draft` the other way round. */
function flag({ name, label, help }, value) {
  const input = make("input", { type: "checkbox", id: idOf(name), "aria-describedby": `${idOf(name)}-help` });
  input.checked = value === false;
  const element = make("div", { class: "field" }, make("label", { class: "tick", for: idOf(name) }, input, label), make("p", { id: `${idOf(name)}-help`, class: "help" }, help));
  return { element, label, input, write: (now) => { input.checked = now === false; }, read: () => !input.checked };
}

function wrapped(field, { element }, language) {
  const lang = language === t.code ? null : language;
  const label = make("label", { for: idOf(field.name), lang }, field.required ? `${field.label} *` : field.label);
  const help = make("p", { id: `${idOf(field.name)}-help`, class: "help", lang }, field.help);
  const fault = make("p", { id: `${idOf(field.name)}-fault`, class: "fault", lang });
  if (field.type === "boolean") return make("div", { class: "field" }, make("div", { class: "tick" }, element, label), help, fault);
  if (field.choices.length) element.setAttribute("lang", language);
  return make("div", { class: "field" }, label, help, fault, element);
}

function clear(summary, controls) {
  summary.replaceChildren();
  for (const [name, { element }] of controls) {
    element.removeAttribute("aria-invalid");
    byId(`${idOf(name)}-fault`)?.replaceChildren();
  }
}

/** Show each fault beside its field, and all of them at the top, where the focus goes. */
function showFaults(summary, controls, faults) {
  for (const { field, message } of faults) {
    controls.get(field)?.element.setAttribute("aria-invalid", "true");
    byId(`${idOf(field)}-fault`)?.replaceChildren(message);
  }
  const line = ({ field, label, message }) => make("li", {}, make("a", { href: `#${idOf(field)}`, click: (event) => jump(event, field) }, `${label}: ${message}`));
  summary.replaceChildren(make("h2", { id: "faults-title" }, t.notSaved), make("ul", {}, faults.map(line)));
  summary.focus();
}

/** Go to a field without leaving the page's address. */
export function jump(event, field) {
  event.preventDefault();
  byId(idOf(field))?.focus();
}

/** Somebody changed the record meanwhile: take what they changed, keep what was written here, and say so. */
function merge(newer, base, controls, mine) {
  const theirs = [...controls.keys()].filter((name) => !same(newer[name] ?? null, base[name] ?? null));
  for (const name of theirs) if (!(name in mine)) controls.get(name).write(newer[name]);
  const both = theirs.filter((name) => name in mine);
  say(both.length ? t.changedBoth(both.map((name) => labelOf(name)).join(", ")) : t.changedElsewhere);
  return newer;
}

const labelOf = (name) => document.querySelector(`label[for="${idOf(name)}"]`)?.textContent ?? name;

/** What a record still needs, as links to the fields. */
export async function missing(form, { missing_fields: names }) {
  const { fields, language } = await definition(form);
  const label = (name) => fields.find((field) => field.name === name)?.label ?? name;
  return make("ul", {}, names.map((name) => make("li", {}, make("a", { href: `#${idOf(name)}`, click: (event) => jump(event, name) }, words(label(name), language)))));
}

