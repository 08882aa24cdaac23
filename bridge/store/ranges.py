"""Ranges over an index that the embedded store would answer wrongly if they were written plainly (decision 18)."""

from __future__ import annotations

from bridge.domain.record.records import LAST
from bridge.store.database import Document


def up_to(text: str, first: str = "") -> Document:
    """Return the range of texts from ``first`` to ``text``, both included.

    The embedded store leaves out what equals the end of a range (``$lte``); what follows the text is given instead.
    """
    return {"$gte": first, "$lt": text + LAST}


def between(first: int, beyond: int) -> Document:
    """Return the range of whole numbers from ``first`` to before ``beyond``.

    The embedded store leaves out what equals the start of a range on a descending index (``$gte``); the number before
    it is given instead.
    """
    return {"$gt": first - 1, "$lt": beyond}
