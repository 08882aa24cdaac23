"""Statements in: stored once and as received, all of a request or none."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping, Sequence

from bridge import tracing
from bridge.domain.lrs import (
    AttachmentPart,
    IncomingStatement,
    NewStatement,
    StoreContext,
    Version,
    distinct_statements,
    find_voidings,
    is_new_statement,
)
from bridge.domain.statements import LedgerRow
from bridge.errors import Conflict, Unavailable
from bridge.logs import correlation_id
from bridge.services.lrs.attachments import LrsAttachments
from bridge.services.lrs.batching import Batcher
from bridge.services.lrs.credentials import Credential
from bridge.services.lrs.links import relink
from bridge.services.lrs.relay import StatementRelay
from bridge.services.lrs.timestamps import StoredTimestamps
from bridge.store import NO_ROWS, NO_VOIDINGS, Erasures, LrsLedger, StatementRace

MAX_TRIES = 5
"""How often a batch is decided anew when others store the same statements meanwhile."""


class StatementWriter:
    """Stores what comes over HTTP; ``relay`` brings it to the broker."""

    def __init__(
        self,
        ledger: LrsLedger,
        erasures: Erasures,
        attachments: LrsAttachments,
        timestamps: StoredTimestamps,
        relay: StatementRelay,
    ) -> None:
        self._ledger = ledger
        self._erasures = erasures
        self._attachments = attachments
        self._timestamps = timestamps
        self._relay = relay
        self._singles = Batcher(self._add_singles)
        self._erased_actors = Batcher(self._find_erased)

    async def store(
        self,
        statements: Sequence[IncomingStatement],
        by: Credential,
        version: Version,
        parts: AsyncIterable[AttachmentPart] | None = None,
    ) -> None:
        """Store statements and the data of their attachments, all or none; a repeat changes nothing.

        Raises ``Conflict`` for another statement under a known id, ``Forbidden`` for a voiding that is not the
        credential's to make.
        """
        by.need("statements/write")
        received_attachments = await self._attachments.receive(parts, statements, version)
        remaining = distinct_statements(await self._without_erased(statements))
        if remaining:
            await self._store(remaining, _context(by, version, received_attachments))
        await self._attachments.check_present(received_attachments)

    async def _store(self, statements: Mapping[str, IncomingStatement], context: StoreContext) -> None:
        for number in range(MAX_TRIES):
            with self._timestamps.reserve(len(statements)) as first:
                new = [context.new_statement(each, first + n) for n, each in enumerate(statements.values())]
                is_hopeful = number == 0 and not any(statement.index_keys.voids for statement in new)
                try:
                    await (self._add_unseen(new) if is_hopeful else self._add(new, statements, context))
                except StatementRace:
                    continue
            return
        raise Conflict("Other requests keep storing statements under these ids; send them once.")

    async def _without_erased(self, statements: Sequence[IncomingStatement]) -> list[IncomingStatement]:
        """Leave out what an erased person is the actor of: it is taken, and nothing of it is kept (invariant 8)."""
        actors = [statement.actor_key for statement in statements]
        erased_keys = await self._erased_actors.submit({actor for actor in actors if actor})
        return [statement for statement, actor in zip(statements, actors, strict=True) if actor not in erased_keys]

    async def _find_erased(self, requests: Sequence[set[str]]) -> list[set[str]]:
        erased_keys = await self._erasures.among({key for keys in requests for key in keys})
        return [erased_keys & keys for keys in requests]

    async def _add_unseen(self, new: list[NewStatement]) -> None:
        """Store statements in the hope that none is here yet; raises ``StatementRace`` when one is."""
        if len(new) > 1:
            await self._write(new)
            await relink(self._ledger, new)
            return
        outcome = await self._singles.submit(new[0])
        if isinstance(outcome, Exception):
            raise outcome
        if not outcome:
            raise StatementRace

    async def _add_singles(self, new: Sequence[NewStatement]) -> list[bool | Exception]:
        """Store the statements of several requests, together unless one of them is why that fails.

        Says which were stored, the first of each id at most, or why not.
        """
        try:
            return [*await self._add_together(new)]
        except Unavailable:
            raise
        except Exception as error:
            if len(new) == 1:
                return [error]
            return [outcome for statement in new for outcome in await self._add_singles([statement])]

    async def _add_together(self, new: Sequence[NewStatement]) -> list[bool]:
        firsts = {statement.statement_id: statement for statement in reversed(new)}
        for _ in range(MAX_TRIES):
            try:
                if firsts:
                    await self._write(list(firsts.values()))
                    await relink(self._ledger, list(firsts.values()))
                return [firsts.get(statement.statement_id) is statement for statement in new]
            except StatementRace:
                for statement_id in await self._ledger.rows_of(firsts):
                    del firsts[statement_id]
        return [False for _ in new]

    async def _add(
        self, new: list[NewStatement], incoming: Mapping[str, IncomingStatement], context: StoreContext
    ) -> None:
        """Store those of the statements that are not here yet; a repeat changes nothing."""
        targets = {statement.index_keys.voids for statement in new if statement.index_keys.voids}
        rows = await self._ledger.rows_of({statement.statement_id for statement in new} | targets)
        fresh = [
            context.complete(statement, rows.get(statement.statement_id), incoming[statement.statement_id])
            for statement in new
            if is_new_statement(statement, rows.get(statement.statement_id))
        ]
        voidings = find_voidings(new, rows, context)
        if fresh:
            await self._write(fresh, rows, voidings)
        await relink(self._ledger, new)

    async def _write(
        self,
        new: Sequence[NewStatement],
        rows: Mapping[str, LedgerRow] = NO_ROWS,
        voidings: Mapping[str, str] = NO_VOIDINGS,
    ) -> None:
        note = await self._ledger.add(new, rows, voidings)
        self._relay.offer(note, sum(len(statement.raw) for statement in new))


def _context(by: Credential, version: Version, received_attachments: frozenset[str]) -> StoreContext:
    return StoreContext(
        by.key,
        by.authority,
        may_void_any=by.may("all"),
        version=version,
        attached=received_attachments,
        traceparent=tracing.current(),
        correlation_id=correlation_id(),
    )
