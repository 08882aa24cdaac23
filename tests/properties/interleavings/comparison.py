"""States in a form in which runs can be compared: without times, and with names for ids by chance."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import orjson

from tests.properties.interleavings.cluster import Contents, Document

Comparable = dict[str, str]
"""Collection and id → document."""

TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt][\d:.]+(?:[Zz]|\+00:00)")

LEFT_OUT: Final = {
    "members": ("acts",),
    "identifiers": ("sought",),
    "outbox": ("act", "n"),
    "comments": ("order",),
    "submissions": ("digest",),
}
"""Collection → fields that hang on tries and times."""


def comparable(contents: Contents) -> Comparable:
    """Return the contents of a store, and the order of its events, in a form that is the same for the same meaning."""
    names = dict(_names(contents))
    events = sorted(contents["outbox"], key=lambda row: (row["member_id"], row["act"], row["n"]))
    order = {"_id": "in order", "ids": [row["_id"] for row in events]}
    pieces = [_piece(row, names) for row in contents["submission_pieces"]]
    return {
        _renamed(f"{name} {document['_id']}", names): _renamed(_text(name, document), names)
        for name, documents in {**contents, "submission_pieces": pieces, "events": [order]}.items()
        for document in documents
    }


def differences(after: Mapping[str, str], before: Mapping[str, str]) -> list[str]:
    """Say where two states differ."""
    keys = sorted(key for key in {**after, **before} if after.get(key) != before.get(key))
    return [f"{key}:\n  {after.get(key)}\n  {before.get(key)}" for key in keys]


def _names(contents: Contents) -> Iterator[tuple[str, str]]:
    """Yield each id that was drawn, and a name for it that is the same in every run."""
    for number, case in enumerate(sorted(contents["audit_cases"], key=lambda case: case["selected_at"])):
        yield case["_id"], f"case {number} of {case['member_id']}"
    for number, submission in enumerate(sorted(contents["submissions"], key=lambda row: row["submitted_at"])):
        yield submission["_id"], f"receipt {number} of {submission['member_id']}"
    for number, comment in enumerate(sorted(contents["comments"], key=lambda row: row["order"]["created_at"]["key"])):
        yield comment["_id"], f"comment {number} of {comment['member_id']}"
    for entry in contents["log_entries"]:
        if entry["source"] == "manual":
            yield entry["_id"], f"{entry['reference']} of {entry['member_id']}"


def _piece(row: Document, names: Mapping[str, str]) -> Document:
    """Return a piece of a submission with its lists in an order that no id by chance decides."""
    piece: Document = orjson.loads(_renamed(row["data"].decode(), names))
    lists = {name: cast("list[Any]", part) for name, part in piece.items() if isinstance(part, list)}
    return {"_id": row["submission_id"], **piece, **{name: sorted(part, key=str) for name, part in lists.items()}}


def _text(name: str, document: Document) -> str:
    fields = {key: value for key, value in document.items() if key not in LEFT_OUT.get(name, ())}
    return TIME.sub("some time", orjson.dumps(fields, option=orjson.OPT_SORT_KEYS, default=_readable).decode())


def _readable(value: Any) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


def _renamed(text: str, names: Mapping[str, str]) -> str:
    for drawn, name in names.items():
        text = text.replace(drawn, name)
    return text
