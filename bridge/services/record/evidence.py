"""Evidence of a log entry: files that the member adds by hand, whenever they like (R66-R70).

Nothing is ever attached by itself, and no entry needs any evidence to be complete.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import structlog

from bridge.clients.clamd import Scanner
from bridge.domain.record import (
    CLEAN,
    EVIDENCE_CHUNK,
    QUARANTINED,
    REJECTED,
    EvidenceFile,
    EvidenceState,
    EvidenceSummary,
    FileFacts,
    Inspector,
    StoredEntry,
    check_room,
    evidence_file,
    evidence_summary,
    freeze_of,
)
from bridge.errors import Conflict, NotFound, Unavailable
from bridge.logs import failure
from bridge.services.unit_of_work import ENTRY, Attempt, Check, UnitOfWork, UnitsOfWork, get_or_404, raise_if_frozen
from bridge.store import Listing, Position, Session, Sort, Stores
from bridge.texts import Text

log = structlog.get_logger(__name__)

GIVEN_UP_AFTER: Final = timedelta(hours=1)
"""An upload that has not ended by then never will; longer than any is allowed to take."""

SCAN_AGAIN_AFTER: Final = timedelta(minutes=1)
"""How long a file rests between two scans; longer than one takes."""

ROUND: Final = 100
"""Files that one round of sweeping or scanning takes on."""

_UNREADABLE: Final = {
    QUARANTINED: Text("This file is still being checked for viruses; try again in a few minutes."),
    REJECTED: Text(
        "A virus was found in this file and its content was removed; delete it here and check your own copy."
    ),
}


@dataclass(frozen=True, slots=True)
class EvidenceLimits:
    """The most bytes of one file, and of all files of one member."""

    file: int
    member: int


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way in: its name, its content in pieces, and how to tell a repeat from its digest."""

    name: str
    content: AsyncIterable[bytes]
    attempt: Callable[[bytes], Attempt | None]


class MemberEvidence:
    """Takes, gives and deletes a member's files; without a ``scanner`` every file is clean."""

    def __init__(self, stores: Stores, units: UnitsOfWork, limits: EvidenceLimits, scanner: Scanner | None) -> None:
        self._stores = stores
        self._files = stores.evidence
        self._units = units
        self._limits = limits
        self._scanner = scanner

    async def list(
        self, member_id: str, entry_id: str, sort: Sort, limit: int, after: Position | None
    ) -> Listing[EvidenceFile]:
        """Return a page of an entry's files; raises ``NotFound``."""
        await self._entry(member_id, entry_id)
        return await self._files.list(member_id, entry_id, sort, limit, after)

    async def content(self, member_id: str, file_id: str) -> tuple[EvidenceFile, AsyncGenerator[bytes]]:
        """Return a file's document and its content in pieces.

        Raises ``NotFound``, also while its entry is deleted, or ``Conflict`` unless the file is clean.
        """
        file = await self._files.get(member_id, file_id)
        if file is None:
            raise _no_such_file()
        await self._entry(member_id, file["entry_id"])
        if file["state"] in _UNREADABLE:
            raise Conflict(_UNREADABLE[file["state"]])
        return file, self._files.read(file)

    async def check(self, member_id: str, entry_id: str) -> None:
        """Raise what an upload to this entry would raise, before any of it is taken."""
        entry = await self._entry(member_id, entry_id)
        member = await self._stores.members.get(member_id)
        if member is None:
            raise NotFound(Text("There is no record of yours any more."))
        raise_if_frozen(freeze_of(entry, member))
        check_room(1, await self._files.used(member_id), self._limits.member)

    async def add(self, member_id: str, entry_id: str, upload: Upload) -> EvidenceSummary:
        """Take a file in and return its item, in quarantine unless the scanner has cleared it at once.

        Raises ``NotFound``, ``RecordFrozen``, ``TooLarge`` (the file, or all files), ``UnsupportedMediaType``, and
        ``Conflict`` for a key that came with another file.
        """
        file_id = uuid.uuid4().hex
        await self._files.begin(file_id, member_id, datetime.now(UTC))
        try:
            facts = await self._write_upload(file_id, upload)
            attempt = upload.attempt(f"{facts.name}\n{facts.sha256}".encode())
            keep = partial(self._keep, entry_id=entry_id, file_id=file_id, facts=facts)
            answer = await self._units.run(member_id, keep, attempt)
        finally:
            await self._discard(file_id)  # nothing to an upload that was kept
        return await self._scanned(member_id, answer) if answer["id"] == file_id else answer

    async def delete(self, member_id: str, file_id: str, check_version: Check) -> None:
        """Delete a file for good; raises ``NotFound``, ``RecordFrozen``, and what ``check_version`` does."""

        async def work(unit: UnitOfWork) -> None:
            file = await self._files.get(member_id, file_id, unit.session)
            if file is None:
                raise _no_such_file()
            await _changing(unit, file["entry_id"])
            check_version(file["version"])
            await self._files.delete(member_id, file_id, unit.at, unit.session)

        await self._units.run(member_id, work)
        await self._discard(file_id)

    async def scan_waiting(self) -> int:
        """Scan what is in quarantine, while a scanner is there and answers; returns how many files left it."""
        if self._scanner is None:
            return 0
        count = 0
        for file in await self._files.waiting(datetime.now(UTC) - SCAN_AGAIN_AFTER, ROUND):
            if not await self._scan(file):
                break
            count += 1
        return count

    async def sweep(self) -> int:
        """Remove what broken-off uploads and deletions left behind; returns how many files' worth."""
        loose = await self._files.loose_before(datetime.now(UTC) - GIVEN_UP_AFTER, ROUND)
        for file_id in loose:
            await self._files.discard(file_id)
        return len(loose)

    async def _write_upload(self, file_id: str, upload: Upload) -> FileFacts:
        """Write the content as it comes; no more than a chunk and a piece is held."""
        inspector = Inspector(upload.name, self._limits.file)
        buffer, number = bytearray(), 0
        async for data in upload.content:
            inspector.take(data)
            buffer += data
            while len(buffer) >= EVIDENCE_CHUNK:
                await self._files.write(file_id, number, bytes(buffer[:EVIDENCE_CHUNK]))
                del buffer[:EVIDENCE_CHUNK]
                number += 1
        if buffer:
            await self._files.write(file_id, number, bytes(buffer))
        facts = inspector.finish()
        for part in inspector.to_read():
            raw = await self._files.piece(file_id, part.start, part.length)
            await asyncio.to_thread(inspector.look_inside, part, raw)  # some hundred ms for the longest
        return facts

    async def _keep(self, unit: UnitOfWork, entry_id: str, file_id: str, facts: FileFacts) -> EvidenceSummary:
        await _changing(unit, entry_id)
        check_room(facts.size, await self._files.used(unit.member_id, unit.session), self._limits.member)
        state = CLEAN if self._scanner is None else QUARANTINED
        file = evidence_file(file_id, unit.member_id, entry_id, facts, state, unit.at, unit.member["acts"])
        await self._files.keep(file, unit.session)
        return evidence_summary(file)

    async def _scanned(self, member_id: str, answer: EvidenceSummary) -> EvidenceSummary:
        """Scan a file that was just kept, so that the member need not wait when the scanner answers."""
        file = await self._files.get(member_id, answer["id"]) if answer["state"] == QUARANTINED else None
        return evidence_summary(await self._scan(file) or file) if file else answer

    async def _scan(self, file: EvidenceFile) -> EvidenceFile | None:
        """Scan one file and let it out of quarantine; None when there was no verdict, so that it is tried again."""
        assert self._scanner is not None
        try:
            virus = await self._scanner.scan(self._files.read(file))
        except Unavailable as error:
            log.warning("evidence not scanned", evidence_id=file["_id"], **failure(error))
            await self._files.postpone(file["_id"], datetime.now(UTC))
            return None
        if virus:
            log.warning("evidence rejected", evidence_id=file["_id"], found=virus)
        return await self._set_state(file, REJECTED if virus else CLEAN)

    async def _set_state(self, file: EvidenceFile, state: EvidenceState) -> EvidenceFile:
        """Write a verdict down, frozen or not: it is about safety, and changes nothing that the member wrote."""

        async def work(session: Session) -> EvidenceFile | None:
            await self._stores.log.of(file["member_id"], session).raise_versions(file["entry_id"])
            return await self._files.set_state(file, state, datetime.now(UTC), session)

        updated = await self._stores.database.transaction(work)
        if state == REJECTED:
            await self._discard(file["_id"])
        return updated or file

    async def _discard(self, file_id: str) -> None:
        try:
            await self._files.discard(file_id)
        except Exception as error:  # the unit of work is done or has failed already; the sweep removes what is left
            log.warning("loose file left", evidence_id=file_id, **failure(error))

    async def _entry(self, member_id: str, entry_id: str) -> StoredEntry:
        return await get_or_404(self._stores.log.of(member_id), entry_id, ENTRY)


async def _changing(unit: UnitOfWork, entry_id: str) -> None:
    """Raise unless an entry is there and open to change, and give it a new version: it shows its evidence."""
    entry = await get_or_404(unit.log, entry_id, ENTRY)
    raise_if_frozen(freeze_of(entry, unit.member))
    await unit.save_entries([(entry, {**entry, "touched_at": unit.at})])


def _no_such_file() -> NotFound:
    return NotFound(Text("There is no such evidence in your record."))
