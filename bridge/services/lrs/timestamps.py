"""Times stored: microseconds that never repeat in this process; and up to when all can be read."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager


class StoredTimestamps:
    """The times of this process, and which of them are still being written."""

    def __init__(self) -> None:
        self._last = 0
        self._open: set[int] = set()

    @contextmanager
    def reserve(self, count: int) -> Generator[int]:
        """Give the first of ``count`` times in a row; until the end they count as not yet readable."""
        first = max(self._last + 1, time.time_ns() // 1000)
        self._last = first + count - 1
        self._open.add(first)
        try:
            yield first
        finally:
            self._open.discard(first)

    def consistent_through(self) -> int:
        """Return the time up to which what this process stored can be read (xAPI-Communication §2.1.3)."""
        return min(self._open, default=time.time_ns() // 1000 + 1) - 1
