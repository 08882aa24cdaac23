"""Statements out: found by their keys, shown in the format asked for."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from typing import Literal

import orjson

from bridge.domain.lrs import (
    EVERY_STATEMENT,
    LrsRow,
    StatementQuery,
    activities,
    authority_key,
    complete_statement,
    definition_key,
    definitions_in,
    exact_text,
    format_time,
    make_canonical,
    mention_of_activity,
    mention_of_agent,
    merge_definitions,
    names_of,
    reduce_to_ids,
)
from bridge.domain.statements import AttachmentRow
from bridge.errors import NotFound
from bridge.services.lrs.credentials import Credential
from bridge.store import LrsLedger
from schemas.xapi import NewPart

DEFINITIONS_READ = 50
"""Statements read, newest first, for what is known of an Activity or an Agent."""

StatementFormat = Literal["exact", "ids", "canonical"]


@dataclass(frozen=True, slots=True)
class StatementView:
    """The view of a reader, who speaks ``version``; ``languages`` are the reader's, best first.

    ``definitions`` is what was looked up.
    """

    version: str
    format: StatementFormat = "exact"
    languages: tuple[str, ...] = ()
    definitions: dict[str, NewPart] = field(default_factory=dict[str, NewPart])


@dataclass(slots=True)
class StatementText:
    """One statement as text, with the attachments whose data is here; ``at`` is the time stored, in microseconds."""

    statement_id: str
    at: int
    text: bytes
    stored_attachments: list[AttachmentRow]


class StatementReader:
    """Finds and shows statements, and what they say about Activities and Agents."""

    def __init__(self, ledger: LrsLedger) -> None:
        self._ledger = ledger

    async def get(self, statement_id: str, by: Credential, view: StatementView, *, voided: bool) -> StatementText:
        """Return a statement that is, or is not, voided; raises ``NotFound``."""
        required_keys = _required_keys(by)
        row = await self._ledger.get(statement_id.lower())
        if row is None or _is_voided(row) is not voided or not required_keys <= set(row["lrs"]["held"]):
            raise NotFound("There is no such statement here.")
        return await self._show(row, view)

    async def find(
        self, query: StatementQuery, by: Credential, view: StatementView, limit: int
    ) -> AsyncGenerator[StatementText]:
        """Yield up to ``limit`` statements in order, as they are read."""
        if required_keys := _required_keys(by):
            keys = (*(key for key in query.keys if key != EVERY_STATEMENT), mention_of_agent(by.authority))
            query = replace(query, keys=keys, held=tuple(required_keys))
        async for row in self._ledger.find(query, limit):
            yield await self._show(row, view)

    async def _show(self, row: LrsRow, view: StatementView) -> StatementText:
        fields = row["lrs"]
        additions = fields["added"]
        if fields.get("untimed"):
            additions += b',"timestamp":"' + format_time(fields["at"]).encode() + b'"'
        text = await self._text(row["raw"], additions, fields.get("reshape", False), view)
        return StatementText(row["_id"], fields["at"], text, fields.get("attached", []))

    async def _text(self, raw: bytes, additions: bytes, reshape: bool, view: StatementView) -> bytes:
        if view.format == "exact":
            return exact_text(raw, additions, reshape=reshape, reader=view.version)
        statement = complete_statement(raw, additions, view.version)
        if view.format == "ids":
            return orjson.dumps(reduce_to_ids(statement))
        for activity in activities(statement):
            if activity["id"] not in view.definitions:
                view.definitions[activity["id"]] = await self.definition(activity["id"])
        return orjson.dumps(make_canonical(statement, view.definitions, view.languages))

    async def definition(self, iri: str) -> NewPart:
        """Return what is known of an Activity: the newest definitions, put together."""
        query = StatementQuery((mention_of_activity(iri),), held=(definition_key(iri),))
        definitions = [
            definition
            async for row in self._ledger.find(query, DEFINITIONS_READ)
            if (definition := definitions_in(orjson.loads(row["raw"])).get(iri))
        ]
        return merge_definitions(reversed(definitions))

    async def known_names(self, agent_key: bytes) -> list[str]:
        """Return the names that the newest statements give to the Agent whose mentions have this key."""
        names: dict[str, None] = {}
        async for row in self._ledger.find(StatementQuery((agent_key,)), DEFINITIONS_READ):
            names.update(dict.fromkeys(names_of(orjson.loads(row["raw"]), agent_key)))
        return list(names)


def _required_keys(by: Credential) -> frozenset[bytes]:
    """Return what statements must hold for a reader who sees those of their own authority alone."""
    by.need("statements/read", "statements/read/mine")
    return frozenset() if by.may("statements/read") else frozenset({authority_key(by.authority)})


def _is_voided(row: LrsRow) -> bool:
    """Say whether a statement is voided; a voiding statement never is (xAPI-Data §2.3.2)."""
    return "voided_by" in row and "voids" not in row["lrs"]
