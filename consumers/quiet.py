"""Takes new drafts into the lists while the queue is quiet, so that the member's next look need not.

What that is, ``services.intake`` tells. It only saves time: what is left over, by a restart or by a queue that is never
quiet, the next look takes in as ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import NoReturn

import structlog

from bridge.domain.dispositions import Disposition, Outcome
from bridge.logs import failure
from bridge.services.intake import Intake
from consumers.session import Life

log = structlog.get_logger(__name__)

QUIET = 2.0
"""Seconds without a delivery after which the queue counts as quiet."""

MOST_MEMBERS = 10_000
"""Members remembered; those beyond them wait for their next look."""


class QuietIntake:
    """Knows whose drafts came, and when the last delivery did."""

    def __init__(self, intake: Intake, quiet: float = QUIET) -> None:
        self._intake = intake
        self._quiet = quiet
        self._members: dict[str, None] = {}  # a set in the order of arrival
        self._some = asyncio.Event()
        self._last = 0.0
        self._in_hand = 0

    def begin(self) -> None:
        """Note that a session begins: what the one before it had in hand will be delivered again."""
        self._in_hand = 0

    def delivered(self) -> None:
        """Note that a batch was taken in hand: the queue is not quiet."""
        self._in_hand += 1
        self._last = asyncio.get_running_loop().time()

    def settled(self, outcomes: Iterable[Outcome]) -> None:
        """Note that a batch is settled, and whose drafts it made."""
        self._in_hand -= 1
        for outcome in outcomes:
            if outcome.disposition is Disposition.RECORDED and outcome.member_id and len(self._members) < MOST_MEMBERS:
                self._members[outcome.member_id] = None
                self._some.set()

    async def run(self, life: Life) -> NoReturn:
        """Take in, a piece at a time, and let a delivery come first after each."""
        while True:
            await self._some.wait()
            await self._until_quiet()
            member_id = next(iter(self._members))
            if not await self._is_more(life, member_id):
                del self._members[member_id]
            if not self._members:
                self._some.clear()

    async def _is_more(self, life: Life, member_id: str) -> bool:
        try:
            return await life.patiently(lambda: self._intake.take_some(member_id))
        except Exception as error:  # a member erased meanwhile, say: no reason to stop taking statements
            log.warning("drafts not taken in", member_id=member_id, **failure(error))
            return False

    async def _until_quiet(self) -> None:
        now = asyncio.get_running_loop().time
        while (left := self._last + self._quiet - now()) > 0 or self._in_hand:  # noqa: ASYNC110 - time is what is waited for
            await asyncio.sleep(max(left, self._quiet))
