"""How a process that stays is run: on libuv's event loop, with a garbage collector that looks seldom and not far."""

from __future__ import annotations

import gc
from collections.abc import Coroutine
from typing import Any, Final

import uvloop

NEW_OBJECTS: Final = 20_000
"""Containers made, less those freed, before the collector looks for rings among them (Python's own: 700).

A lot of statements makes thousands that live until it is written: with the default, the collector walks them again and
again, and finds nothing.
"""


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` to its end. What was loaded before is never looked through for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])
    uvloop.run(work)
