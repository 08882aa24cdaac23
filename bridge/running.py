"""How a process that stays is run: on libuv's event loop, with a garbage collector that lets be what was loaded."""

from __future__ import annotations

import gc
from collections.abc import Coroutine
from typing import Any

import uvloop


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` to its end.

    What was loaded before is never looked through for garbage: it stays anyway, and walking it was half of the time
    that a batch of statements took.
    """
    gc.collect()
    gc.freeze()
    uvloop.run(work)
