"""Documents of State and of the Profiles: whole or merged, guarded by ETags (xAPI-Communication §2.2, §3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, cast

import orjson

from bridge.domain.entity_tags import matches_strongly, matches_weakly
from bridge.errors import Conflict, Malformed, NotFound, StaleVersion, TooLarge
from bridge.store.lrs.documents import Documents, Shelf, Stored, document

JSON = "application/json"
MOST_IDS = 10_000
"""Ids that one answer lists."""

ROUNDS = 20
"""How often a merge is made anew when others change the same document meanwhile."""


@dataclass(frozen=True, slots=True)
class Precondition:
    """``If-Match`` and ``If-None-Match`` (RFC 9110 §13.1) as ``read_tags`` gives them; None when not sent."""

    match: Sequence[str] | None = None
    none_match: Sequence[str] | None = None

    @property
    def given(self) -> bool:
        """Whether there is any."""
        return self.match is not None or self.none_match is not None

    def check(self, stored: Stored | None) -> None:
        """Raise ``StaleVersion`` unless the document is as expected."""
        if self.match is not None and not matches_strongly(self.match, stored and stored.tag):
            raise StaleVersion("The document is not the one that If-Match names; read it again.")
        if self.is_known(stored):
            raise StaleVersion("There is a document already, or it is the one that If-None-Match names.")

    def is_known(self, stored: Stored | None) -> bool:
        """Whether the document is one that ``If-None-Match`` names."""
        return self.none_match is not None and matches_weakly(self.none_match, stored and stored.tag)


class Guard(Enum):
    """When storing a document whole needs a precondition."""

    NONE = "never"
    REPLACING = "to replace a document"
    ALWAYS = "always"

    def check(self, stored: Stored | None) -> None:
        """Raise ``Conflict`` or ``Malformed`` when there is none, and should be (xAPI-Communication §3.1)."""
        if stored and self is not Guard.NONE:
            raise Conflict(
                "There is a document already: read it, then send its ETag as If-Match (xAPI-Communication §3.1)."
            )
        if self is Guard.ALWAYS:
            raise Malformed(
                "Send If-None-Match: * to make a document, or If-Match with its ETag to replace it"
                " (xAPI-Communication §3.1)."
            )


class LrsDocuments:
    """The document resources' use cases."""

    def __init__(self, store: Documents) -> None:
        self._store = store

    async def get(self, shelf: Shelf, document_id: str) -> Stored:
        """Return a document; raises ``NotFound``."""
        found = await self._store.get(shelf, document_id)
        if found is None:
            raise NotFound("There is no such document.")
        return found

    async def ids(self, shelf: Shelf, since: datetime | None) -> tuple[Sequence[str], datetime | None]:
        """Return the ids of a shelf's documents changed after ``since``, and the time of the last change."""
        return await self._store.ids(shelf, since, MOST_IDS)

    async def put(self, shelf: Shelf, document_id: str, new: Stored, expected: Precondition, guard: Guard) -> None:
        """Store a document whole, if ``guard`` allows it without a precondition."""
        stored = await self._store.get(shelf, document_id)
        expected.check(stored)
        if not expected.given:
            guard.check(stored)
        if not await self._store.put(shelf, document_id, new, stored.etag if stored else None):
            if guard is not Guard.NONE or expected.given:
                raise StaleVersion("Someone changed this document meanwhile; read it again.")
            await self._overwrite(shelf, document_id, new)

    async def _overwrite(self, shelf: Shelf, document_id: str, new: Stored) -> None:
        for _ in range(ROUNDS):
            stored = await self._store.get(shelf, document_id)
            if await self._store.put(shelf, document_id, new, stored.etag if stored else None):
                return
        raise Conflict("Others keep changing this document; try again.")

    async def merge(
        self, shelf: Shelf, document_id: str, given: Stored, expected: Precondition, most_bytes: int
    ) -> None:
        """Merge a document into the stored one, property by property at the top level (xAPI-Communication §2.2).

        Raises ``TooLarge`` when they have more than ``most_bytes`` together.
        """
        for _ in range(ROUNDS):
            stored = await self._store.get(shelf, document_id)
            expected.check(stored)
            new = _merged(stored, given)
            if len(new.content) > most_bytes:
                raise TooLarge(f"A document has at most {most_bytes} bytes, merged ones too; use several.")
            if await self._store.put(shelf, document_id, new, stored.etag if stored else None):
                return
        raise Conflict("Others keep changing this document; try again.")

    async def delete(self, shelf: Shelf, document_id: str, expected: Precondition) -> None:
        """Delete a document; one that is not there stays so."""
        stored = await self._store.get(shelf, document_id)
        expected.check(stored)
        if stored and not await self._store.delete(shelf, document_id, stored.etag) and expected.given:
            raise StaleVersion("Someone changed this document meanwhile; read it again.")

    async def clear(self, shelf: Shelf) -> None:
        """Delete every document of a shelf."""
        await self._store.clear(shelf)


def _merged(stored: Stored | None, given: Stored) -> Stored:
    """Return the merged document; raises ``Malformed`` unless both are JSON objects that can be written again."""
    addition = _object(given) if stored or is_json(given) else None
    if stored is None or addition is None:
        return given
    base = _object(stored)
    try:
        return document(orjson.dumps(base | addition), stored.content_type)
    except TypeError:  # ``orjson`` reads deeper JSON than it writes
        raise Malformed("A document of JSON that is nested this deep cannot be merged; replace it with PUT.") from None


def is_json(one: Stored) -> bool:
    """Say whether a document is of the content type application/json."""
    return one.content_type.partition(";")[0].strip().lower() == JSON


def _object(one: Stored) -> dict[str, Any]:
    try:
        value: Any = orjson.loads(one.content) if is_json(one) else None
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise Malformed(
            "POST merges JSON objects: both documents must be of the content type application/json and hold an"
            " object (xAPI-Communication §2.2)."
        )
    return cast("dict[str, Any]", value)
