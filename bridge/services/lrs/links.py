"""Links of statements: one with a StatementRef is found by the other's keys too (xAPI-Communication §2.1.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bridge.domain.lrs import EVERY_STATEMENT, LrsRow, NewStatement
from bridge.domain.statements import ChainRow
from bridge.store import LrsLedger

MAX_CHAIN = 20
"""References followed, one after another: a ring of statements must not turn for ever."""


@dataclass(frozen=True, slots=True)
class _Linked:
    """A statement as far as references go; ``chain`` holds those that it is found by already."""

    target: str | None
    link: ChainRow
    chain: Mapping[str, ChainRow]


async def relink(ledger: LrsLedger, statements: Sequence[NewStatement]) -> None:
    """Link stored statements with those they refer to and those that refer to them; safe to repeat.

    Each writer stores first and looks afterwards, so that of two that meet at least one sees the other.
    """
    # nobody refers to an id that we just made up
    linkable = {new.statement_id: _of_new(new) for new in statements if new.has_own_id or new.index_keys.target}
    if not linkable:
        return
    rows = await ledger.find_linked(
        list(linkable), [statement.target for statement in linkable.values() if statement.target]
    )
    for _ in range(MAX_CHAIN):
        linkable |= {row["_id"]: _of_row(row) for row in rows}
        changed_links = {key: links for key in linkable if (links := _missing_links(key, linkable))}
        for statement_id, links in changed_links.items():
            await ledger.add_chain(statement_id, links)
        if not changed_links:
            return
        linkable = {}
        rows = await ledger.find_linked(list(changed_links), list(changed_links))


def _of_new(new: NewStatement) -> _Linked:
    keys = new.index_keys
    return _Linked(keys.target, _link(new.statement_id, keys.mentioned, keys.roles), {})


def _of_row(row: LrsRow) -> _Linked:
    fields = row["lrs"]
    chain = {link["id"]: link for link in fields.get("chain", ())}
    link = chain.get(row["_id"]) or _link(row["_id"], fields["keys"], fields["roles"])
    return _Linked(fields.get("target"), link, chain)


def _link(statement_id: str, keys: Iterable[bytes], roles: Iterable[bytes]) -> ChainRow:
    return {"id": statement_id, "keys": sorted({*keys} - {EVERY_STATEMENT}), "roles": sorted(roles)}


def _missing_links(statement_id: str, linkable: Mapping[str, _Linked]) -> list[ChainRow]:
    """Return the links that a statement should have and has not: itself, its target, what that refers to."""
    statement = linkable[statement_id]
    target = linkable.get(statement.target) if statement.target else None
    if target is None or statement.target is None:
        return []
    links = {statement_id: statement.link, statement.target: target.link, **target.chain}
    return [link for key, link in links.items() if key not in statement.chain]
