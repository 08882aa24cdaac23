"""The version of the database: what each brings, and the steps from one to the next (docs/decisions/0014)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

import orjson
from pymongo import UpdateOne
from pymongo.errors import OperationFailure

from bridge.domain.agents import actor_key
from bridge.domain.erasing import mentions
from bridge.domain.people import people
from bridge.store.database import Collection, Database, Document, bulk, reaches_store
from bridge.store.erasures import ErasureKey
from bridge.store.lrs.references import References
from bridge.store.lrs.unsent import Unsent

VERSION: Final = 3
"""1 is release 0.1.0, which wrote no version; 2 lets an erasure find whoever a statement names (``about``).

With 2, what is unsent and what refers to what moved out of the statements (docs/decisions/0009). With 3, the access log
has members by key alone, so that no row of it is ever changed (docs/decisions/0007).
"""

AT_ONCE: Final = 500

INDEX_NOT_FOUND: Final = 27
"""MongoDB's error code."""

NO_VALIDATORS: Final = frozenset({2, 9, 20, 26, 59, 72, 115, 238, 40415})
"""Error codes of a server that knows no validators, or not these: anything else is an outage."""

OF_MARKS: Final = frozenset({"lrs_target", "lrs_unsent"})
"""Indexes of 0.1.0 on ``statements`` that nothing looks anything up by any more."""

BY_ID: Final = "by_member"
"""The index of 0.1.0 on the access log's ``member_id``."""

_MEMBERS: Final[Document] = {"member_id": {"bsonType": "string"}}
_RECORD: Final[Document] = {**_MEMBERS, "version": {"bsonType": ["int", "long"]}, "created_at": {"bsonType": "date"}}

VALIDATORS: Final[dict[str, Document]] = {
    "members": {"keys": {"bsonType": "array", "minItems": 1}, "version": {"bsonType": ["int", "long"]}},
    "plan_items": _RECORD,
    "log_entries": _RECORD,
    "comments": {**_MEMBERS, "text": {"bsonType": "string"}, "created_at": {"bsonType": "date"}},
    "audit_cases": {**_MEMBERS, "state": {"enum": [
        "selected", "submitted", "returned", "closed", "withdrawn", "satisfied_elsewhere",
    ]}},
    "submissions": {**_MEMBERS, "digest": {"bsonType": "string"}},
    "access_log": {
        "chain": {"bsonType": ["int", "long"]}, "seq": {"bsonType": ["int", "long"]},
        "hash": {"bsonType": "string", "pattern": "^[0-9a-f]{64}$"},
    },
    "erasures": {"state": {"enum": ["held", "running", "erased"]}},
}  # fmt: skip
"""Collection → fields that every document has, and of which kind: a guard against what does not go through us."""


@reaches_store
class Schema:
    """The version in ``meta``, validators, and the steps."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._meta = database.collection("meta")
        self._key = ErasureKey(database)

    async def version(self) -> int | None:
        """Return the database's version; None for one that nobody has written to."""
        noted = await self._meta.find_one({"_id": "schema"})
        if noted is not None:
            return int(noted["version"])
        return 1 if await self._meta.find_one({"_id": "members"}) is not None else None

    async def reached(self, version: int) -> None:
        """Note that the database has this version, unless another has brought it further."""
        await self._meta.update_one({"_id": "schema"}, {"$max": {"version": version}}, upsert=True)

    async def restoring(self) -> bool:
        """Say whether a restore was begun and has not ended."""
        return await self._meta.find_one({"_id": "restoring"}) is not None

    async def validate(self) -> list[str]:
        """Set the validators; returns the collections whose server takes none.

        What is there and does not fit may stay, and be changed to fit (``moderate``).
        """
        return [name for name, fields in VALIDATORS.items() if not await self._set_validator(name, fields)]

    async def _set_validator(self, name: str, fields: Document) -> bool:
        rule = {"$jsonSchema": {"bsonType": "object", "required": sorted(fields), "properties": fields}}
        command = {"collMod": name, "validator": rule, "validationLevel": "moderate", "validationAction": "error"}
        try:
            await self._database.raw.command(command)
        except OperationFailure as error:
            if error.code not in NO_VALIDATORS:
                raise
            return False
        return True

    async def name_people(self) -> int:
        """Step to 2: let statements that 0.1.0 wrote be found by whoever they name; returns how many changed."""
        changed = 0
        async for rows in self._unnamed():
            secret = await self._key.get()
            updates = [
                UpdateOne({"_id": row["_id"]}, {"$set": {"about": mentions(secret, _named(row))}}) for row in rows
            ]
            await bulk(self._database.collection("statements"), updates)
            changed += len(updates)
        return changed

    async def note_lrs(self) -> None:
        """Step to 2: note what 0.1.0 marked as unsent and as referring to others where this release looks for it.

        Its indexes of those marks go.
        """
        statements, unsent = self._database.collection("statements"), Unsent(self._database)
        references = References(self._database)
        async for row in statements.find({"lrs.unsent": {"$gt": 0}}, {"lrs.unsent": 1}):
            await unsent.note([row["_id"]], row["lrs"]["unsent"])
        async for row in statements.find({"lrs.target": {"$gt": ""}}, {"lrs.target": 1}):
            await references.add({row["_id"]: row["lrs"]["target"]})
        for name in OF_MARKS & (await statements.index_information()).keys():
            await _without_index(statements, name)

    async def key_accesses(self) -> int:
        """Step to 3: take the members' ids off the access log's rows, and their index; returns how many had one.

        A process of the release before still writes them, until it ends.
        """
        rows = self._database.collection("access_log")
        done = await rows.update_many({"member_id": {"$exists": True}}, {"$unset": {"member_id": ""}})
        if BY_ID in await rows.index_information():
            await _without_index(rows, BY_ID)
        return done.modified_count

    async def _unnamed(self) -> AsyncGenerator[list[Document]]:
        """Yield rows that need ``about``, some at once, in the order of their ids; each page is read anew."""
        statements, after = self._database.collection("statements"), ""
        while True:
            query: Document = {"_id": {"$gt": after}, "about": None}
            fields = {"raw": 1, "member_id": 1}
            rows = [row async for row in statements.find(query, fields).sort("_id", 1).limit(AT_ONCE)]
            if not rows:
                return
            after = rows[-1]["_id"]
            if needing := [row for row in rows if row.get("raw") and _named(row)]:
                yield needing


async def _without_index(collection: Collection, name: str) -> None:
    try:
        await collection.drop_index(name)
    except OperationFailure as error:
        if error.code != INDEX_NOT_FOUND:  # another who migrates was quicker
            raise


def _named(row: Document) -> set[str]:
    statement = orjson.loads(row["raw"])
    named = set(people(statement))
    if row.get("member_id"):
        named -= {actor_key(statement["actor"]) or ""}
    return named
