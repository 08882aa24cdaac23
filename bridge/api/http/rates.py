"""Rate limits: how often one subject may call, in a moving window in this process's memory."""

from __future__ import annotations

import math
import time

import limits
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from bridge.errors import RateLimited, SettingsError


class RateLimit:
    """A limit such as ``600/minute``; raises ``SettingsError`` when it cannot be read."""

    def __init__(self, text: str) -> None:
        try:
            self._item = limits.parse(text)
        except ValueError:
            raise SettingsError(f"BRIDGE_RATE_LIMIT is wrong: {text!r}; write it as 600/minute.") from None
        # The storage that blocks: it takes microseconds, while the one for asyncio visits every subject on each hit.
        self._window = MovingWindowRateLimiter(MemoryStorage())

    def count(self, subject: str) -> None:
        """Count one call of ``subject``; raises ``RateLimited`` with the seconds to wait when it is one too many."""
        if self._window.hit(self._item, subject):
            return
        free_at = self._window.get_window_stats(self._item, subject).reset_time
        wait = max(1, math.ceil(free_at - time.time()))
        raise RateLimited(f"Wait {wait} s, then call again.", retry_after=wait)
