"""What operations does with what got stuck: looks at dead letters, replays or discards them, and watches the queues."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from bridge.broker.dead_letter_queue import AT_ONCE, DeadQueue, Fate, QueueState, Rewrite
from bridge.broker.dead_letters import Letter
from bridge.domain.privacy.access import Reader, Right
from bridge.domain.privacy.subjects import DataSubject
from bridge.errors import NotFound
from bridge.services.access.access_log import AccessHistory
from bridge.services.operations.letters import Asked, body_shown, failed, row, without_person
from bridge.services.privacy.subjects import data_subject
from bridge.services.stores import Stores
from bridge.store.listing import Listing, Sort
from bridge.store.operations.dead_letters import Chosen

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 1000
"""Letters that one replay or discard deals with."""

LOOKS, LOOK_AGAIN = 10, 0.1
"""How often, and after how many seconds, queue and mirror are compared again before the mirror is made anew."""


@dataclass(frozen=True, slots=True)
class Done:
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

    def __init__(self, stores: Stores, queue: DeadQueue, access: AccessHistory) -> None:
        self._stores = stores
        self._access = access
        self._letters = stores.dead_letters
        self._queue = queue

    async def list(self, asked: Asked, sort: Sort, limit: int, after: Sequence[Any] | None) -> Listing:
        """Return a page of dead letters; raises ``Unavailable`` when broker or store is away."""
        await self.refresh()
        return await self._letters.list(await self._chosen(asked), sort, limit, list(after) if after else None)

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
        return {**letter, **body_shown(letter, reveal=reveal_to is not None)}

    async def _note_reveal(self, letter: Mapping[str, Any], reader: Reader) -> None:
        owners = await self._stores.identifiers.owners(letter["about"])
        about = sorted(set(owners.values())) or [None]
        for member_id in about:
            right = Right("operations", letter["_id"])
            await self._access.read(reader, member_id, right, ("dead_letter",), letter["_id"])

    async def replay(self, asked: Asked) -> Done:
        """Put letters back where they came from, oldest first; doing it twice is harmless (invariant 2)."""
        return await self._deal_with(asked, Fate.REPLAY)

    async def discard(self, asked: Asked) -> Done:
        """Remove letters for good."""
        return await self._deal_with(asked, Fate.DISCARD)

    async def erase(self, subject: DataSubject) -> None:
        """Discard a person's dead letters, and take the person out of everybody else's, in the queue and the mirror."""
        settled = 1
        while settled:
            await self.refresh()
            copies = await self._letters.copies(Chosen(naming=subject), MOST_AT_ONCE)
            settled = await self._erase(subject, copies) if copies else 0

    async def _erase(self, subject: DataSubject, copies: Mapping[str, int]) -> int:
        async def judge(one: Letter) -> Fate | Rewrite:
            body = without_person(one.letter, subject) if one.id in copies else one.letter.body
            if body is None:
                return Fate.DISCARD
            return Fate.KEEP if body == one.letter.body else Rewrite(body)

        swept = await self._queue.sweep(judge, sum(copies.values()))
        await self._letters.forget(copies)
        await self.note(swept.rewritten)
        await self._letters.set_copies(Counter(one.id for one in swept.rewritten))
        log.info("dead letters erased", discarded=len(swept.discarded), rewritten=len(swept.rewritten))
        return swept.settled

    async def _deal_with(self, asked: Asked, fate: Fate) -> Done:
        await self.refresh()
        copies = await self._letters.copies(await self._chosen(asked), MOST_AT_ONCE)
        missing = [one for one in asked.ids or () if one not in copies]
        if not copies:
            return Done(missing=missing)

        async def judge(one: Letter) -> Fate:
            return fate if one.id in copies else Fate.KEEP

        swept = await self._queue.sweep(judge, sum(copies.values()))
        await self._letters.forget([*swept.replayed, *swept.discarded])
        log.info("dead letters settled", replayed=len(swept.replayed), discarded=len(swept.discarded))
        more = len(copies) == MOST_AT_ONCE
        return Done(len(swept.replayed), len(swept.discarded), swept.refused, missing, more)

    async def _chosen(self, asked: Asked) -> Chosen:
        about = None if asked.member_id is None else await self._about(asked.member_id)
        return Chosen(asked.ids, asked.reason, failed(asked.older_than), failed(asked.younger_than), about)

    async def _about(self, member_id: str) -> DataSubject:
        return await data_subject(self._stores, member_id, await self._stores.members.get(member_id) or {})

    async def note(self, letters: Sequence[Letter]) -> None:
        """Add letters, as they are written, to the mirror."""
        await self._letters.put([row(one) for one in letters])

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
        began = datetime.now(UTC)
        copies: Counter[str] = Counter()
        waiting: list[Letter] = []

        async def judge(one: Letter) -> Fate:
            copies[one.id] += 1
            waiting.append(one)
            if len(waiting) == AT_ONCE:
                await self.note(waiting)
                waiting.clear()
            return Fate.KEEP

        await self._queue.sweep(judge)
        await self.note(waiting)
        await self._letters.set_copies(copies)
        await self._letters.forget(await self._letters.others(copies, began))
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

    async def parked(self, limit: int, after: Sequence[Any] | None) -> Listing:
        """Return a page of the statements that wait for their actor to become known, longest first."""
        return await self._stores.waiting.parked(limit, list(after) if after else None)


def _backlog(name: str, state: QueueState, oldest: datetime | None = None) -> Backlog:
    return Backlog(name, state.depth, state.consumers, _age(oldest))


def _age(oldest: datetime | None) -> float | None:
    return None if oldest is None else max(0.0, (datetime.now(UTC) - oldest).total_seconds())
