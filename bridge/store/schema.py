"""The version of the database, its collections, indexes and validators (docs/decisions/0014)."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from pymongo.errors import CollectionInvalid, OperationFailure

from bridge.domain.audit.cases import State
from bridge.domain.privacy.erasures import ERASURE_STATES
from bridge.store.database import Database, Document, reaches_store
from bridge.store.indexes import INDEXES
from bridge.store.inventory import INVENTORY

SCHEMA_VERSION: Final = 1

PROBE: Final = "ready_probe"
"""The row of ``meta`` that proves that the store takes writes."""

NO_VALIDATORS: Final = frozenset({2, 9, 20, 26, 59, 72, 115, 238, 40415})
"""Error codes of a server that knows no validators, or not these: anything else is an outage."""

_MEMBERS: Final[Document] = {"member_id": {"bsonType": "string"}}
_RECORD: Final[Document] = {**_MEMBERS, "version": {"bsonType": ["int", "long"]}, "created_at": {"bsonType": "date"}}

VALIDATORS: Final[dict[str, Document]] = {
    "members": {"keys": {"bsonType": "array", "minItems": 1}, "version": {"bsonType": ["int", "long"]}},
    "plan_items": _RECORD,
    "log_entries": _RECORD,
    "comments": {**_MEMBERS, "text": {"bsonType": "string"}, "created_at": {"bsonType": "date"}},
    "audit_cases": {**_MEMBERS, "state": {"enum": [state.value for state in State]}},
    "submissions": {**_MEMBERS, "digest": {"bsonType": "string"}},
    "access_log": {
        "chain": {"bsonType": ["int", "long"]}, "seq": {"bsonType": ["int", "long"]},
        "hash": {"bsonType": "string", "pattern": "^[0-9a-f]{64}$"},
    },
    "erasures": {"state": {"enum": list(ERASURE_STATES)}},
}  # fmt: skip
"""Collection → fields that every document has, and of which kind: a guard against what does not go through us."""


@reaches_store
class Schema:
    """The version in ``meta``, and what is made of the database at the start."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._meta = database.collection("meta")

    async def prove(self) -> None:
        """Write a row and read it back: a ``ping`` is answered with a full disk and without any right, too."""
        await self._meta.update_one({"_id": PROBE}, {"$inc": {"writes": 1}}, upsert=True)
        await self._meta.find_one({"_id": PROBE})

    async def create(self) -> None:
        """Create every collection and index; a transaction that creates a collection conflicts with every other."""
        for name in sorted(INVENTORY.keys() - set(await self._database.raw.list_collection_names())):
            with suppress(CollectionInvalid):  # another process was faster
                await self._database.raw.create_collection(name)
        for name, indexes in INDEXES.items():
            await self._database.collection(name).create_indexes(indexes)

    async def version(self) -> int | None:
        """Return the database's version; None for one that nobody has written to."""
        schema_row = await self._meta.find_one({"_id": "schema"})
        return None if schema_row is None else int(schema_row["version"])

    async def reached(self, version: int) -> None:
        """Note that the database has this version, unless another has brought it further."""
        await self._meta.update_one({"_id": "schema"}, {"$max": {"version": version}}, upsert=True)

    async def restoring(self) -> bool:
        """Say whether a restore was begun and has not ended."""
        return await self._meta.find_one({"_id": "restoring"}) is not None

    async def validate(self) -> list[str]:
        """Set the validators, which let stay what does not fit; returns the collections whose server takes none."""
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
