"""Copies that members can keep: PDF booklets, data files, the whole record, everything held (R71-R75, duties)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import date

import orjson

from bridge.documents.archive import ArchiveFile, archive
from bridge.documents.notice import Page, note_lines
from bridge.documents.rendering import Renderer
from bridge.domain.forms import Forms
from bridge.domain.members import ElapsedTime, MembershipYear, StoredMember, calendar_of
from bridge.domain.privacy import Reader, Right
from bridge.errors import NotFound, Unavailable
from bridge.services.access.access_log import AccessHistory
from bridge.services.exports import booklets
from bridge.services.exports.booklets import Line, Lines
from bridge.services.exports.files import RecordFiles
from bridge.services.exports.limits import SubjectLimit
from bridge.services.exports.reading import RecordFilter, RecordReader
from bridge.services.privacy.subject_access import SubjectAccessData
from bridge.services.record.periods import Periods
from bridge.store import Stores, now
from bridge.texts import Text, match

COMPLETED, EVERY = Text("Completed entries only"), Text("All entries, drafts included")


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What a caller wants: a period's id, ``current`` or ``all``; or a range of days; ``every`` takes drafts too.

    ``language`` is the reader's; None is the member's own.
    """

    period: str = "current"
    days: tuple[date, date] | None = None
    every: bool = False
    language: str | None = None


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """What exports say of the service, and the limits: archives under way in all, archives and PDFs of one subject."""

    language: str
    notice: Page
    streams: int
    archives: SubjectLimit
    pdfs: SubjectLimit


@dataclass(frozen=True, slots=True)
class _Scope:
    """What was asked for, resolved: whose, what to read, what it is called, and how far the year has gone."""

    member: StoredMember
    record_filter: RecordFilter
    label: str
    slug: str
    elapsed: ElapsedTime | None
    language: str

    @property
    def included(self) -> tuple[str, str]:
        return Text("Included"), COMPLETED if self.record_filter.complete else EVERY


@dataclass(frozen=True, slots=True)
class PdfFile:
    """A PDF and the name it is saved under."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class FileStream:
    """A file as a stream, and the name it is saved under."""

    name: str
    pieces: AsyncGenerator[bytes]
    media_type: str = "application/zip"


class Exports:
    """Makes exports; reading only, so they work while a record is frozen (R75). ``streaming`` counts archives."""

    def __init__(
        self,
        stores: Stores,
        forms: Forms,
        periods: Periods,
        access: AccessHistory,
        renderer: Renderer,
        settings: ExportSettings,
    ) -> None:
        self._stores = stores
        self._forms = forms
        self._periods = periods
        self._access = access
        self._renderer = renderer
        self._settings = settings
        self.streaming = 0

    async def log_pdf(self, member_id: str, request: ExportRequest) -> PdfFile:
        """Return the booklet of a log (R71, R72); raises ``NotFound``, ``Unavailable`` or ``TooLarge``."""
        scope = await self._scope(member_id, request)
        return PdfFile(f"cpd-log-{scope.slug}.pdf", await self._pdf(member_id, self._log(scope)))

    async def plan_pdf(self, member_id: str, request: ExportRequest) -> PdfFile:
        """Return the booklet of a plan (R74); raises as ``log_pdf`` does."""
        scope = await self._scope(member_id, request)
        return PdfFile(f"cpd-plan-{scope.slug}.pdf", await self._pdf(member_id, self._plan(scope)))

    async def plan_calendar(self, member_id: str, request: ExportRequest) -> FileStream:
        """Return the plan as a calendar (RFC 5545); raises ``NotFound``."""
        from bridge.documents.plan_calendar import calendar_pieces  # noqa: PLC0415 - icalendar takes 0.2 s to load

        scope = await self._scope(member_id, request)
        items = RecordReader(self._stores, self._forms, member_id).items(scope.record_filter)
        return FileStream(f"cpd-plan-{scope.slug}.ics", calendar_pieces(items), "text/calendar; charset=utf-8")

    async def submission_pdf(self, snapshot: bytes, subject: str, language: str) -> PdfFile:
        """Return the booklet of a submission, made for ``subject`` of its canonical text alone (decision 2)."""
        submitted = orjson.loads(snapshot)
        lines = booklets.submission_lines(submitted, self._forms, now(), language)
        return PdfFile(f"cpd-submission-{submitted['receipt']}.pdf", await self._pdf(subject, lines))

    async def _pdf(self, subject: str, lines: Lines) -> bytes:
        async with self._settings.pdfs.turn(subject):
            return await self._renderer.pdf(lines)

    async def log_zip(self, member_id: str, request: ExportRequest, *, bom: bool) -> FileStream:
        """Return the log as a table with a data dictionary (R73); raises ``NotFound``, or ``Unavailable``."""
        scope = await self._scope(member_id, request)
        return self._archive(member_id, f"cpd-log-{scope.slug}.zip", self._files(scope, bom=bom).log_table())

    async def record_zip(self, member_id: str, request: ExportRequest, *, bom: bool) -> FileStream:
        """Return plan, log, links, comments and cases as tables, data and PDF, with the evidence (R75)."""
        scope = await self._scope(member_id, request)
        return self._archive(member_id, f"cpd-record-{scope.slug}.zip", self._record(scope, bom=bom))

    async def subject_access_zip(
        self, member_id: str, reader: Reader | None = None, language: str | None = None
    ) -> FileStream:
        """Return everything that is held about a member (UK GDPR art. 15 and 20).

        ``reader`` is who asks when it is not the member: noted before anything leaves. Raises ``NotFound``.
        """
        if await self._stores.members.get(member_id) is None:
            raise NotFound(Text("There is no such member."))
        scope = await self._scope(member_id, ExportRequest("all", every=True, language=language))
        stream = self._archive(reader.subject if reader else member_id, "subject-access.zip", self._everything(scope))
        if reader is not None:
            await self._access.record_read(reader, member_id, Right("subject_access"), ("record",))
        return stream

    async def close(self) -> None:
        """End the processes that make PDFs."""
        await self._renderer.close()

    async def _scope(self, member_id: str, request: ExportRequest) -> _Scope:
        member = await self._periods.get_member(member_id)
        language = request.language or match([member.get("language") or "", self._settings.language])
        if request.days is not None:
            first, last = request.days
            days = MembershipYear(first, last)
            choice = RecordFilter(days, complete=not request.every)
            return _Scope(member, choice, days.label, f"{first}-to-{last}", None, language)
        if request.period == "all":
            return _Scope(
                member, RecordFilter(complete=not request.every), Text("All years"), "all-years", None, language
            )
        period = self._periods.resolve(calendar_of(member), request.period)
        periods = tuple(self._periods.period_ids(member, request.period) or ())
        choice = RecordFilter(period, periods, complete=not request.every)
        return _Scope(member, choice, period.label, period.id, period.elapsed(self._periods.today()), language)

    def _files(self, scope: _Scope, *, bom: bool) -> RecordFiles:
        member_id, choice = scope.member["_id"], scope.record_filter
        return RecordFiles(self._stores, self._forms, member_id, choice, bom=bom, language=scope.language)

    async def _record(self, scope: _Scope, *, bom: bool) -> AsyncGenerator[ArchiveFile]:
        files = self._files(scope, bom=bom)
        async for member in files.tables():
            yield member
        async for member in files.evidence():
            yield member
        yield await files.pdf("pdf/cpd-plan.pdf", self._renderer.pdf(self._plan(scope), patient=True))
        for period in await self._years(scope):
            year = _Scope(scope.member, period[1], period[0].label, period[0].id, None, scope.language)
            pdf = self._renderer.pdf(self._log(year), patient=True)
            yield await files.pdf(f"pdf/cpd-log-{year.slug}.pdf", pdf)

    async def _years(self, scope: _Scope) -> list[tuple[MembershipYear, RecordFilter]]:
        """Return the membership years that an export covers, oldest first: a booklet for each."""
        if scope.record_filter.span is not None:
            return [(scope.record_filter.span, scope.record_filter)]
        rows = await self._periods.list_all(scope.member["_id"])
        years: list[tuple[MembershipYear, RecordFilter]] = []
        for row in reversed(rows):
            keys = (None, row["id"]) if row["current"] else (row["id"],)
            if row["counts"]["total"] or row["current"]:
                span = MembershipYear(row["start"], row["end"])
                years.append((span, RecordFilter(span, keys, complete=scope.record_filter.complete)))
        return years

    async def _everything(self, scope: _Scope) -> AsyncGenerator[ArchiveFile]:
        subject = await self._stores.subjects.of_member(scope.member["_id"], scope.member)
        subject_data = SubjectAccessData(
            self._stores, self._access, scope.member["name"], subject, self._settings.notice
        )
        yield subject_data.first_page(scope.language)
        lines = self._notice(scope)
        yield await self._files(scope, bom=True).pdf("read-me-first.pdf", self._renderer.pdf(lines, patient=True))
        async for member in self._record(scope, bom=True):
            yield replace(member, name=f"record/{member.name}")
        async for member in subject_data.files():
            yield member

    def _archive(self, subject: str, name: str, members: AsyncGenerator[ArchiveFile]) -> FileStream:
        if self.streaming >= self._settings.streams:
            raise Unavailable(Text("Many exports are under way just now; try again shortly."), retry_after=10)
        return FileStream(name, self._counted(subject, members))

    async def _counted(self, subject: str, members: AsyncGenerator[ArchiveFile]) -> AsyncGenerator[bytes]:
        async with self._settings.archives.turn(subject):
            self.streaming += 1
            try:
                async for piece in archive(members, now()):
                    yield piece
            finally:
                self.streaming -= 1

    def _cover(self, title: str, scope: _Scope, facts: list[tuple[str, str]]) -> Line:
        return booklets.header(title, scope.member["name"], scope.label, now(), scope.language, facts, scope.elapsed)

    async def _log(self, scope: _Scope) -> Lines:
        yield self._cover(Text("CPD log"), scope, [scope.included])
        for line in booklets.form_lines(self._forms, scope.language):
            yield line
        reads = RecordReader(self._stores, self._forms, scope.member["_id"])
        async for line in booklets.log_lines(reads, scope.record_filter, scope.member):
            yield line

    async def _plan(self, scope: _Scope) -> Lines:
        yield self._cover(Text("CPD plan"), scope, [(Text("Included"), Text("Every planned activity"))])
        for line in booklets.form_lines(self._forms, scope.language):
            yield line
        reads = RecordReader(self._stores, self._forms, scope.member["_id"])
        async for line in booklets.plan_lines(reads, scope.record_filter):
            yield line

    async def _notice(self, scope: _Scope) -> Lines:
        yield self._cover(Text("Your personal data"), scope, [])
        for line in note_lines(self._settings.notice, scope.language):
            yield line
