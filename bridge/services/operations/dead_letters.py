"""What operations does with what got stuck: looks at dead letters, replays or discards them, and watches the queues."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from bridge.broker.dead_letter_queue import AT_ONCE, DeadLetterQueue, LetterAction, QueueState, Rewrite
from bridge.domain.operations import (
    DeadLetterFilter,
    MirroredLetter,
    QueuedDeadLetter,
    failed_before,
    redacted_body,
    visible_body,
)
from bridge.domain.privacy import DataSubject, Reader, Right
from bridge.domain.statements import ParkedStatement
from bridge.errors import NotFound
from bridge.services.access.access_log import AccessHistory
from bridge.store import LetterSelection, Listing, Sort, Stores, now

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 1000
"""Letters that one replay or discard deals with."""

LOOKS, LOOK_AGAIN = 10, 0.1
"""How often, and after how many seconds, queue and mirror are compared again before the mirror is made anew."""


@dataclass(frozen=True, slots=True)
class DeadLetterResult:
    """What a replay or discard did.

    ``refused``: letters that no queue of ours takes back; they stay. ``missing``: ids that are not dead letters.
    ``more``: further letters are chosen; do it again.
    """

    replayed: int = 0
    discarded: int = 0
    refused: list[str] = field(default_factory=list[str])
    missing: list[str] = field(default_factory=list[str])
    more: bool = False


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in one place: how many, who takes from it (None: not a queue), the age of the oldest in seconds."""

    name: str
    depth: int | None
    consumers: int | None
    oldest_age: float | None


class Operations:
    """Lists come from the mirror, which is compared with the queue first; changes are made in the queue."""

    def __init__(self, stores: Stores, queue: DeadLetterQueue, access: AccessHistory) -> None:
        self._stores = stores
        self._access = access
        self._letters = stores.dead_letters
        self._queue = queue

    async def list(
        self, letters: DeadLetterFilter, sort: Sort, limit: int, after: Sequence[Any] | None
    ) -> Listing[MirroredLetter]:
        """Return a page of dead letters; raises ``Unavailable`` when broker or store is away."""
        await self.refresh()
        return await self._letters.list(await self._query(letters), sort, limit, list(after) if after else None)

    async def show(self, letter_id: str, *, reveal_to: Reader | None = None) -> dict[str, Any]:
        """Return a letter with its body, masked unless it is revealed to someone; raises ``NotFound``.

        What is revealed is in the access log of those whom it is about before it leaves (R64).
        """
        await self.refresh()
        letter = await self._letters.get(letter_id)
        if letter is None:
            raise NotFound("There is no such dead letter: it may have been replayed or discarded.")
        if reveal_to is not None:
            await self._note_reveal(letter, reveal_to)
        return {**letter, **visible_body(letter, reveal=reveal_to is not None)}

    async def _note_reveal(self, letter: Mapping[str, Any], reader: Reader) -> None:
        owners = await self._stores.identifiers.owners(letter["about"])
        about = sorted(set(owners.values())) or [None]
        for member_id in about:
            right = Right("operations", letter["_id"])
            await self._access.record_read(reader, member_id, right, ("dead_letter",), letter["_id"])

    async def replay(self, letters: DeadLetterFilter) -> DeadLetterResult:
        """Put letters back where they came from, oldest first; doing it twice is harmless (invariant 2)."""
        return await self._settle(letters, LetterAction.REPLAY)

    async def discard(self, letters: DeadLetterFilter) -> DeadLetterResult:
        """Remove letters for good."""
        return await self._settle(letters, LetterAction.DISCARD)

    async def erase(self, subject: DataSubject) -> None:
        """Discard a person's dead letters, and take the person out of everybody else's, in the queue and the mirror."""
        settled_count = 1
        while settled_count:
            await self.refresh()
            copies = await self._letters.copies(LetterSelection(naming=subject), MOST_AT_ONCE)
            settled_count = await self._erase(subject, copies) if copies else 0

    async def _erase(self, subject: DataSubject, copies: Mapping[str, int]) -> int:
        async def decide(letter: QueuedDeadLetter) -> LetterAction | Rewrite:
            body = redacted_body(letter.letter, subject) if letter.id in copies else letter.letter.body
            if body is None:
                return LetterAction.DISCARD
            return LetterAction.KEEP if body == letter.letter.body else Rewrite(body)

        result = await self._queue.scan(decide, sum(copies.values()))
        await self._letters.forget(copies)
        await self.add_to_mirror(result.rewritten)
        await self._letters.set_copies(Counter(letter.id for letter in result.rewritten))
        log.info("dead letters erased", discarded=len(result.discarded), rewritten=len(result.rewritten))
        return result.settled

    async def _settle(self, letters: DeadLetterFilter, action: LetterAction) -> DeadLetterResult:
        await self.refresh()
        copies = await self._letters.copies(await self._query(letters), MOST_AT_ONCE)
        missing = [letter_id for letter_id in letters.ids or () if letter_id not in copies]
        if not copies:
            return DeadLetterResult(missing=missing)

        async def decide(letter: QueuedDeadLetter) -> LetterAction:
            return action if letter.id in copies else LetterAction.KEEP

        result = await self._queue.scan(decide, sum(copies.values()))
        await self._letters.forget([*result.replayed, *result.discarded])
        log.info("dead letters settled", replayed=len(result.replayed), discarded=len(result.discarded))
        more = len(copies) == MOST_AT_ONCE
        return DeadLetterResult(len(result.replayed), len(result.discarded), result.refused, missing, more)

    async def _query(self, letters: DeadLetterFilter) -> LetterSelection:
        about = None if letters.member_id is None else await self._about(letters.member_id)
        older, younger = (failed_before(age, now()) for age in (letters.older_than, letters.younger_than))
        return LetterSelection(letters.ids, letters.reason, older, younger, about)

    async def _about(self, member_id: str) -> DataSubject:
        return await self._stores.subjects.of_member(member_id, await self._stores.members.get(member_id))

    async def add_to_mirror(self, letters: Sequence[QueuedDeadLetter]) -> None:
        """Add letters, as they are written, to the mirror."""
        await self._letters.put(letters)

    async def refresh(self) -> None:
        """Make the mirror anew when it holds another number of letters than the queue, and goes on doing so.

        It differs for a moment whenever a letter comes, and for good when someone took letters by plain AMQP, a
        letter came while no worker ran, or the store was restored from a backup.
        """
        for _ in range(LOOKS):
            if await self._queue.depth() == await self._letters.count():
                return
            await asyncio.sleep(LOOK_AGAIN)
        await self._mirror()

    async def _mirror(self) -> None:
        start = datetime.now(UTC)
        copies: Counter[str] = Counter()
        waiting_letters: list[QueuedDeadLetter] = []

        async def decide(letter: QueuedDeadLetter) -> LetterAction:
            copies[letter.id] += 1
            waiting_letters.append(letter)
            if len(waiting_letters) == AT_ONCE:
                await self.add_to_mirror(waiting_letters)
                waiting_letters.clear()
            return LetterAction.KEEP

        await self._queue.scan(decide)
        await self.add_to_mirror(waiting_letters)
        await self._letters.set_copies(copies)
        await self._letters.forget(await self._letters.others(copies, start))
        log.info("dead letters mirrored", letters=copies.total())

    async def backlogs(self) -> tuple[list[Backlog], dict[str, int]]:
        """Return what waits where, and reason → number of the dead letters."""
        states = await self._queue.states()
        lag = await self._stores.outbox.lag()
        parked = await self._stores.waiting.count_parked()
        return [
            _backlog("completions", states["completions"]),
            _backlog("members", states["members"]),
            _backlog("dead_letters", states["dead_letters"], await self._letters.oldest()),
            Backlog("events", lag.count, None, lag.age if lag.count else None),
            Backlog("parked", parked, None, _age(await self._stores.waiting.parked_since())),
        ], await self._letters.by_reason()

    async def parked(self, limit: int, after: Sequence[Any] | None) -> Listing[ParkedStatement]:
        """Return a page of the statements that wait for their actor to become known, longest first."""
        return await self._stores.waiting.parked(limit, list(after) if after else None)


def _backlog(name: str, state: QueueState, oldest: datetime | None = None) -> Backlog:
    return Backlog(name, state.depth, state.consumers, _age(oldest))


def _age(oldest: datetime | None) -> float | None:
    return None if oldest is None else max(0.0, (datetime.now(UTC) - oldest).total_seconds())
