"""Statements that refer to others by a StatementRef are found by the others' facts too (xAPI-Communication §2.1.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.domain.lrs.index_keys import EVERY
from bridge.store.lrs.rows import Link, Row
from bridge.store.lrs.statements import LrsStatements

LONGEST = 20
"""References followed, one after another: a ring of statements must not turn for ever."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A statement as far as references go; ``chain`` holds those that it is found by already."""

    target: str | None
    own: Link
    chain: Mapping[str, Link]


async def relink(store: LrsStatements, rows: Sequence[Row]) -> None:
    """Link stored statements with those they refer to and those that refer to them; safe to repeat.

    Each writer stores first and looks afterwards, so that of two that meet at least one sees the other.
    """
    rows = [row for row in rows if row.named or row.found_by.target]  # nobody refers to an id that we just made up
    if not rows:
        return
    known = {row.statement_id: _of_row(row) for row in rows}
    targets = [row.found_by.target for row in rows if row.found_by.target]
    found = await store.links(list(known), targets)
    for _ in range(LONGEST):
        known |= {row["_id"]: _of_document(row) for row in found}
        changed = {key: links for key, one in known.items() if (links := _missing(key, one, known))}
        for key, links in changed.items():
            await store.chain(key, links)
        if not changed:
            return
        known = {}
        found = await store.links(list(changed), list(changed))


def _of_row(row: Row) -> _Known:
    return _Known(row.found_by.target, Link(row.found_by.mentioned, row.found_by.roles), {})


def _of_document(row: Mapping[str, Any]) -> _Known:
    facts = row["lrs"]
    chain = {one["id"]: _link(one) for one in facts.get("chain", ())}
    return _Known(facts.get("target"), chain.get(row["_id"]) or _link(facts), chain)


def _link(facts: Mapping[str, Any]) -> Link:
    keys, roles = (frozenset[bytes](facts[name]) for name in ("keys", "roles"))
    return Link(keys - {EVERY}, roles)


def _missing(statement_id: str, one: _Known, known: Mapping[str, _Known]) -> dict[str, Link]:
    """Return the links that a statement should have and has not: itself, its target, what that refers to."""
    target = known.get(one.target) if one.target else None
    if target is None or one.target is None:
        return {}
    wanted = {statement_id: one.own, one.target: target.own, **target.chain}
    return {key: link for key, link in wanted.items() if key not in one.chain}
