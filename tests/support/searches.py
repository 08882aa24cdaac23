"""How far searches by chance go: a short way as part of the suite, the whole way with ``make faults``."""

from __future__ import annotations

import os

IS_LONG = "FAULT_ROUNDS" in os.environ
"""Whether this is ``make faults``."""


def examples(short: int, long: int) -> int:
    """The number of examples that a search tries."""
    return long if IS_LONG else short
