"""What may be done to two members' records, each operation in a process of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal

from bridge import wiring
from bridge.domain.statements.dispositions import Disposition
from bridge.services.audit.register import Decision
from bridge.services.members.members import MemberIn
from schemas.audit import DECLARATIONS
from tests.properties.interleavings.statements import arrived, entry_of
from tests.support.statements import account, member

PERIOD: Final = "2026-04-01"

OWN_ENTRY: Final = {"title": "My own", "date": "2026-05-04"}
OWN_ITEM: Final = {"title": "Learn of grief", "start_date": "2026-04-10", "completion_date": "2026-06-01"}


@dataclass
class Ids:
    """Ids that differ from run to run, by member: an entry and a plan item of their own, and the newest case."""

    entries: dict[str, str] = field(default_factory=dict[str, str])
    items: dict[str, str] = field(default_factory=dict[str, str])
    cases: dict[str, str] = field(default_factory=dict[str, str])

    def entry(self, member_id: str, name: str) -> str:
        """Return the id of an entry: the one that a statement makes, or the member's ``own``."""
        return self.entries.get(member_id, "none") if name == "own" else entry_of(member_id, name)


@dataclass(frozen=True)
class Context:
    """What an operation is run with: the services of a process, and ids."""

    services: wiring.Services
    ids: Ids


@dataclass(frozen=True)
class Operation(ABC):
    """One thing that somebody does; ``comes_again`` says that it is done again when the process crashed meanwhile."""

    comes_again: ClassVar = False

    @abstractmethod
    async def run(self, context: Context) -> Any:
        """Do it; returns what is answered, without ids and times."""


@dataclass(frozen=True)
class Record(Operation):
    """A batch of statements is recorded, by their names."""

    comes_again: ClassVar = True
    names: tuple[str, ...]

    async def run(self, context: Context) -> list[str]:
        """Record it; returns the dispositions, but nothing of a statement that changes nothing.

        An erasure is done in steps: halfway, a statement that was there is a duplicate still, and ignored from then on.
        """
        batch = [arrived(name, context.services.recording.rules) for name in self.names]
        outcomes = await context.services.recording.record(batch)
        changes_nothing = {Disposition.DUPLICATE, Disposition.IGNORED}
        return ["" if outcome.disposition in changes_nothing else outcome.disposition for outcome in outcomes]


@dataclass(frozen=True)
class Put(Operation):
    """The membership system brings a member: accounts and a renewal date."""

    member_id: str
    accounts: tuple[str, ...]
    renewal: str = PERIOD

    async def run(self, context: Context) -> bool:
        """Put the member; returns whether it is a new one."""
        identifiers = [account(name) for name in self.accounts]
        body = MemberIn.model_validate(member(renewal_date=self.renewal, identifiers=identifiers))
        put = await context.services.members.put(self.member_id, body)
        return put is not None and put.created


@dataclass(frozen=True)
class Add(Operation):
    """A member writes an entry of their own."""

    member_id: str

    async def run(self, context: Context) -> str | None:
        """Add it, and return its reference number."""
        entry = await context.services.log.create(self.member_id, OWN_ENTRY, draft=True, attempt=None)
        return entry.get("reference")


@dataclass(frozen=True)
class Edit(Operation):
    """A member changes a field of an entry, whatever its version is."""

    member_id: str
    entry: str
    field: Literal["learning", "date"]
    value: str

    async def run(self, context: Context) -> None:
        """Change it."""
        entry_id = context.ids.entry(self.member_id, self.entry)
        await context.services.log.edit(self.member_id, entry_id, {self.field: self.value}, None, _any_version)


@dataclass(frozen=True)
class Delete(Operation):
    """A member deletes an entry, whatever its version is."""

    member_id: str
    entry: str

    async def run(self, context: Context) -> None:
        """Delete it."""
        await context.services.log.delete(self.member_id, context.ids.entry(self.member_id, self.entry), _any_version)


@dataclass(frozen=True)
class Restore(Operation):
    """A member restores an entry."""

    member_id: str
    entry: str

    async def run(self, context: Context) -> None:
        """Restore it."""
        await context.services.log.restore(self.member_id, context.ids.entry(self.member_id, self.entry))


@dataclass(frozen=True)
class Link(Operation):
    """A member links an entry with their plan item."""

    member_id: str
    entry: str

    async def run(self, context: Context) -> None:
        """Link them."""
        entry_id, item_id = context.ids.entry(self.member_id, self.entry), context.ids.items.get(self.member_id, "none")
        await context.services.links.link(self.member_id, entry_id, item_id)


@dataclass(frozen=True)
class Comment(Operation):
    """A member comments on the year from April 2026."""

    member_id: str

    async def run(self, context: Context) -> None:
        """Post it."""
        await context.services.comments.add(self.member_id, PERIOD, "It was cancelled.", None, None)


@dataclass(frozen=True)
class Select(Operation):
    """The Register team selects a member."""

    member_id: str

    async def run(self, context: Context) -> None:
        """Open a case of the year from April 2026."""
        await context.services.selection.select(self.member_id, PERIOD, None, "staff-1", None)


@dataclass(frozen=True)
class Submit(Operation):
    """A member submits what they were selected for: the freeze begins."""

    member_id: str

    async def run(self, context: Context) -> bool:
        """Submit it; returns whether that is done now rather than before."""
        case_id, accepted = context.ids.cases.get(self.member_id, "none"), dict.fromkeys(DECLARATIONS, True)
        _, is_new = await context.services.audit.submit(self.member_id, case_id, accepted, "en", None)
        return is_new


@dataclass(frozen=True)
class Decide(Operation):
    """The Register team decides in a case: the freeze ends."""

    member_id: str
    decision: Literal["return", "close"]

    async def run(self, context: Context) -> None:
        """Decide, with what the decision needs."""
        needed = {"return": {"feedback": "More, please."}, "close": {"outcome": "met"}}[self.decision]
        decision = Decision(self.decision, **needed)  # pyright: ignore[reportArgumentType] - texts alone
        await context.services.register.decide(context.ids.cases.get(self.member_id, "none"), decision, "staff-1", None)


@dataclass(frozen=True)
class FollowUp(Operation):
    """The worker does a piece of what is left to do for a member."""

    member_id: str

    async def run(self, context: Context) -> None:
        """Do a piece."""
        await context.services.follow_ups.piece(self.member_id)


@dataclass(frozen=True)
class Erase(Operation):
    """A member is erased."""

    comes_again: ClassVar = True
    member_id: str

    async def run(self, context: Context) -> str:
        """Erase, or hold the erasure; returns how far it is."""
        return str((await context.services.erasures.request(self.member_id, "dpo"))["state"])


def _any_version(version: int) -> None:
    """Change a record whatever its version is."""
