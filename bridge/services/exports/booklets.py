"""The lines of each booklet: what the cover says, then the records (``documents.booklet`` says what a line is)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from bridge.documents import formatting
from bridge.domain.forms import Forms
from bridge.domain.members import ElapsedTime, MembershipYear, StoredMember
from bridge.services.exports.reading import Names, RecordFilter, RecordReader
from bridge.texts import Text, translate

Line = dict[str, Any]
"""A line of a booklet, as the typesetter takes it (``documents.booklet``)."""

Lines = AsyncGenerator[Line]


def header(
    title: str,
    member: str,
    span: str,
    made_at: datetime,
    language: str,
    facts: Iterable[tuple[str, str]] = (),
    elapsed: ElapsedTime | None = None,
) -> Line:
    """Return the line of the cover, in a language."""
    progress = elapsed and {"percent": elapsed.percent, "text": elapsed.text.to(language)}
    names = {"title": translate(title, language), "member": member, "span": translate(span, language)}
    about = {**names, "made_at": made_at.isoformat(), "language": language}
    rows = [(translate(label, language), translate(value, language)) for label, value in facts]
    return {"header": {**about, "facts": rows, "progress": progress}}


def form_lines(forms: Forms, language: str) -> Iterable[Line]:
    """Return every version of both forms, in a language."""
    return [{"form": asdict(form.to(language))} for name in ("log", "plan") for form in forms.versions(name)]


async def log_lines(reader: RecordReader, record_filter: RecordFilter, member: StoredMember) -> Lines:
    """Give the entries of a log with the plan items they are linked with, then the comments."""
    plan = await reader.plan_names()
    async for entry in reader.entries(record_filter):
        yield {"entry": {**entry, "plan": linked_titles(plan, entry["plan_ids"])}}
    async for line in comment_lines(reader, record_filter, member, plan):
        yield line


async def plan_lines(reader: RecordReader, record_filter: RecordFilter) -> Lines:
    """Give the items of a plan with the entries that they are linked with."""
    log, plan = await reader.log_names(), await reader.plan_names()
    async for item in reader.items(record_filter):
        yield {"item": {**item, "log": linked_titles(log, item["log_ids"]), **_neighbours(plan, item)}}


async def comment_lines(reader: RecordReader, record_filter: RecordFilter, member: StoredMember, plan: Names) -> Lines:
    """Give the comments, each with what it refers to in words (R52)."""
    log: Names | None = None
    async for comment in reader.comments(record_filter):
        if comment["refers_to"] and log is None:
            log = await reader.log_names()
        about = plan.get(comment["refers_to"]) or (log or {}).get(comment["refers_to"])
        yield {
            "comment": {
                **comment,
                "author": _author(comment, member["_id"], member["name"]),
                "about": about and display_title(about),
            }
        }


async def submission_lines(snapshot: Line, forms: Forms, made_at: datetime, language: str) -> Lines:
    """Give a submission for the reviewer, from its snapshot alone (R55-R60)."""
    period = snapshot["period"]
    span = MembershipYear(date.fromisoformat(period["start"]), date.fromisoformat(period["end"])).label
    member, plan = snapshot["member"], {item["id"]: item for item in snapshot["plan"]}
    log = {entry["id"]: entry for entry in snapshot["log"]}
    declarations = [
        (Text("Declared on {day}", day=datetime.fromisoformat(declaration["accepted_at"]).date()), declaration["text"])
        for declaration in snapshot["declarations"]
    ]
    facts = [
        (Text("Receipt"), snapshot["receipt"]),
        (Text("Submitted"), formatting.format_time(snapshot["submitted_at"], language)),
        *declarations,
    ]
    yield header(Text("CPD record submitted for review"), member["name"], span, made_at, language, facts)
    for line in form_lines(forms, language):
        yield line
    links = snapshot["links"]
    for item in snapshot["plan"]:
        log_ids = [link["log_id"] for link in links if link["plan_id"] == item["id"]]
        yield {"item": {**item, "log": linked_titles(log, log_ids), **_neighbours(plan, item)}}
    files: dict[str, list[Line]] = {}
    for file in snapshot["evidence"]:
        files.setdefault(file["log_id"], []).append(file)
    for entry in snapshot["log"]:
        own_fields = {"plan": linked_titles(plan, entry["plan_ids"] or ()), "evidence": files.get(entry["id"], [])}
        yield {"entry": {**entry, **own_fields}}
    for comment in snapshot["comments"]:
        about = plan.get(comment["refers_to"]) or log.get(comment["refers_to"])
        author = _author(comment, member["id"], member["name"])
        yield {"comment": {**comment, "author": author, "about": about and display_title(about)}}


def linked_titles(names: Names | Line, ids: Iterable[str | None]) -> list[Line]:
    """Return reference and title of those ids that are there."""
    return [
        {name: names[record_id].get(name) for name in ("reference", "title")}
        for record_id in ids
        if record_id and record_id in names
    ]


def _neighbours(plan: Names | Line, item: Line) -> Line:
    """Return what an item goes on as, and what it goes on from, where those are there."""
    return {side: linked_titles(plan, [item.get(side)]) for side in ("carried_to", "carried_from")}


def display_title(record: Mapping[str, Any]) -> str:
    """Return what a person calls a record."""
    return " · ".join(part for part in (record.get("reference"), record.get("title")) if part)


def _author(comment: Line, member_id: str, name: str) -> str:
    return name if comment["author"] == member_id else comment["author"]
