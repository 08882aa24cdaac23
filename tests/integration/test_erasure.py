"""Erasure: everything of a member goes, nothing of anybody else's, whatever interrupts; and it stays gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from aiohttp import ClientError, ClientSession
from pydantic import SecretStr
from structlog.testing import capture_logs

from bridge.domain.members.messages import MemberIn, MemberLeft, MemberUpserted
from bridge.domain.statements.dispositions import Disposition, Outcome, Reason
from bridge.errors import Conflict, SettingsError, Unavailable
from bridge.services.members.members import FeedResult
from bridge.settings import Settings
from bridge.store import Database, Expired, WrongErasureKey
from bridge.store.privacy import retention as past
from bridge.store.record.evidence import Evidence
from bridge.tokens import dev_token
from tests.support.life import ACTOR, MAIL, MARK, MEMBER, SECOND_MEMBER, Life, account_of, open_life, word
from tests.support.processes import api_process
from tests.support.statements import activity_of, completed, member
from tests.support.storage import Storage

ERASED_OUTCOME = Outcome.ignored(Reason.ERASED)
STRANGER = "unknown"  # the parked statement of somebody else


@pytest.fixture
async def life(settings: Settings, tmp_path: Path) -> AsyncGenerator[Life]:
    """A member with something in every collection."""
    async with open_life(settings, tmp_path) as life_of_member:
        await life_of_member.live()
        yield life_of_member


async def erase(life: Life, status: int = 200) -> dict[str, Any]:
    """Ask for the erasure as the data protection team does."""
    reply = await life.office.staff("privacy")("POST", f"/v1/members/{MEMBER}/erasure")
    assert reply.status == status, reply.raw
    return reply.body


async def left_of(life: Life) -> dict[str, list[Any]]:
    """What still holds a planted word or the member's id, but for the event that tells of the erasure."""
    words = {name: [row for row in rows if not _is_strangers(row)] for name, rows in (await life.holding(MARK)).items()}
    ids = {name: rows for name, rows in (await life.holding(MEMBER)).items() if name != "outbox"}
    return {name: rows for name, rows in {**words, **ids}.items() if rows}


def _is_strangers(row: dict[str, Any]) -> bool:
    text = row.get("actor_key") or bytes(row.get("raw", b"")).decode()
    return STRANGER in str(text) or STRANGER in str(row["_id"])


async def test_nothing_of_the_member_is_left_anywhere(life: Life) -> None:
    """Every collection is searched for every planted word and for the id; the chains of the access log hold."""
    second_log = await life.office.member(SECOND_MEMBER).good("GET", "/v1/log?period=all")
    before = await life.holding(MARK)
    assert len(before) >= 15, sorted(before)
    assert (await erase(life))["state"] == "erased"
    assert await left_of(life) == {}
    assert await life.office.member(SECOND_MEMBER).good("GET", "/v1/log?period=all") == second_log
    assert (await life.bridge.services.access.verify()).faults == []
    assert await life.bridge.dead_letters() == []
    for name in ("evidence.chunks", "lrs_attachments.files", "lrs_attachments.chunks"):
        assert await life.storage.rows(name).count() == 0, name


async def test_the_erasure_is_told_once_and_asking_again_changes_nothing(life: Life) -> None:
    """One event, ids and dates alone; the second answer is the first."""
    first = await erase(life)
    assert await erase(life) == first
    events = await life.storage.outbox.all({"member_id": MEMBER})
    assert [row["type"] for row in events] == ["member.erased"]
    assert set(events[0]["data"]) == {"erased_at"}


async def test_what_comes_late_is_ignored(life: Life) -> None:
    """A redelivery, a new completion, one that is not for the log, over either way: nothing of it is kept."""
    await erase(life)
    late = completed(actor=ACTOR, object=activity_of("course/7", f"{MARK}-late"))
    not_for_us = {**late, "id": completed()["id"], "result": {"completion": False}}
    changes = {**life.completion, "result": {"response": f"{MARK}-changed"}}
    for body in (late, late, not_for_us, life.completion, changes, life.attempt):
        assert await life.bridge.send(body) == [ERASED_OUTCOME]
    over_http = completed(actor=ACTOR, object=activity_of("course/8", f"{MARK}-http"))
    await life.lrs.post(over_http)
    assert await life.lrs.find() == []
    assert await life.bridge.dead_letters() == []
    assert await left_of(life) == {}


async def test_the_member_is_not_brought_back(life: Life) -> None:
    """Neither by the membership system's call, nor by its feed, nor by their own."""
    await erase(life)
    services = life.bridge.services
    with pytest.raises(Conflict):
        await services.members.put(MEMBER, MemberIn.model_validate(member()))
    back = MemberUpserted.model_validate({**member(), "member_id": MEMBER, "revision": 99})
    assert await services.members.apply(back) is FeedResult.ERASED
    assert await services.members.apply(MemberLeft(member_id=MEMBER, revision=100)) is FeedResult.ERASED
    assert await left_of(life) == {}
    assert (await life.me("POST", "/v1/log", {"title": "Here again"})).status == 404


async def test_somebody_with_the_same_identifier_may_join_under_another_id(life: Life) -> None:
    """The tombstones keep out what was, not who comes: a known member's completion is recorded."""
    await erase(life)
    await life.bridge.add_member("m-3", member("3", identifiers=[account_of(ACTOR)]))
    (outcome,) = await life.bridge.send(completed(actor=ACTOR))
    assert (outcome.disposition, outcome.member_id) == (Disposition.RECORDED, "m-3")
    assert (await life.bridge.send(life.completion)) == [ERASED_OUTCOME]


async def test_others_statements_lose_the_mention_alone(life: Life) -> None:
    """A completion of somebody else that named the member as instructor stays, with nobody in that place."""
    await erase(life)
    row = await life.storage.statements.get(life.ids["mentions"])
    statement = orjson.loads(row["raw"])
    assert statement["context"]["instructor"]["account"]["name"] == "erased"
    assert statement["actor"]["account"]["name"] == "2002"
    assert row["member_id"] == SECOND_MEMBER


async def test_who_is_named_is_found_after_the_lrs_has_let_go(life: Life) -> None:
    """What stays in the ledger after its time in the LRS loses the person, by whom it was and of whom it tells."""
    mention = completed("2002", context={"instructor": {**MAIL, "name": word("teacher")}})
    statement = completed(actor=ACTOR, result={"completion": False, "response": word("unfinished")})
    for body in (mention, statement):
        await life.lrs.post(body)
        await life.bridge.send(body)
    await life.storage.lrs_unsent.delete()  # the broker has them
    expired = Expired(life.bridge.services.stores.database)
    assert await expired.close_lrs(past.lrs_statements(datetime.now(UTC))) >= 2
    await expired.orphans(datetime.now(UTC), remove=True)  # attachments, as a purge does next
    row = await life.storage.statements.get(mention["id"])
    assert ("lrs" in row, len(row["about"])) == (False, 2)
    await erase(life)
    assert await left_of(life) == {}


async def test_an_open_case_holds_the_erasure_until_it_ends(settings: Settings, tmp_path: Path) -> None:
    """202 with the reason, recorded; nothing goes meanwhile, and the worker carries it out afterwards."""
    async with open_life(settings, tmp_path) as life:
        await life.join()
        await life.me.entry()
        case = await life.office.staff().select(MEMBER)
        held = await erase(life, 202)
        assert (held["state"], held["held"]) == ("held", {"reason": "audit_case", "case_id": case})
        assert await life.bridge.services.erasures.resume() == 0
        assert (await life.me.good("GET", "/v1/log"))["total"] == 1
        assert (await life.storage.erasures.first())["held"]["case_id"] == case
        await life.office.staff().decide(case, "withdraw")
        assert await life.bridge.services.erasures.resume() == 1
        assert await left_of(life) == {}


async def test_nobody_unknown_is_erased(settings: Settings, tmp_path: Path) -> None:
    """404 for a member who never was; the ledger stays empty."""
    async with open_life(settings, tmp_path) as life:
        assert (await erase(life, 404))["type"] == "/problems/not-found"
        assert await life.storage.erasures.count() == 0


PARTS = (
    ("stores.evidence", "erase"),
    ("stores.removal", "statements"),
    ("stores.lrs_documents", "erase"),
    ("stores.samples", "anonymize"),
    ("stores.removal", "records"),
    ("stores.members", "remove"),
    ("erasures", "_end"),
)


async def test_broken_off_anywhere_it_is_finished(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops before each part in turn, and goes on from the ledger each time; in the end it was told once."""
    services = life.bridge.services
    for path, name in PARTS:
        owner: Any = services
        for step in path.split("."):
            owner = getattr(owner, step)
        with monkeypatch.context() as patch:
            patch.setattr(cast("type[object]", type(owner)), name, _stop)
            assert (await erase(life, 202))["state"] == "running"
            assert await services.erasures.resume() == 0
        assert await life.bridge.send(completed(actor=ACTOR)) == [ERASED_OUTCOME]
    assert await services.erasures.resume() == 1
    assert await services.erasures.resume() == 0
    assert await left_of(life) == {}
    assert await life.storage.outbox.count({"type": "member.erased"}) == 1


async def _stop(*_: object) -> None:
    raise Unavailable


async def test_one_that_fails_holds_up_no_other(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever one erasure stumbles over, those after it are carried out; it is told of by its id alone."""
    async with open_life(settings, tmp_path) as life:
        await life.join()
        erasures = life.bridge.services.erasures
        owner = cast("type[object]", type(life.bridge.services.stores.evidence))
        with monkeypatch.context() as patch:
            patch.setattr(owner, "erase", _stop)
            for member_id in (MEMBER, SECOND_MEMBER):
                assert (await erasures.request(member_id, "dpo"))["state"] == "running"
        first, _ = await life.bridge.services.stores.erasures.unfinished()
        erase_files = life.bridge.services.stores.evidence.erase

        async def stumble(_: object, member_id: str, *args: Any) -> None:
            if member_id == first.get("member_id"):
                raise ValueError(MARK)
            await erase_files(member_id, *args)

        monkeypatch.setattr(owner, "erase", stumble)
        with capture_logs() as lines:
            assert await erasures.resume() == 1
        assert [line["erasure_id"] for line in lines if line["event"] == "erasure failed"] == [first["_id"]]
        assert MARK not in str(lines)


async def test_a_killed_process_leaves_what_another_finishes(life: Life, tmp_path: Path) -> None:
    """Kill -9 of the API as soon as the ledger says that it has begun: asking again finishes it."""
    process = api_process(life.bridge.settings, tmp_path)
    process.start()
    headers = {"Authorization": f"Bearer {dev_token(life.bridge.settings.local_dir, 'dpo', ['privacy'])}"}
    url = f"http://127.0.0.1:{process.port}/v1/members/{MEMBER}/erasure"
    async with ClientSession(headers=headers) as client:
        asking = asyncio.create_task(client.post(url))
        async with asyncio.timeout(30):
            while await life.storage.erasures.count() == 0:
                await asyncio.sleep(0)
        process.kill()
        with suppress(ClientError):
            await asking
    assert (await erase(life))["state"] == "erased"
    assert await left_of(life) == {}


async def test_completions_on_their_way_leave_nothing(settings: Settings, tmp_path: Path) -> None:
    """The worker records while the erasure goes on: whichever comes first, nothing of the member is left."""
    async with open_life(settings, tmp_path) as life:
        await life.join()
        bodies = [completed(actor=ACTOR, activity=f"course/{number}") for number in range(400)]
        first = await life.bridge.publish(bodies[:200])
        erasing = asyncio.create_task(erase(life))
        second = await life.bridge.publish(bodies[200:])
        await life.bridge.settled([*first, *second])
        await erasing
        assert await left_of(life) == {}
        assert await life.storage.statements.count({"reason": "erased"}) == len(bodies)


async def test_a_chunk_that_came_after_the_erasure_goes_with_its_upload(settings: Settings) -> None:
    """An upload was under way: its row is gone with the erasure, and what it wrote since goes when it ends."""
    database = Database(settings)
    evidence = Evidence(database)
    await evidence.write("f-1", 0, b"x")
    await evidence.discard("f-1")
    assert await Storage(database).evidence_chunks.count() == 0
    database.close()


async def test_tombstones_are_keyed_and_the_key_is_watched(settings: Settings) -> None:
    """Two deployments make different tombstones; a changed or dropped key is refused before it does harm."""
    keyless = settings.model_copy(update={"erasure_key": None, "mongo_database": f"{settings.mongo_database}k"})
    database = Database(keyless)
    again, second = Database(keyless), Database(settings)
    tombstone = await database.erasure_key.tombstone("member:m-1")
    assert tombstone == await again.erasure_key.tombstone("member:m-1")
    assert tombstone != await second.erasure_key.tombstone("member:m-1")
    wrong = Database(settings.model_copy(update={"erasure_key": SecretStr("0123456789abcdef0123456789abcdef")}))
    with pytest.raises(WrongErasureKey) as refusal:
        await wrong.erasure_key.tombstone("member:m-1")
    assert isinstance(refusal.value, SettingsError)
    for connection in (database, again, second, wrong):
        connection.close()
