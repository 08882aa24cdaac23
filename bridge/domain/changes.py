"""Documents as they were read and as they are to be: what was decided in memory, to be written as a difference."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypedDict, TypeVar


class Identified(TypedDict):
    """The field that every document has."""

    _id: str


D = TypeVar("D", bound=Identified)


class Changes(Generic[D]):
    """Documents of one collection by id; what was read is never changed in place."""

    def __init__(self, read: Iterable[D] = ()) -> None:
        self._read = {document["_id"]: document for document in read}
        self._now = dict(self._read)
        self.removed: set[str] = set()

    def get(self, document_id: str) -> D | None:
        """Return a document as it is to be; None when it is neither read nor made."""
        return self._now.get(document_id)

    def put(self, document: D) -> None:
        """Make a document, or change it."""
        self._now[document["_id"]] = document
        self.removed.discard(document["_id"])

    def remove(self, document_id: str) -> None:
        """Remove a document, read or not."""
        self._now.pop(document_id, None)
        self.removed.add(document_id)

    @property
    def new(self) -> list[D]:
        """The documents that were not there."""
        return [document for key, document in self._now.items() if key not in self._read]

    @property
    def changed(self) -> list[tuple[D, D]]:
        """The documents that differ, each as read and as it is to be."""
        pairs = [(self._read[key], document) for key, document in self._now.items() if key in self._read]
        return [(before, after) for before, after in pairs if before != after]
