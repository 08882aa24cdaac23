"""How a process that stays is run: on libuv's event loop, with memory that goes back to the system."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Coroutine
from typing import Any, Final

import uvloop

_MMAP_THRESHOLD: Final = -3  # the parameter M_MMAP_THRESHOLD of mallopt(3)
LARGE: Final = 256 * 2**10  # bytes of a block of memory that goes back to the system at once


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` to its end.

    What was loaded before is never looked through for garbage: it stays anyway, and walking it was half of the time
    that a batch of statements took.
    """
    _give_large_blocks_back()
    gc.collect()
    gc.freeze()
    uvloop.run(work)


def _give_large_blocks_back() -> None:
    """Keep glibc from raising its limit to the largest body ever seen, after which holes would stay (mallopt(3))."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, LARGE)
