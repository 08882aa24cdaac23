"""A check of our own: a call that fits the document is refused only by a rule that JSON Schema cannot state."""

from __future__ import annotations

import re
from typing import Any, Final

import schemathesis
from hypothesis import strategies as st

RULES: Final = {
    ("", r"\?cursor"): "a cursor is one that this list gave out",
    ("", r"\?sort"): "the fields to sort by are those of the list, each once",
    ("GET /v1/exports/", r"\?"): "a period, or a range of days in their order, never both",
    ("GET /v1/reports/", r"\?"): "a range's months are in their order, and not too many",
    ("/v1/log", "/(date|start_date)"): "what was done was done by today, and began before it ended",
    ("GET /v1/log", r"\?date_to"): "a range's days are in their order",
    ("/comments", "/refers_to"): "what a comment refers to is in the record",
    ("/v1/plan", "/(start_date|completion_date)"): "what is planned ends after it starts",
    ("/submission", "/declarations"): "every declaration is accepted",
    ("/extension-requests", "/until"): "more time ends later than the time there is",
    ("/decisions", "/(outcome|feedback|due_date)"): "each decision has what it needs, and no more",
    ("POST /v1/register/cases", "/(period_id|member_id|due_date)"): "the member, and their year, exist",
    ("POST /v1/register/samples", ""): "a rate or a count, never both, and days in their order",
    ("PUT /v1/members/{member_id}", "(/leave)?"): "periods and leaves are in their order and do not overlap",
    ("PUT /v1/members/{member_id}", "/email"): "a domain in Punycode or another script is one by IDNA 2008",
    ("POST /v1/ops/dead-letters/", ""): "something is chosen",
    ("GET /v1/ops/statements", r"\?identifier"): "an identifier is of a kind that xAPI has",
    ("POST /v1/ops/statements/reconsider", "/after"): "it is the end of a call before",
    ("POST /v1/log/{entry_id}/evidence", "/file"): "a file's content is what its name says",
    ("POST /v1/imports/log", "/(file|rows/.*)"): "a CSV file fits its template",
}
"""Part of an operation's name, and pattern of the pointers → the rule."""

WORDS: Final = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)
STRATEGIES: Final = {
    "mbox": st.builds("mailto:{}@{}.example.org".format, WORDS, WORDS),
    "openid": st.builds("https://{}.example.org/{}".format, WORDS, WORDS),
    "homePage": st.builds("https://{}.example.org/{}".format, WORDS, WORDS),
}
"""Identifiers of members as a format each, since to draw one by its pattern takes a second."""

for name, strategy in STRATEGIES.items():
    schemathesis.openapi.format(name, strategy)


@schemathesis.hook  # pyright: ignore[reportUnknownMemberType] - its hooks may return anything
def before_load_schema(_context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Name those formats."""
    for model in ("Identifier", "Account"):
        properties = raw_schema["components"]["schemas"][model]["properties"]
        for name in STRATEGIES.keys() & properties.keys():
            properties[name]["format"] = name


@schemathesis.check
def refused_by_a_known_rule(_ctx: schemathesis.CheckContext, response: schemathesis.Response, case: Any) -> None:
    """A 415 or 422 for a call that fits the document names, in each of its errors, one of ``RULES``."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in {415, 422}:
        return
    faults = [fault["pointer"] for fault in response.json().get("errors", [])] or ["(no errors)"]
    unknown = [pointer for pointer in faults if not _known(case.operation.label, pointer)]
    if unknown:
        raise AssertionError(f"{case.operation.label} fits the document, and was refused for {unknown}")


def _known(operation: str, pointer: str) -> bool:
    return any(part in operation and re.fullmatch(pattern, pointer) for part, pattern in RULES)
