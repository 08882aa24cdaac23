"""Processes at once: before each call that reaches the store, a schedule decides which of them goes on.

Only one goes on at a time, so that a run is decided by its schedule, whatever else the machine has to do. The calls are
met where Motor hands them to its threads: every one comes by there.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from motor.frameworks import asyncio as framework
from pymongo.errors import PyMongoError

from bridge.store.faults import is_conflict

Work = Callable[[], Coroutine[Any, Any, Any]]
Switches = Sequence[tuple[int, int]]
"""After how many calls another goes on, and which, as a number among the others. After the last the same goes on."""

WITHOUT_END: Final = 10**6

PLAIN_WRITES: Final = ("insert", "update", "replace", "delete", "bulk_write", "find_one_and")
"""How the names of calls begin that write."""

NOT_SCHEDULED: Final = frozenset({"start_session", "end_session"})
"""Calls that do not reach the store."""

BLOCKED_AFTER: Final = 0.1
"""Seconds after which a plain write is taken to wait for a transaction to end, as the store lets it."""

PATIENCE: Final = 60.0
"""Seconds without any change after which something is wrong here."""


class Crashed(BaseException):
    """The process is gone: nobody gets the answer of its last call, and nothing catches this."""


@dataclass(eq=False)
class Process:
    """One of the processes; it crashes after ``calls_left`` calls, if that is not None.

    ``turn`` is there while it waits for its turn. ``is_plain`` says that its call writes outside a transaction,
    ``is_blocked`` that it waits for the end of another's, ``has_conflicted`` that another's has undone its own.
    """

    interleaving: Interleaving
    calls_left: int | None = None
    turn: asyncio.Future[None] | None = None
    has_ended: bool = False
    in_transaction: bool = False
    is_plain: bool = False
    is_blocked: bool = False
    has_conflicted: bool = False

    async def run(self, work: Work) -> Any:
        """Do the work, from its first turn on; returns what it returns, or ``Crashed``; raises what it raises."""
        CURRENT.set(self)
        try:
            await self._take_turn()
            return await work()
        except Crashed as crash:
            return crash
        finally:
            self.has_ended = True
            self.interleaving.note_effect(self)
            self.interleaving.changed.set()

    async def call(self, name: str, session: Any, send: Callable[[], Awaitable[Any]]) -> Any:
        """Make a call of the driver when it is this process's turn."""
        self.is_plain = session is None and name.startswith(PLAIN_WRITES)
        await self._take_turn()
        self.in_transaction = self.in_transaction or session is not None
        try:
            answer = await send()
        except PyMongoError as error:
            self.has_conflicted = is_conflict(error)
            raise
        finally:
            self._come_back(name)
        if self.calls_left is not None:
            self.calls_left -= 1
            if self.calls_left == 0:
                raise Crashed
        return answer

    async def _take_turn(self) -> None:
        assert self.turn is None, "a process makes one call at a time"
        self.turn = asyncio.get_running_loop().create_future()
        self.interleaving.changed.set()
        await self.turn

    def give_turn(self) -> None:
        """Let it make its call."""
        turn, self.turn = self.turn, None
        assert turn is not None, "whoever is ready waits for a turn"
        if not turn.done():  # it may be cancelled
            turn.set_result(None)

    def _come_back(self, name: str) -> None:
        self.is_blocked = False
        if name in {"commit_transaction", "abort_transaction"}:
            self.in_transaction = False
            self.interleaving.unblock_others(self)
        if name == "commit_transaction":
            self.interleaving.note_effect(self)


CURRENT: ContextVar[Process | None] = ContextVar("current_process", default=None)


@dataclass
class Interleaving:
    """Runs works at once by a schedule; the first one crashes after ``crash_after`` calls, if it makes as many.

    ``order`` has the numbers of the works, in the order in which each first committed something, or ended.
    """

    switches: Switches
    crash_after: int | None = None
    processes: list[Process] = field(default_factory=list[Process])
    order: list[int] = field(default_factory=list[int])
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, works: Sequence[Work]) -> list[Any]:
        """Do all works; returns what each returned or raised, ``Crashed`` for one that crashed."""
        self.processes = [Process(self, None if number else self.crash_after) for number in range(len(works))]
        pairs = zip(self.processes, works, strict=True)
        tasks = [asyncio.create_task(process.run(work)) for process, work in pairs]
        try:
            await self._schedule()
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        return results

    def note_effect(self, process: Process) -> None:
        """Note that a process has done something that lasts, or ended."""
        if (number := self.processes.index(process)) not in self.order:
            self.order.append(number)

    def unblock_others(self, process: Process) -> None:
        """Let those go on that waited for a process's transaction."""
        for other in self.others(process):
            other.is_blocked = other.has_conflicted = False

    def others(self, process: Process) -> list[Process]:
        """Return the other processes, those behind this one first."""
        at = self.processes.index(process)
        return [*self.processes[at + 1 :], *self.processes[:at]]

    async def _schedule(self) -> None:
        switches = itertools.chain(self.switches, itertools.repeat((WITHOUT_END, 0)))
        current = self.processes[0]
        calls, choice = next(switches)
        while await self._all_wait():
            ready = [process for process in (*self.others(current), current) if self._is_ready(process)]
            if not ready:
                await self._change()
                continue
            if calls == 0 or current not in ready:
                current = ready[choice % max(1, len(ready) - (current in ready))]
                calls, choice = next(switches)
            calls -= 1
            current.give_turn()

    def _is_ready(self, process: Process) -> bool:
        """Say whether a process may go on; one that met another's transaction stands back until that has ended."""
        stands_back = process.has_conflicted and not process.in_transaction and self._meets(process)
        return process.turn is not None and not stands_back

    def _meets(self, process: Process) -> bool:
        return any(other.in_transaction for other in self.others(process))

    async def _all_wait(self) -> bool:
        """Wait until each process has ended, or waits for its turn or another's transaction; False: all ended."""
        while moving := [process for process in self._unfinished() if process.turn is None and not process.is_blocked]:
            may_be_blocked = [process for process in moving if process.is_plain and self._meets(process)]
            if not await self._change(BLOCKED_AFTER if may_be_blocked else PATIENCE):
                for process in may_be_blocked:
                    process.is_blocked = True
        return bool(self._unfinished())

    def _unfinished(self) -> list[Process]:
        return [process for process in self.processes if not process.has_ended]

    async def _change(self, within: float = PATIENCE) -> bool:
        """Wait until something changes; returns whether it did. Raises ``TimeoutError`` when nothing ever will."""
        self.changed.clear()
        try:
            async with asyncio.timeout(within):
                await self.changed.wait()
        except TimeoutError:
            if within == PATIENCE:
                raise
            return False
        return True


@contextmanager
def scheduled_calls() -> Generator[None]:
    """Let every call of Motor's wait for its turn meanwhile, when a process of an interleaving makes it."""
    motor: Any = framework
    run_on_executor = motor.run_on_executor

    def run_in_turn(loop: asyncio.AbstractEventLoop, call: Any, *args: Any, **kwargs: Any) -> Any:
        process, name = CURRENT.get(), getattr(call, "__name__", "")
        if process is None or name in NOT_SCHEDULED:
            return run_on_executor(loop, call, *args, **kwargs)

        def send() -> Any:
            return run_on_executor(loop, call, *args, **kwargs)

        return loop.create_task(process.call(name, kwargs.get("session"), send))

    motor.run_on_executor = run_in_turn
    try:
        yield
    finally:
        motor.run_on_executor = run_on_executor
