"""The query of ``GET /statements``: what a statement must have, from when to when, in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bridge.domain.lrs.index_keys import EVERY

END_OF_TIME: Final = 2**62
"""Microseconds since 1970, as far as the store can count."""


@dataclass(frozen=True, slots=True)
class StatementQuery:
    """Statements with all of ``keys`` and ``roles``, their own or of one they refer to, and all of ``held``.

    ``since`` is exclusive, ``until`` inclusive; ``after`` is the last statement of the page before. The first key is
    looked up: it should be the one that the fewest statements have.
    """

    keys: tuple[bytes, ...] = (EVERY,)
    roles: tuple[bytes, ...] = ()
    held: tuple[bytes, ...] = ()
    since: int | None = None
    until: int | None = None
    ascending: bool = False
    after: tuple[int, str] | None = None

    def bounds(self) -> tuple[int, int]:
        """Return the first time stored, and the first one beyond the last."""
        low = 0 if self.since is None else self.since + 1
        high = END_OF_TIME if self.until is None else self.until + 1
        if self.after is not None:
            low, high = (max(low, self.after[0]), high) if self.ascending else (low, min(high, self.after[0] + 1))
        return low, high
