"""A whole page of a plain collection: its rows, where to go on, and how many there are."""

from __future__ import annotations

from bridge.store.database import Collection
from bridge.store.listing import Listing, Wanted, number_of, rows_of


async def page_of(collection: Collection, wanted: Wanted) -> Listing:
    """Return the page that is wanted."""
    items, after = await rows_of(collection, wanted)
    return Listing(items, after, await number_of(collection, wanted.seek, wanted.rest))
