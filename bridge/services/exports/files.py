"""The files of a member's record in an archive: tables, data, evidence and PDFs (R73, R75)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from bridge.documents import tables
from bridge.documents.archive import ArchiveFile, safe_name, whole
from bridge.documents.tables import DICTIONARY, LOG_FACTS, PLAN_FACTS
from bridge.domain.forms import Forms
from bridge.domain.record import CLEAN, EvidenceFile, evidence_summary
from bridge.errors import BridgeError
from bridge.services.exports.reading import Names, RecordFilter, RecordReader
from bridge.store import Stores
from bridge.texts import Text, translate

Row = dict[str, Any]
Rows = AsyncGenerator[Row]

LINKS = ("log_id", "log_reference", "plan_id", "plan_reference")
COMMENTS = ("created_at", "text", "refers_to", "author", "day", "id")
FILES = ("path", "log_reference", "log_id", "name", "size", "sha256", "media_type", "state", "uploaded_at", "id")
CASES = (
    *("period_id", "state", "due_date", "selected_at", "submitted_at", "returned_at", "closed_at"),
    *("outcome", "feedback", "receipt", "declarations", "extensions"),
)

PACKED = frozenset({"application/pdf", "image/jpeg", "image/png"})


class RecordFiles:
    """One member's record, narrowed by a choice; each file is read when the archive comes to it."""

    def __init__(
        self,
        stores: Stores,
        forms: Forms,
        member_id: str,
        record_filter: RecordFilter,
        *,
        bom: bool,
        language: str,
    ) -> None:
        self._stores = stores
        self._forms = forms
        self._reader = RecordReader(stores, forms, member_id)
        self._member_id = member_id
        self._filter = record_filter
        self._bom = bom
        self._language = language

    async def log_table(self) -> AsyncGenerator[ArchiveFile]:
        """Give the log as a table, and what its columns mean."""
        yield self._csv("log", self._log_columns(), self._log_rows())
        yield self._csv("data-dictionary", DICTIONARY, _as_rows(self._dictionary("log", LOG_FACTS)))

    async def tables(self) -> AsyncGenerator[ArchiveFile]:
        """Give plan, log, links, comments and cases, each as CSV and as JSON, and what the columns mean."""
        plan = tables.columns(self._forms.versions("plan"), PLAN_FACTS)
        kinds: Mapping[str, tuple[Sequence[str], Callable[[], Rows]]] = {
            "plan": (plan, lambda: self._reader.items(self._filter)),
            "log": (self._log_columns(), self._log_rows),
            "links": (LINKS, self._links),
            "comments": (COMMENTS, lambda: self._reader.comments(self._filter)),
            "audit-cases": (("id", *CASES), self._cases),
        }
        for name, (columns, rows) in kinds.items():
            yield self._csv(name, columns, rows())
            yield ArchiveFile(f"{name}.json", tables.json_list(rows()))
        meanings = [*self._dictionary("log", LOG_FACTS), *self._dictionary("plan", PLAN_FACTS)]
        yield self._csv("data-dictionary", DICTIONARY, _as_rows(meanings))

    async def evidence(self) -> AsyncGenerator[ArchiveFile]:
        """Give the list of files, then the files that are free of viruses, under names that are safe anywhere."""
        names = await self._reader.log_names(self._filter)
        whole_record = self._filter.span is None and not self._filter.complete
        files = [
            (_path(number, file), file)
            for number, file in enumerate(await self._stores.holdings.files(self._member_id), 1)
            if whole_record or file["entry_id"] in names
        ]
        rows = [_file_row(path, file, names) for path, file in files]
        yield self._csv("evidence", FILES, _as_rows(rows))
        yield ArchiveFile("evidence.json", tables.json_list(_as_rows(rows)))
        for path, file in files:
            if file["state"] == CLEAN:
                packed = file["media_type"] in PACKED
                yield ArchiveFile(path, self._stores.evidence.read(file), packed, file["length"])

    async def pdf(self, name: str, content: Awaitable[bytes]) -> ArchiveFile:
        """Return a PDF as a file, or a file that says why it could not be made: the data are there all the same."""
        try:
            return ArchiveFile(name, whole(await content), packed=True)
        except BridgeError as error:
            return ArchiveFile(f"{name}.not-made.txt", whole(f"{translate(error.detail, self._language)}\n".encode()))

    def _csv(self, name: str, columns: Sequence[str], rows: Rows) -> ArchiveFile:
        return ArchiveFile(f"{name}.csv", tables.csv_table(columns, rows, bom=self._bom))

    def _dictionary(self, table: str, facts: Mapping[str, Text]) -> Iterable[Any]:
        return tables.dictionary(table, self._forms.versions(table), facts, self._language)

    def _log_columns(self) -> list[str]:
        return tables.columns(self._forms.versions("log"), LOG_FACTS)

    def _log_rows(self) -> Rows:
        return self._reader.entries(self._filter)

    async def _links(self) -> Rows:
        log, plan = await self._reader.log_names(self._filter), await self._reader.plan_names()
        async for entry in self._reader.entries(self._filter):
            for plan_id in entry["plan_ids"]:
                yield {
                    "log_id": entry["id"],
                    "log_reference": _reference(log, entry["id"]),
                    "plan_id": plan_id,
                    "plan_reference": _reference(plan, plan_id),
                }

    async def _cases(self) -> Rows:
        for case in await self._stores.cases.of_member(self._member_id):
            yield {"id": case["_id"], **{name: case.get(name) for name in CASES}}


async def _as_rows(rows: Iterable[Any]) -> Rows:
    for row in rows:
        yield row


def _path(number: int, file: EvidenceFile) -> str:
    return f"evidence/{number:04}-{safe_name(file['name'])}"


def _file_row(path: str, file: EvidenceFile, names: Names) -> Row:
    there = {"path": path if file["state"] == CLEAN else None}
    return {
        **there,
        "log_id": file["entry_id"],
        "log_reference": _reference(names, file["entry_id"]),
        **evidence_summary(file),
    }


def _reference(names: Names, record_id: str) -> str | None:
    return names[record_id].get("reference") if record_id in names else None
