"""Members who come in a file: checked against each other and the store first, then written in batches (R82)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from bridge.domain.members import IdentifierTaken, MemberIn, StoredMember, fault_of_row, identifiers, stored_member
from bridge.errors import Conflict, FieldError
from bridge.services.members.writing import ERASURE_STANDS, MemberWriter, Upsert
from bridge.store import Session, Stores, now

AT_ONCE: Final = 50
"""Members that one transaction writes; the embedded store takes the square of it to look their identifiers up."""

OTHER_MEMBERS_IDENTIFIER: Final = (
    "This identifier belongs to another member: let an earlier row take it from them, or leave it out here."
)
MEANWHILE: Final = (
    "An identifier went to another member since the file was checked. Earlier rows are stored: mend this one, and run "
    "the import again."
)


class ImportOutcome(StrEnum):
    """What became of a row."""

    NEW = "new"
    CHANGED = "changed"
    AS_BEFORE = "the same"


@dataclass(frozen=True, slots=True)
class NumberedMember:
    """A member of a file with the number of the row."""

    number: int
    member_id: str
    body: MemberIn


@dataclass(slots=True)
class FileIndex:
    """The members and identifiers of the rows that were checked so far, each with its row."""

    members: dict[str, int] = field(default_factory=dict[str, int])
    keys: dict[str, int] = field(default_factory=dict[str, int])


class MemberImports:
    """Checks and writes the members of a file."""

    def __init__(self, stores: Stores, writer: MemberWriter) -> None:
        self._stores = stores
        self._writer = writer

    async def check(self, rows: Sequence[NumberedMember], earlier: FileIndex) -> list[FieldError]:
        """Return what of some rows does not go with ``earlier`` rows or the store; the rows are added to ``earlier``.

        An identifier may be another member's when an earlier row takes it from them.
        """
        id_keys = {identifiers.id_key(row.member_id): row for row in rows}
        erased_keys = await self._stores.erasures.among(id_keys)
        owners = await self._stores.identifiers.owners(key for row in rows for key in _places(row))
        faults = [fault_of_row(id_keys[key].number, "/member_id", ERASURE_STANDS) for key in erased_keys]
        return [*faults, *(fault for row in rows for fault in _misfits(row, earlier, owners))]

    async def write(self, rows: Sequence[NumberedMember]) -> Counter[ImportOutcome]:
        """Write members, up to ``AT_ONCE``, in one transaction; those that are stored just so already are left alone.

        Raises ``Conflict`` that names the row when an identifier went to another member since the check, or a member
        was erased.
        """
        members = await self._stores.members.some(row.member_id for row in rows)
        secret = await self._stores.erasure_key.get()
        differing = [row for row in rows if not _is_stored(row, members.get(row.member_id), secret)]
        created = sum(row.member_id not in members for row in differing)
        if differing:
            await self._write(differing)
        counts = (created, len(differing) - created, len(rows) - len(differing))
        return Counter(dict(zip(ImportOutcome, counts, strict=True)))

    async def _write(self, rows: Sequence[NumberedMember]) -> None:
        upserts = [Upsert(row.member_id, row.body) for row in rows]

        async def work(session: Session) -> None:
            await self._writer.write(upserts, session)

        try:
            await self._stores.database.transaction(work)
        except IdentifierTaken as error:
            faults = [_taken(row, place) for row in rows if (place := _places(row).get(error.key))]
            raise Conflict(MEANWHILE, field_errors=faults) from error


def _is_stored(row: NumberedMember, before: StoredMember | None, secret: bytes) -> bool:
    """Say whether a member is stored as a row has them."""
    if before is None:
        return False
    after = stored_member(row.member_id, row.body, before, secret, now())
    return {**before, **after, "version": before["version"]} == before


def _misfits(row: NumberedMember, earlier: FileIndex, owners: Mapping[str, str]) -> list[FieldError]:
    """Return what of a row does not go with earlier rows, or with who has an identifier now; adds it to the rows."""
    faults: list[FieldError] = []
    if (number := earlier.members.setdefault(row.member_id, row.number)) != row.number:
        faults.append(fault_of_row(row.number, "/member_id", f"This member is in row {number} already: keep one."))
    for key, place in _places(row).items():
        if (number := earlier.keys.setdefault(key, row.number)) != row.number:
            message = f"This identifier is in row {number} already: it belongs to one member."
            faults.append(fault_of_row(row.number, place, message))
        elif owners.get(key, row.member_id) not in earlier.members:
            faults.append(_taken(row, place))
    return list(dict.fromkeys(faults))  # an mbox has several keys


def _places(row: NumberedMember) -> dict[str, str]:
    """Return identifier key → the place in the body that brings it, the first of several."""
    places: dict[str, str] = {}
    for number, identifier in enumerate(row.body.identifiers):
        agent = identifier.agent()
        for key in identifiers.member_keys([agent]):
            places.setdefault(key, f"/identifiers/{number}/{next(iter(agent))}")
    return places


def _taken(row: NumberedMember, place: str) -> FieldError:
    return fault_of_row(row.number, place, OTHER_MEMBERS_IDENTIFIER)
