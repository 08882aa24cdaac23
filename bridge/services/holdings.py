"""Everything that is held about a member, for a subject access request (UK GDPR art. 15)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from bridge.documents import tables
from bridge.documents.archive import Member, whole
from bridge.documents.notice import Page, as_text
from bridge.services.access import AccessHistory
from bridge.services.letters import body_about
from bridge.services.stores import Stores
from bridge.store.holdings import Person
from bridge.store.times import now

Document = dict[str, Any]

HISTORY = ("at", "reader", "allowed", "right", "parts", "text")
TEAM = "the Register team"
AT_ONCE = 200


class Everything:
    """One member's holdings."""

    def __init__(self, stores: Stores, access: AccessHistory, member: Document, notice: Page) -> None:
        self._stores = stores
        self._access = access
        self._member = member
        self._notice = notice
        self._person = Person(member["_id"], tuple(member.get("keys") or ()))

    def first_page(self) -> Member:
        """Return what is to be read first."""
        made_at = f"{now():%Y-%m-%dT%H:%M:%SZ}"
        return Member("read-me-first.txt", whole(as_text(self._member["name"], made_at, self._notice)))

    async def members(self) -> AsyncGenerator[Member]:
        """Give who looked at the record, what was submitted, and every collection that holds anything.

        What is attached to the member's own statements is named by its SHA-2 hash, as the statements name it.
        """
        yield Member("access-history.csv", tables.csv_table(HISTORY, self._history(), bom=True))
        yield Member("access-history.json", tables.json_list(self._history()))
        async for submission in self._all("submissions"):
            text = await self._stores.submissions.text(self._person.member_id, submission["_id"])
            yield Member(f"submissions/{submission['_id']}.json", whole(text))
        for name in await self._stores.holdings.collections():
            if await self._has(name):
                yield Member(f"everything/{name}.json", tables.json_list(self._all(name)))
        attachments, given = self._stores.lrs.attachments, set[str]()
        async for statement in self._all("statements"):
            for sha2 in {one["sha2"] for one in statement.get("lrs", {}).get("attached", ())} - given:
                given.add(sha2)
                if await attachments.has(sha2):
                    yield Member(f"attachments/{sha2}", attachments.read(sha2))

    async def _has(self, name: str) -> bool:
        async for _ in self._all(name):
            return True
        return False

    async def _all(self, name: str) -> AsyncGenerator[Document]:
        holdings, person = self._stores.holdings, self._person
        after: Any = None
        while ids := await holdings.ids(name, person, after):
            for one in ids:
                if (document := await holdings.read(name, person, one)) is not None:
                    yield await self._told(name, document)
            after = ids[-1]

    async def _told(self, name: str, document: Document) -> Document:
        """Leave out who in a team did something (the member is told the team, R62); add to a letter its body."""
        if name == "dead_letters":
            letter = await self._stores.dead_letters.get(document["_id"])
            return {**document, "body": letter and body_about(letter, self._person.about)}
        if name != "audit_cases":
            return document
        own = self._person.member_id
        steps = [{**step, "by": step["by"] if step["by"] == own else TEAM} for step in document.get("history") or ()]
        return {**document, "history": steps}

    async def _history(self) -> AsyncGenerator[Document]:
        after: list[Any] | None = None
        while True:
            page = await self._access.history(self._person.member_id, AT_ONCE, after)
            for row in page.items:
                yield {name: _plain(row[name]) for name in HISTORY}
            if (after := page.next) is None:
                return


def _plain(value: Any) -> Any:
    return value["kind"] if isinstance(value, dict) else value  # pyright: ignore[reportUnknownVariableType] - any JSON
