"""A data subject: whose an identifier was when, so that what a member once came under is found, and no one else's is.

An identifier may go from one member to another. Then what names it is the one's until they gave it up, and the other's
from then on; what nobody has any more stays with whoever had it last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bridge.domain.members.identifiers import id_key, tombstone


@dataclass(frozen=True, slots=True)
class Tenure:
    """A member's time with an identifier; ``until`` is None while they have it."""

    member_id: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A stretch of time, from after ``after`` up to and with ``until``; None is without end."""

    after: datetime | None = None
    until: datetime | None = None

    def covers(self, at: datetime) -> bool:
        """Say whether a time is in it."""
        return (self.after is None or at > self.after) and (self.until is None or at <= self.until)


ALWAYS = (TimeSpan(),)


def spans_of(member_id: str, tenures: Sequence[Tenure]) -> tuple[TimeSpan, ...]:
    """Return when an identifier was one member's, given everybody's time with it."""
    former = sorted((tenure.until, tenure.member_id) for tenure in tenures if tenure.until)
    now = [tenure.member_id for tenure in tenures if tenure.until is None] or [holder for _, holder in former[-1:]]
    spans: list[tuple[str, TimeSpan]] = []
    after: datetime | None = None
    for until, holder in former:
        spans.append((holder, TimeSpan(after, until)))
        after = until
    spans += [(holder, TimeSpan(after)) for holder in now]
    own_spans = tuple(span for holder, span in spans if holder == member_id)
    return ALWAYS if len(own_spans) == len(spans) else own_spans


@dataclass(frozen=True, slots=True)
class DataSubject:
    """A person by what they are found by."""

    member_id: str
    secret: bytes = field(repr=False)
    spans: Mapping[str, Sequence[TimeSpan]] = field(repr=False)  # tombstone → when that identifier was theirs
    keys: tuple[str, ...] = field(default=(), repr=False)  # those known in clear: that the member has now

    @property
    def own_stone(self) -> str:
        """The tombstone of the member id."""
        return tombstone(self.secret, id_key(self.member_id))

    def is_stone(self, stone: str, at: datetime) -> bool:
        """Say whether a tombstone is of an identifier that was this person's at a time."""
        return any(span.covers(at) for span in self.spans.get(stone, ()))

    def is_key(self, key: str, at: datetime) -> bool:
        """Say whether an identifier was this person's at a time."""
        return self.is_stone(tombstone(self.secret, key), at)

    def keys_at(self, keys: Iterable[str], at: datetime) -> frozenset[str]:
        """Return those of identifier keys that were this person's at a time."""
        return frozenset(key for key in keys if self.is_key(key, at))
