"""A booklet, composed of the records of a log, a plan or a submission for the template (R71-R75).

What goes in, one object a line (``Header`` first, then any number of the others, in the order they are to appear):

    {"header": {...}}    see ``Header``
    {"form": {...}}      a version of a form (``bridge.domain.forms.Form``), before the first record made with it
    {"note": {...}}      ``title`` and ``text``: what is said about the booklet itself
    {"entry": {...}}     a log entry as stored, with ``plan`` (linked items: reference, title) and ``evidence``
    {"item": {...}}      a plan item as stored, with ``log``, ``carried_to`` and ``carried_from`` (reference, title)
    {"comment": {...}}   ``text``, ``author``, ``created_at`` and ``about`` (what it refers to, in words)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, TypeAdapter

from bridge.documents import formatting
from bridge.documents.text_runs import Paragraph, TextRuns, is_blank
from bridge.domain.forms import Form
from bridge.texts import Text, counted, translate
from schemas.languages import SOURCE

Record = Mapping[str, Any]

Section = dict[str, Any]
Sections = Sequence[Section]

PART = 2**19
"""Bytes of JSON that are typeset at once, at most: some 200 full entries, on as many pages."""

KEPT_TOGETHER = 200
"""Characters up to which a heading and the short facts below it stay on one page, whatever they are."""

WORDS: Mapping[str, Text] = {
    "page": Text("Page {n}"),
    "part": Text("Part {n} of {of}"),
    "contents": Text("Contents"),
    "year": Text("The membership year"),
    "chart": Text("Time by type of activity"),
    "replaced": Text(
        "Some characters have no shape in the fonts of this booklet. They are written by their number, such as "
        "{example}. The data files of an export have them as they were typed."
    ),
    "no_entries": Text("No entries"),
    "nothing": Text("There is nothing to show for this period yet."),
}
"""What the template says by itself; it fills in the places."""

_FORM = TypeAdapter(Form)


class Progress(BaseModel):
    """The part of the membership year that has passed: percent, and the same in words (R18)."""

    percent: float
    text: str


class Header(BaseModel):
    """The cover. ``facts`` are further lines of it: a label and a text each."""

    model_config = ConfigDict(extra="forbid")

    title: str
    member: str
    span: str
    made_at: str
    language: str = "en"
    facts: list[tuple[str, str]] = []
    progress: Progress | None = None


@dataclass
class Tally:
    """Entries and minutes by type of activity, for the chart."""

    entries: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    minutes: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, label: str, minutes: int) -> None:
        """Count one entry."""
        self.entries[label] += 1
        self.minutes[label] += minutes

    def rows(self, language: str) -> list[dict[str, Any]]:
        """Return a row a type, the most time first: label, minutes, and all of it in words."""
        order = sorted(self.entries, key=lambda label: (-self.minutes[label], -self.entries[label], label))
        return [
            {"label": label, "minutes": self.minutes[label], "words": self._words(label).to(language)}
            for label in order
        ]

    def words(self) -> Text:
        """Return the whole in a sentence."""
        if not self.entries:
            return Text("There are no entries.")
        total, minute_count = formatting.format_entries(sum(self.entries.values())), sum(self.minutes.values())
        if not minute_count:
            return Text("{entries}, no time recorded.", entries=total)
        return Text("{entries}, {time} recorded.", entries=total, time=formatting.format_minutes(minute_count))

    def _words(self, label: str) -> Text:
        entries, minute_count = formatting.format_entries(self.entries[label]), self.minutes[label]
        if not minute_count:
            return Text("{entries}, no time recorded", entries=entries)
        return Text("{entries}, {time}", entries=entries, time=formatting.format_minutes(minute_count))


class Composer:
    """The composer of one booklet: takes its lines, and gives the template's data."""

    def __init__(self, text_runs: TextRuns, plain: TextRuns) -> None:
        self._own, self._plain = text_runs, plain
        self._text_runs = text_runs
        self._tally = Tally()
        self._forms: dict[tuple[str, str], Form] = {}
        self._notes: list[dict[str, Any]] = []
        self._items: list[dict[str, Any]] = []
        self._entries: list[dict[str, Any]] = []
        self._comments: list[dict[str, Any]] = []
        self._header: Header | None = None
        self._cover = text_runs
        self._language = SOURCE

    def take(self, line: Record, *, plain: bool = False) -> None:
        """Take one line, its characters as fonts can show them or all but the plainest by number (``plain``).

        Raises ``KeyError`` for a line that is none of those above.
        """
        self._text_runs = self._plain if plain else self._own
        takers: dict[str, Callable[[Any], None]] = {
            "header": self._take_header,
            "form": self._take_form,
            "note": self._take_note,
            "entry": self._take_entry,
            "item": self._take_item,
            "comment": self._take_comment,
        }
        ((kind, record),) = line.items()
        takers[kind](record)

    def data(self) -> dict[str, Any]:
        """Return everything that the template shows; raises ``ValueError`` without a header."""
        if self._header is None:
            raise ValueError("a booklet needs a header")
        header, text = self._header, self._cover
        day, clock = header.made_at[:10].split("-"), header.made_at[11:19].split(":")
        return {
            "properties": {
                "title": text.plain(f"{header.title}: {header.member}, {header.span}"),
                "author": text.plain(header.member),
                "made": [int(part) for part in (*day, *clock)],
                "language": header.language.split("-")[0],
            },
            "title": text.line(header.title),
            "member": text.line(header.member),
            "span": text.line(header.span),
            "facts": [[label, text.line(value)] for label, value in self._facts(header)],
            "progress": header.progress and header.progress.model_dump(),
            "chart": self._chart() if self._entries else None,
            "words": {name: words.to(self._language) for name, words in WORDS.items()},
            "sections": self._sections(),
            "replaced": self._own.replaced + self._plain.replaced,
        }

    def _chart(self) -> dict[str, Any]:
        return {"rows": self._tally.rows(self._language), "words": self._tally.words().to(self._language)}

    def _facts(self, header: Header) -> Iterable[tuple[str, str]]:
        yield from header.facts
        for label, value in self._own_facts():
            yield label.to(self._language), translate(value, self._language)
        yield Text("Made on").to(self._language), formatting.format_time(header.made_at, self._language)

    def _own_facts(self) -> Iterable[tuple[Text, str]]:
        if self._items:
            yield Text("Planned activities"), str(len(self._items))
        if self._entries or not (self._items or self._notes):
            yield Text("Log entries"), self._tally.words()
        if self._comments:
            yield Text("Supporting information"), counted("{n} comment", "{n} comments", len(self._comments))

    def _sections(self) -> list[dict[str, Any]]:
        parts = [
            (Text("About this copy"), self._notes),
            (Text("Planned CPD"), self._items),
            (Text("Completed CPD"), self._entries),
            (Text("Supporting information"), self._comments),
        ]
        return [{"heading": heading.to(self._language), "records": records} for heading, records in parts if records]

    def _take_header(self, record: Record) -> None:
        self._header, self._cover = Header.model_validate(record), self._text_runs
        self._language = self._header.language

    def _take_entry(self, record: Record) -> None:
        form = self._forms["log", record["form_version"]]
        labels = {
            choice.value: choice.label for field in form.fields if field.name == "type" for choice in field.choices
        }
        no_type = Text("No type chosen").to(self._language)
        self._tally.add(labels.get(record.get("type") or "", no_type), record.get("minutes") or 0)
        evidence = [self._evidence(file) for file in record.get("evidence", ())]
        lists = {Text("Linked to the plan"): self._linked(record.get("plan", ())), Text("Evidence"): evidence}
        self._entries.append(self._record(form, record, formatting.format_state(record), lists))

    def _take_item(self, record: Record) -> None:
        form = self._forms["plan", record["form_version"]]
        state = Text("Complete") if record.get("complete") else Text("Some questions left open")
        parts = {
            Text("Logged"): "log",
            Text("Carried forward to"): "carried_to",
            Text("Carried forward from"): "carried_from",
        }
        lists = {label: self._linked(record.get(name, ())) for label, name in parts.items()}
        self._items.append(self._record(form, record, state, lists))

    def _take_form(self, record: Record) -> None:
        form = _FORM.validate_python(record)
        self._forms[form.name, form.version] = form

    def _take_note(self, record: Record) -> None:
        self._notes.append(self._said(record["title"], (), record["text"]))

    def _take_comment(self, record: Record) -> None:
        facts = [(Text("Written by"), record["author"]), (Text("About"), record.get("about") or "")]
        written_at = formatting.format_time(record["created_at"], self._language)
        self._comments.append(self._said(written_at, facts, record["text"]))

    def _said(self, title: str, facts: Iterable[tuple[Text, str]], text: str) -> dict[str, Any]:
        return {
            "reference": "",
            "title": self._text_runs.line(title),
            "facts": [[label.to(self._language), self._text_runs.line(value)] for label, value in facts if value],
            "together": True,
            "answers": [["", self._text_runs.paragraphs(text)]],
            "lists": [],
            "missing": "",
        }

    def _record(
        self, form: Form, record: Record, state: Text, lists: Mapping[Text, list[dict[str, Paragraph]]]
    ) -> dict[str, Any]:
        facts: list[Any] = [[Text("Status of the record").to(self._language), state.to(self._language)]]
        answers: list[Any] = []
        short = len(record.get("title") or "") <= KEPT_TOGETHER
        for form_field in form.fields:
            value = formatting.format_value(form_field, record.get(form_field.name), self._language)
            if form_field.type == "long_text" and value:
                answers.append([form_field.label, self._text_runs.paragraphs(value)])
            elif value and form_field.name not in {"title", "reference"}:
                short = short and len(value) <= KEPT_TOGETHER
                facts.append([form_field.label, self._text_runs.line(value)])
        labels = {form_field.name: form_field.label for form_field in form.fields}
        gaps = [labels[name] for name in record.get("missing_fields", ()) if name in labels]
        missing = Text("Not answered yet: {fields}.", fields=", ".join(gaps))
        return {
            **self._named(record),
            "facts": facts,
            "together": short,
            "answers": answers,
            "lists": [[label.to(self._language), value] for label, value in lists.items() if value],
            "missing": missing.to(self._language) if gaps else "",
        }

    def _linked(self, links: Iterable[Record]) -> list[dict[str, Paragraph]]:
        return [self._named(link) for link in links]

    def _evidence(self, file: Record) -> dict[str, Paragraph]:
        upload_time = formatting.format_time(file["uploaded_at"], self._language)
        description = Text(
            "{name}, {size}, added on {time}",
            name=file["name"],
            size=formatting.format_size(file["size"]),
            time=upload_time,
        )
        return {"reference": "", "title": self._text_runs.line(description.to(self._language))}

    def _named(self, record: Record) -> dict[str, Paragraph]:
        """Return what a record is called (R48)."""
        title = record.get("title") or ""
        heading = Text("No title yet").to(self._language) if is_blank(title) else title
        return {
            "reference": self._text_runs.line(record.get("reference") or ""),
            "title": self._text_runs.line(heading),
        }


def in_parts(sections: Sections) -> Iterator[Sections]:
    """Cut sections into parts of up to ``PART`` bytes of JSON each, unless a record is longer; at least one part."""
    part, room = list[Section](), PART
    for section in sections:
        records: list[Any] = []
        part.append({**section, "records": records})
        for record in section["records"]:
            size = len(orjson.dumps(record))
            if size > room and (records or len(part) > 1):
                yield [section_part for section_part in part if section_part["records"]]
                records, room = [], PART
                part = [{**section, "records": records}]
            records.append(record)
            room -= size
    yield part
