"""Retention: each class goes by its own period, a dry run counts alone, and what is younger stays."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId

from bridge.services.privacy.retention import Retention
from bridge.services.unit_of_work import UnitsOfWork
from bridge.settings import Settings
from bridge.store.inventory import INVENTORY, page
from tests.support.audit import PERIOD
from tests.support.commands import run
from tests.support.life import ACTOR, MARK, MEMBER, SECOND_MEMBER, Life, open_life
from tests.support.statements import completed, member, voided

ROOT = Path(__file__).parents[2]
PERIODS = {
    name: 30
    for name in Settings.model_fields
    if name.startswith("retention_")
}  # fmt: skip
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def retention(life: Life) -> Retention:
    """The service with a period of 30 days for every class."""
    services = life.bridge.services
    settings = life.bridge.settings.model_copy(update=PERIODS)
    units = UnitsOfWork(services.stores, settings.zone)
    return Retention(services.stores.database, units, services.operations, services.erasures, settings)


async def age(life: Life) -> None:
    """Let everything have happened long ago, but for what a second member has."""
    date_fields = {
        "plan_items": "deleted_at", "log_entries": "deleted_at", "statements": "received_at", "parked": "at",
        "audit_cases": "closed_at", "audit_samples": "drawn_at", "support_grants": "expires_at",
        "notices": "created_at", "idempotency": "at", "lrs_documents": "updated_at",
        "lrs_attachments.files": "uploadDate",
    }  # fmt: skip
    for name, field in date_fields.items():
        await life.storage.rows(name).set({field: {"$type": "date"}}, **{field: LONG_AGO})
    await life.storage.notices.set({}, state="sent")
    await life.storage.statements.set({"lrs": {"$exists": True}}, lrs__at=1)
    note = await life.storage.lrs_unsent.first()
    await life.storage.lrs_unsent.delete({"_id": note["_id"]})
    await life.storage.lrs_unsent.insert([{**note, "_id": f"{1:020}-x"}])


async def test_each_class_goes_by_its_period(settings: Settings, tmp_path: Path) -> None:
    """What is past its time is counted by a dry run, removed by a purge, and gone for the next."""
    async with open_life(settings, tmp_path) as life:
        await life.live()
        purging = retention(life)
        assert not any((await purging.purge(dry_run=True)).values()), "nothing is old yet"
        await age(life)
        assert (await purging.purge(dry_run=True))["statements of the LRS"] == 0, "the broker has nothing yet"
        await life.storage.lrs_unsent.delete()
        counts = await purging.purge(dry_run=True)
        before = {name: len(rows) for name, rows in (await life.everything()).items()}
        removals = await purging.purge(dry_run=False)
        again = await purging.purge(dry_run=True)
        assert (await life.everything()).keys() == before.keys()
        expected = {
            "deleted log entries": 2, "texts of statements": 5, "texts not for the log": 1, "parked completions": 1,
            "statements of the LRS": 1, "documents of the LRS": 2, "audit cases": 2, "audit samples": 1,
            "support grants": 1, "notices": 1, "expired idempotency": 1,
        }  # fmt: skip
        assert {name: number for name, number in removals.items() if name in expected} == expected
        assert removals["orphaned attachments"] == 1, "its statement went before it"
        assert {**counts, "orphaned attachments": 1} == removals
        assert not any(again.values())
        deleted = {"_id": life.ids["deleted"]}
        assert not await life.storage.log_entries.has(deleted), "one written by hand goes whole"
        stays = await life.storage.log_entries.all({"purged": True})
        assert len(stays) == 1
        assert "title" not in stays[0], "an automatic one leaves a tombstone"
        assert await life.storage.submissions.count({"member_id": MEMBER}) == 0
        assert (await life.bridge.send(life.completion))[0].disposition == "duplicate"
        assert (await life.me.good("GET", "/v1/log?period=all"))["total"] == 3


async def test_a_withdrawn_entry_that_was_counted_leaves_no_count(settings: Settings, tmp_path: Path) -> None:
    """The member has not looked since it was voided: it goes, and their year shows one less all the same."""
    async with open_life(settings, tmp_path) as life:
        await life.join()
        first, two = completed(actor=ACTOR), completed(actor=ACTOR, activity="course/2")
        await life.bridge.send(first, two)
        assert (await life.me.good("GET", f"/v1/periods/{PERIOD}"))["counts"]["total"] == 2
        await life.bridge.send(voided(first["id"]), key="statement.voided")
        await life.storage.log_entries.set({"deleted_at": {"$type": "date"}}, deleted_at=LONG_AGO)
        assert (await retention(life).purge(dry_run=False))["deleted log entries"] == 1
        assert await life.storage.log_entries.count({"purged": True}) == 1
        assert (await life.me.good("GET", f"/v1/periods/{PERIOD}"))["counts"]["total"] == 1


async def test_a_member_who_left_goes_whole(settings: Settings, tmp_path: Path) -> None:
    """The record is erased after its period, with tombstones and the event; one who is a member stays."""
    async with open_life(settings, tmp_path) as life:
        await life.join()
        await life.me.entry()
        await life.bridge.services.members.leave(MEMBER, 1)
        assert (await retention(life).purge(dry_run=False))["members who left"] == 0
        await life.storage.members.set({"_id": MEMBER}, left_at=LONG_AGO)
        assert (await retention(life).purge(dry_run=True))["members who left"] == 1
        assert (await retention(life).purge(dry_run=False))["members who left"] == 1
        assert [row["_id"] for row in await life.storage.members.all()] == ["m-2"]
        assert await life.holding(MARK) == {}
        assert (await life.storage.erasures.first())["cause"] == "retention"


async def test_who_has_joined_again_stays(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While others are erased, or while an audit case held the erasure: the member is one again, and stays."""
    async with open_life(settings, tmp_path) as life:
        await life.join()
        erasures = life.bridge.services.erasures
        await life.storage.members.set({}, left_at=LONG_AGO)
        request = erasures.request

        async def rejoining(member_id: str, *args: Any, **kwargs: Any) -> Any:
            await life.bridge.add_member(SECOND_MEMBER, member("2002"))
            return await request(member_id, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(erasures, "request", rejoining)
            assert (await retention(life).purge(dry_run=False))["members who left"] == 1
        assert [row["_id"] for row in await life.storage.members.all()] == [SECOND_MEMBER]
        case = await life.office.staff().select(SECOND_MEMBER)
        await life.bridge.services.members.leave(SECOND_MEMBER, 1)
        assert (await request(SECOND_MEMBER, "retention", cause="retention"))["state"] == "held"
        await life.bridge.add_member(SECOND_MEMBER, member("2002"))
        await life.office.staff().decide(case, "withdraw")
        assert await erasures.resume() == 0
        assert [row["_id"] for row in await life.storage.members.all()] == [SECOND_MEMBER]
        assert [row["state"] for row in await life.storage.erasures.all()] == ["erased"]


async def test_dead_letters_and_broken_off_uploads_go(settings: Settings, tmp_path: Path) -> None:
    """A letter past its period leaves the queue; chunks without a file go a day after they were written."""
    async with open_life(settings, tmp_path) as life:
        (outcome,) = await life.bridge.send({**completed(), "verb": {"id": "no"}})
        assert outcome.disposition == "dead-lettered"
        old = ObjectId.from_datetime(datetime.now(UTC) - timedelta(days=2))
        for chunk_id in (old, ObjectId()):
            await life.storage.lrs_chunks.insert([{"_id": chunk_id, "files_id": str(chunk_id), "n": 0}])
        counts = await retention(life).purge(dry_run=False)
        assert (counts["dead letters"], counts["orphaned attachments"]) == (0, 1)
        assert len(await life.bridge.dead_letters()) == 1


async def test_the_command_counts_each_class(settings: Settings, tmp_path: Path) -> None:
    """``cpd-bridge purge --dry-run`` prints a line for each class that has a period, and removes nothing."""
    async with open_life(settings, tmp_path) as life:
        await life.join()
        code, out, _ = await run(settings, "purge", "--dry-run")
        assert code == 0
        assert "deleted log entries" in out
        assert "audit cases" not in out, "no period is set"


async def test_every_collection_is_in_the_inventory(settings: Settings, tmp_path: Path) -> None:
    """What a whole life makes, and what the code names, is in the inventory; nothing else is."""
    async with open_life(settings, tmp_path) as life:
        await life.live()
        assert set(await life.storage.names()) <= INVENTORY.keys()
    assert named_by_the_code() == INVENTORY.keys()


def named_by_the_code() -> set[str]:
    """The collections that the stores name."""
    text = "".join(path.read_text() for path in (ROOT / "bridge" / "store").rglob("*.py"))
    return set(re.findall(r'(?:collection\(|Records\(database, )"([a-z_.]+)"', text))


def test_the_page_of_the_inventory_is_current() -> None:
    """``docs/data-inventory.md`` is what ``python -m bridge.store`` prints."""
    assert (ROOT / "docs" / "data-inventory.md").read_text() == page()


@pytest.mark.parametrize("name", sorted(INVENTORY))
def test_each_collection_says_how_long(name: str) -> None:
    """A period that a setting bounds names a setting that there is."""
    policy: Any = INVENTORY[name]
    assert policy.days is None or policy.days in Settings.model_fields
    assert policy.until
    assert policy.basis
