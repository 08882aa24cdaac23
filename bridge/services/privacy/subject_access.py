"""Everything that is held about a member, for a subject access request (UK GDPR art. 15)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, cast

from bridge.documents import tables
from bridge.documents.archive import ArchiveFile, whole
from bridge.documents.notice import Page, as_text
from bridge.domain.operations.letters import mentions_of, own_part
from bridge.domain.privacy import DataSubject
from bridge.domain.statements import LedgerRow, is_own_statement, mentions_in, received_at
from bridge.services.access.access_log import AccessHistory
from bridge.store import Document, Position, Stores, now

HISTORY = ("at", "reader", "allowed", "right", "parts", "text")
TEAM = "the Register team"
AT_ONCE = 200


class SubjectAccessData:
    """One member's holdings."""

    def __init__(self, stores: Stores, access: AccessHistory, name: str, subject: DataSubject, notice: Page) -> None:
        self._stores = stores
        self._access = access
        self._name = name
        self._notice = notice
        self._subject = subject

    def first_page(self, language: str) -> ArchiveFile:
        """Return what is to be read first, in a language."""
        return ArchiveFile("read-me-first.txt", whole(as_text(self._name, now(), self._notice, language)))

    async def files(self) -> AsyncGenerator[ArchiveFile]:
        """Give who looked at the record, what was submitted, and every collection that holds anything.

        What is attached to the member's own statements is named by its SHA-2 hash, as the statements name it.
        """
        yield ArchiveFile("access-history.csv", tables.csv_table(HISTORY, self._history(), bom=True))
        yield ArchiveFile("access-history.json", tables.json_list(self._history()))
        yield ArchiveFile("refused-calls.json", tables.json_list(self._access.refused_calls(self._subject.member_id)))
        async for submission in self._all("submissions"):
            text = await self._stores.submissions.text(self._subject.member_id, submission["_id"])
            yield ArchiveFile(f"submissions/{submission['_id']}.json", whole(text))
        for name in await self._stores.holdings.collections():
            if await self._has(name):
                yield ArchiveFile(f"everything/{name}.json", tables.json_list(self._all(name)))
        yield ArchiveFile("everything/mentions.json", tables.json_list(self._mentions()))
        attachments, seen_hashes = self._stores.lrs_attachments, set[str]()
        async for statement in self._statements():
            lrs = statement.get("lrs") if is_own_statement(statement, self._subject) else None
            for sha2 in {part["sha2"] for part in (lrs or {}).get("attached", ())} - seen_hashes:
                seen_hashes.add(sha2)
                if await attachments.has(sha2):
                    yield ArchiveFile(f"attachments/{sha2}", attachments.read(sha2))

    async def _has(self, name: str) -> bool:
        async for _ in self._all(name):
            return True
        return False

    async def _all(self, name: str) -> AsyncGenerator[Document]:
        async for document in self._documents(name):
            if name != "statements" or is_own_statement(cast("LedgerRow", document), self._subject):
                yield await self._as_shown(name, document)

    async def _mentions(self) -> AsyncGenerator[Document]:
        """Give where others' statements name the member, and how: the rest of each is its actor's."""
        async for row in self._statements():
            if not is_own_statement(row, self._subject):
                places = mentions_in(row, self._subject)
                yield {"statement_id": row["_id"], "received_at": received_at(row), "mentions": places}

    async def _statements(self) -> AsyncGenerator[LedgerRow]:
        async for document in self._documents("statements"):
            yield cast("LedgerRow", document)

    async def _documents(self, name: str) -> AsyncGenerator[Document]:
        holdings, subject = self._stores.holdings, self._subject
        after: Any = None
        while ids := await holdings.ids(name, subject, after):
            for document_id in ids:
                if (document := await holdings.read(name, subject, document_id)) is not None:
                    yield document
            after = ids[-1]

    async def _as_shown(self, name: str, document: Document) -> Document:
        """Leave out who in a team did something (the member is told the team, R62); add to a letter its body."""
        if name == "dead_letters":
            letter = await self._stores.dead_letters.get(document["_id"])
            body = letter and own_part(letter, self._subject)
            mentions = mentions_of(letter, self._subject) if letter else []
            return {**document, "body": body, **({"mentions": mentions} if mentions else {})}
        if name == "audit_samples":
            return _sample_for_member(document, self._subject.member_id)
        if name != "audit_cases":
            return document
        own_id = self._subject.member_id
        steps = [{**step, "by": step["by"] if step["by"] == own_id else TEAM} for step in document.get("history") or ()]
        return {**document, "history": steps}

    async def _history(self) -> AsyncGenerator[Document]:
        after: Position | None = None
        while True:
            page = await self._access.history(self._subject.member_id, AT_ONCE, after)
            for row in page.items:
                yield {name: _plain(value) for name, value in row.items() if name in HISTORY}
            if (after := page.next) is None:
                return


def _sample_for_member(sample: Document, member_id: str) -> Document:
    """Return a draw as one of those who were in it may see it: nobody else's id, and who drew as the team."""
    selection = next((row for row in sample["selected"] if row["member_id"] == member_id), None)
    rest = {name: value for name, value in sample.items() if name not in {"population", "selected"}}
    return {**rest, "drawn_by": TEAM, "selected": selection}


def _plain(value: Any) -> Any:
    return value["kind"] if isinstance(value, dict) else value  # pyright: ignore[reportUnknownVariableType] - any JSON
