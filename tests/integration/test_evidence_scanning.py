"""Evidence and the virus scanner: nothing that was not cleared is given out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest

from bridge.services.record import evidence
from bridge.settings import Settings
from tests.support.clamd import VIRUS, Clamd, Mood, clamd
from tests.support.member_client import MemberClient, serving
from tests.support.storage import storage

LATER = {"If-Match": "*"}


@pytest.fixture
async def scanner() -> AsyncGenerator[Clamd]:
    """Run a clamd."""
    async with clamd() as server:
        yield server


@pytest.fixture
async def me(settings: Settings, scanner: Clamd) -> AsyncGenerator[MemberClient]:
    """Serve the API with the scanner."""
    changes = {"clamd_url": scanner.url, "clamd_timeout": 0.5}
    async with serving(settings.model_copy(update=changes)) as member:
        yield member


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file be scanned again at once."""
    monkeypatch.setattr(evidence, "SCAN_AGAIN_AFTER", timedelta())


async def state(me: MemberClient, entry_id: str) -> list[str]:
    """Return the states of an entry's files."""
    page = await me.get(f"/v1/log/{entry_id}/evidence")
    return [item["state"] for item in page["items"]]


async def chunks(me: MemberClient) -> int:
    """Count the chunks in the store."""
    return await storage(me.services).evidence_chunks.count()


async def test_cleared_at_once(me: MemberClient, scanner: Clamd) -> None:
    """When the scanner answers, the upload's own answer says that the file is clean."""
    response = await me.upload(await me.entry(), "a.txt", b"hello")
    item = await response.json()
    assert (response.status, item["state"], scanner.streams) == (201, "clean", [b"hello"])
    assert response.headers["ETag"] == '"2"'
    assert await (await me.call("GET", f"/v1/evidence/{item['id']}")).read() == b"hello"


async def test_virus(me: MemberClient) -> None:
    """A file with a virus is rejected: its content is gone, what it was stays visible, and it can be deleted."""
    entry = await me.entry()
    item = await (await me.upload(entry, "a.txt", VIRUS)).json()
    assert (item["state"], item["name"], item["size"]) == ("rejected", "a.txt", len(VIRUS))
    assert await chunks(me) == 0
    answer = await me.call("GET", f"/v1/evidence/{item['id']}")
    assert (answer.status, (await answer.json())["type"]) == (409, "/problems/conflict")
    assert "virus was found" in (await answer.json())["detail"]
    assert (await me.call("DELETE", f"/v1/evidence/{item['id']}", LATER)).status == 204
    assert await state(me, entry) == []


@pytest.mark.parametrize("mood", ["stuck", "broken", "limited"])
async def test_scanner_without_a_verdict(me: MemberClient, scanner: Clamd, mood: Mood) -> None:
    """Without a verdict a file stays in quarantine, unreadable; the next round lets it out."""
    scanner.mood, entry = mood, await me.entry()
    item = await (await me.upload(entry, "a.txt", b"hello")).json()
    assert item["state"] == "quarantined"
    answer = await me.call("GET", f"/v1/evidence/{item['id']}")
    assert answer.status == 409
    assert "still being checked" in (await answer.json())["detail"]
    assert await me.services.evidence.scan_waiting() == 0
    scanner.mood = "well"
    assert await me.services.evidence.scan_waiting() == 1
    assert await state(me, entry) == ["clean"]
    assert await me.services.evidence.scan_waiting() == 0


async def test_rounds(me: MemberClient, scanner: Clamd) -> None:
    """A round takes all that wait, the bad among the good, whoever's they are; frozen records too."""
    scanner.mood = "broken"
    colleague = await me.other()
    entry, foreign = await me.entry(), await colleague.entry()
    for content in (b"one", VIRUS, b"two"):
        await me.upload(entry, "a.txt", content)
    await colleague.upload(foreign, "a.txt", b"three")
    await me.freeze()
    scanner.mood = "well"
    assert await me.services.evidence.scan_waiting() == 4
    assert await state(me, entry) == ["clean", "rejected", "clean"]
    assert await state(colleague, foreign) == ["clean"]
    assert await chunks(me) == 3


async def test_its_entry_is_shown_anew(me: MemberClient, scanner: Clamd) -> None:
    """A portal that asks for the entry with its ETag is told when a file has left quarantine."""
    scanner.mood = "broken"
    entry = await me.entry()
    await me.upload(entry, "a.txt", b"hello")
    before = await me.call("GET", f"/v1/log/{entry}")
    scanner.mood = "well"
    assert await me.services.evidence.scan_waiting() == 1
    after = await me.call("GET", f"/v1/log/{entry}", {"If-None-Match": before.headers["ETag"]})
    assert after.status == 200


async def test_deleted_while_it_waits(me: MemberClient, scanner: Clamd) -> None:
    """A file may be deleted while it is in quarantine; nothing is left to scan."""
    scanner.mood, entry = "broken", await me.entry()
    item = await (await me.upload(entry, "a.txt", b"hello")).json()
    assert (await me.call("DELETE", f"/v1/evidence/{item['id']}", LATER)).status == 204
    assert await me.services.evidence.scan_waiting() == 0
    assert await chunks(me) == 0


async def test_no_scanner_lets_nothing_out(me: MemberClient, scanner: Clamd, settings: Settings) -> None:
    """A process that knows of no scanner leaves the quarantine alone."""
    scanner.mood, entry = "broken", await me.entry()
    await me.upload(entry, "a.txt", b"hello")
    async with serving(settings.model_copy(update={"mongo_database": me.settings.mongo_database})) as without:
        assert await without.services.evidence.scan_waiting() == 0
    assert await state(me, entry) == ["quarantined"]
