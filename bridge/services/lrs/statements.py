"""Statements in and out: stored once and as received, all of a batch or none, found by their facts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from bridge.domain.lrs import formats
from bridge.domain.lrs.index_keys import (
    EVERY,
    activities,
    authority_key,
    definition_key,
    mention_of_activity,
    mention_of_agent,
)
from bridge.domain.lrs.parsing import Incoming
from bridge.domain.lrs.serialization import exact, moment, whole
from bridge.domain.statements.agents import actor_key
from bridge.errors import Conflict, NotFound, Unavailable
from bridge.services.lrs.batching import Gathering
from bridge.services.lrs.credentials import Credential
from bridge.services.lrs.links import relink
from bridge.services.lrs.relay import Relay
from bridge.services.lrs.storing import Sent, distinct, is_fresh, voidings_of
from bridge.services.lrs.timestamps import Clock
from bridge.store.lrs.rows import Attached, Row
from bridge.store.lrs.search import Search
from bridge.store.lrs.statements import LrsStatements as Store
from bridge.store.lrs.statements import Raced
from bridge.store.privacy.erasures import Erasures

ROUNDS = 5
"""How often a batch is decided anew when others store the same statements meanwhile."""

DEFINITIONS_READ = 50
"""Statements read, newest first, for what is known of an Activity or an Agent."""

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class View:
    """How statements are shown, to who speaks ``version``; ``languages`` are the reader's, best first.

    ``definitions`` is what was looked up.
    """

    version: str
    format: str = "exact"
    languages: tuple[str, ...] = ()
    definitions: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])


@dataclass(slots=True)
class Shown:
    """One statement as text, with the attachments whose data is here."""

    statement_id: str
    at: int
    text: bytes
    attached: list[Attached] = field(default_factory=list[Attached])


class LrsStatements:
    """The statement resource's use cases; ``relay`` brings what was stored to the broker."""

    def __init__(self, store: Store, erasures: Erasures, clock: Clock, relay: Relay) -> None:
        self._store = store
        self._erasures = erasures
        self._clock = clock
        self._relay = relay
        self._singles = Gathering(self._add_singles)
        self._living = Gathering(self._erased)

    async def accept(self, incoming: Sequence[Incoming], by: Credential, version: str, attached: set[str]) -> None:
        """Store statements, all or none; those here already, and the same, change nothing.

        ``attached`` are the hashes whose data came along. Raises ``Conflict`` for another statement under a known
        id, ``Forbidden`` for a voiding that is not the credential's to make.
        """
        by.need("statements/write")
        firsts = distinct(await self._of_the_living(incoming))
        if not firsts:
            return
        sent = Sent(by, version, attached)
        for number in range(ROUNDS):
            with self._clock.held(len(firsts)) as at:
                rows = [sent.row(one, at + n) for n, one in enumerate(firsts.values())]
                hoping = number == 0 and not any(row.found_by.voids for row in rows)
                try:
                    await (self._add_unseen(rows) if hoping else self._add(rows, firsts, sent))
                except Raced:
                    continue
            return
        raise Conflict("Other requests keep storing statements under these ids; send them once.")

    async def _of_the_living(self, incoming: Sequence[Incoming]) -> list[Incoming]:
        """Leave out what an erased person is the actor of: it is taken, and nothing of it is kept (invariant 8)."""
        actors = [actor_key(one.statement["actor"]) for one in incoming]
        erased = await self._living.do({actor for actor in actors if actor})
        return [one for one, actor in zip(incoming, actors, strict=True) if actor not in erased]

    async def _erased(self, asked: Sequence[set[str]]) -> list[set[str]]:
        erased = await self._erasures.among({key for keys in asked for key in keys})
        return [erased & keys for keys in asked]

    async def _add_unseen(self, rows: list[Row]) -> None:
        """Store statements in the hope that none is here yet; raises ``Raced`` when one is."""
        if len(rows) > 1:
            self._relay.offer(await self._store.add(rows), rows)
            await relink(self._store, rows)
        else:
            stored = await self._singles.do(rows[0])
            if isinstance(stored, Exception):
                raise stored
            if not stored:
                raise Raced

    async def _add_singles(self, rows: Sequence[Row]) -> list[bool | Exception]:
        """Store the statements of several requests, together unless one of them is why that fails.

        Says which were stored, the first of each id at most, or why not.
        """
        try:
            return [*await self._add_together(rows)]
        except Unavailable:
            raise
        except Exception as error:
            return [error] if len(rows) == 1 else [one for row in rows for one in await self._add_singles([row])]

    async def _add_together(self, rows: Sequence[Row]) -> list[bool]:
        new = {row.statement_id: row for row in reversed(rows)}
        for _ in range(ROUNDS):
            try:
                stored = list(new.values())
                if stored:
                    self._relay.offer(await self._store.add(stored), stored)
                    await relink(self._store, stored)
                return [new.get(row.statement_id) is row for row in rows]
            except Raced:
                for known in await self._store.known(new):
                    del new[known]
        return [False for _ in rows]

    async def _add(self, rows: list[Row], incoming: Mapping[str, Incoming], sent: Sent) -> None:
        """Store those of the statements that are not here yet; a repeat changes nothing."""
        ids = {row.statement_id for row in rows} | {row.found_by.voids for row in rows if row.found_by.voids}
        known = await self._store.known(ids)
        fresh = [
            sent.row_of_stored(row, known.get(row.statement_id, {}), incoming[row.statement_id])
            for row in rows
            if is_fresh(row, known.get(row.statement_id))
        ]
        voided = voidings_of(rows, known, sent.by)
        if fresh:
            self._relay.offer(await self._store.add(fresh, known, voided), fresh)
        await relink(self._store, rows)

    async def one(self, statement_id: str, by: Credential, view: View, *, voided: bool) -> Shown:
        """Return a statement that is, or is not, voided; raises ``NotFound``."""
        mine = self._mine(by)
        row = await self._store.one(statement_id.lower())
        if row is None or _is_voided(row) is not voided or not mine <= set(row["lrs"]["held"]):
            raise NotFound("There is no such statement here.")
        return await self._shown(row, view)

    async def page(self, search: Search, by: Credential, view: View, limit: int) -> AsyncGenerator[Shown]:
        """Yield up to ``limit`` statements in order, as they are read."""
        if mine := self._mine(by):
            keys = (*(key for key in search.keys if key != EVERY), mention_of_agent(by.authority))
            search = replace(search, keys=keys, held=tuple(mine))
        async for row in self._store.find(search, limit):
            yield await self._shown(row, view)

    def _mine(self, by: Credential) -> frozenset[bytes]:
        """Return what statements must hold for a reader who sees those of their own authority alone."""
        by.need("statements/read", "statements/read/mine")
        return frozenset() if by.may("statements/read") else frozenset({authority_key(by.authority)})

    async def _shown(self, row: Document, view: View) -> Shown:
        stored = row["lrs"]
        added: bytes = stored["added"]
        if stored.get("untimed"):
            added += b',"timestamp":"' + moment(stored["at"]).encode() + b'"'
        text = await self._text(row["raw"], added, bool(stored.get("reshape")), view)
        attached = [Attached(one["sha2"], one["type"]) for one in stored.get("attached", ())]
        return Shown(row["_id"], stored["at"], text, attached)

    async def _text(self, raw: bytes, added: bytes, reshape: bool, view: View) -> bytes:
        if view.format == "exact":
            return exact(raw, added, reshape=reshape, reader=view.version)
        statement = whole(raw, added, view.version)
        if view.format == "ids":
            return orjson.dumps(formats.ids(statement))
        for activity in activities(statement):
            if activity["id"] not in view.definitions:
                view.definitions[activity["id"]] = await self.definition(activity["id"])
        return orjson.dumps(formats.canonical(statement, view.definitions, view.languages))

    async def definition(self, iri: str) -> dict[str, Any]:
        """Return what is known of an Activity: the newest definitions, put together."""
        found = [one[iri] async for one in self._definitions(iri) if iri in one]
        return formats.merged(reversed(found))

    async def _definitions(self, iri: str) -> AsyncGenerator[Mapping[str, Any]]:
        async for row in self._store.find(
            Search((mention_of_activity(iri),), held=(definition_key(iri),)), DEFINITIONS_READ
        ):
            yield formats.definitions_in(orjson.loads(row["raw"]))

    async def known_names(self, agent: bytes) -> list[str]:
        """Return the names that the newest statements give to the Agent whose mentions have the key ``agent``."""
        names: dict[str, None] = {}
        async for row in self._store.find(Search((agent,)), DEFINITIONS_READ):
            names.update(dict.fromkeys(formats.names_of(orjson.loads(row["raw"]), agent)))
        return list(names)


def _is_voided(row: Document) -> bool:
    """Say whether a statement is voided; a voiding statement never is (xAPI-Data §2.3.2)."""
    return "voided_by" in row and "voids" not in row["lrs"]
