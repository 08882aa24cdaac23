"""Writing what was decided in memory: each document whole when it is new, else by the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pymongo import UpdateOne

from bridge.domain.changes import Changes, Identified
from bridge.store.database import Collection, Document, Session, bulk

D = TypeVar("D", bound=Identified)


async def write(collection: Collection[D], changes: Changes[D], session: Session) -> None:
    """Change, insert and remove documents; the driver's error for the first that cannot be ends the transaction.

    What changes comes first: it may give up a unique key that a new document has.
    """
    await save(collection, changes.changed, session)
    if changes.new:
        await collection.insert_many(changes.new, session=session)
    if changes.removed:
        await collection.delete_many({"_id": {"$in": sorted(changes.removed)}}, session=session)


async def save(collection: Collection[D], pairs: Sequence[tuple[D, D]], session: Session | None) -> None:
    """Write what differs between each pair of before and after, in one bulk write."""
    updates = [UpdateOne(_key(before), difference(before, after)) for before, after in pairs if before != after]
    if updates:
        await bulk(collection, updates, session)


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Document:
    """Return the update that makes one of the other; every field that differs is written whole."""
    new = {name: value for name, value in after.items() if name not in before or before[name] != value}
    gone = dict.fromkeys(before.keys() - after.keys(), "")
    return {**({"$set": new} if new else {}), **({"$unset": gone} if gone else {})}


def _key(document: Mapping[str, Any]) -> Document:
    """Return what names a document: its id, and the member that it belongs to, which is the shard key."""
    return {name: document[name] for name in ("_id", "member_id") if name in document}
