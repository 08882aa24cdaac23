"""The copy of everything held about a member (UK GDPR art. 15): what is in it, and for whom."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from bridge.documents.notice import PERIODS
from bridge.domain.members.identifiers import identifier_key
from bridge.settings import Settings
from bridge.store import now
from bridge.tokens import dev_token
from tests.integration.lrs.client import Lrs, attachment, part
from tests.support.audit import Office, office, open_office
from tests.support.exports import complete, unpacked
from tests.support.journey import Journey, mirroring
from tests.support.life import with_lrs
from tests.support.member_client import MemberClient, serving
from tests.support.pdf import faults
from tests.support.statements import account, activity_of, completed, member
from tests.support.storage import storage


@pytest.fixture
async def me(settings: Settings) -> AsyncGenerator[MemberClient]:
    """A member at a running API."""
    async with serving(settings) as client:
        yield client


async def test_everything_held_is_in_the_copy(me: MemberClient) -> None:
    """Deleted records, access history and every collection, with a first page to read (UK GDPR art. 15)."""
    entry_id = await complete(me, "Deleted later")
    etag = (await me.call("GET", f"/v1/log/{entry_id}")).headers["ETag"]
    assert (await me.call("DELETE", f"/v1/log/{entry_id}", {"If-Match": etag})).status == 204
    await me.call("POST", "/v1/support-grants", json={"reason": "Help me", "hours": 1})
    support = dev_token(me.settings.local_dir, "helper-9", ["support"])
    await me.client.get(f"/v1/members/{me.member_id}/log", headers={"Authorization": f"Bearer {support}"})
    files = await unpacked(me, "subject-access.zip")
    first = files["read-me-first.txt"].decode()
    assert all(part in first for part in ("used for", "receives", "How long", "come from", "Your rights"))
    assert f"after they ended: {me.settings.retention_grants_days} days." in first
    assert faults(files["read-me-first.pdf"]) == []
    assert "Deleted later" not in files["record/log.json"].decode()
    assert "Deleted later" in files["everything/log_entries.json"].decode()
    assert "Help me" in files["everything/support_grants.json"].decode()
    assert "the support team" in files["access-history.json"].decode()
    assert not any(b"helper-9" in content for content in files.values())


def test_every_period_is_told() -> None:
    """Each setting of how long something is kept has a line on the first page."""
    assert {name for name in Settings.model_fields if name.startswith("retention_")} == PERIODS.keys()


async def test_nothing_of_another_member_is_in_it(me: MemberClient) -> None:
    """Each export is the caller's own."""
    colleague = await me.other()
    await complete(colleague, "Not mine", description="Not mine")
    for path in ("record.zip", "subject-access.zip"):
        files = await unpacked(me, path)
        assert not any(b"Not mine" in content or colleague.member_id.encode() in content for content in files.values())


async def copy_of(desk: Office, member_id: str = "m-1") -> dict[str, bytes]:
    """The files of the copy of everything held about a member."""
    reply = await desk.member(member_id)("GET", "/v1/exports/subject-access.zip")
    assert reply.status == 200, reply.raw
    archive = zipfile.ZipFile(io.BytesIO(reply.raw))
    return {name: archive.read(name) for name in archive.namelist()}


def titled(title: str, name: str = "1001", **extra: Any) -> dict[str, Any]:
    """A completion of an activity of this title."""
    return completed(name, object=activity_of("course/9", title), **extra)


async def test_what_was_ignored_is_in_the_copy(bridge: Journey) -> None:
    """A statement that led to nothing is found by its actor, and once; not by who is only mentioned in it."""
    await bridge.add_member("m-1", member())
    await bridge.add_member("m-2", member("2002"))
    context = {"instructor": account("2002")}
    own_statements = titled("Living with panic attacks", result={"completion": False}, context=context)
    recorded = titled("Recorded", context=context)
    assert [outcome.reason for outcome in await bridge.send(own_statements, recorded)] == ["not_completed", None]
    async with office(bridge.settings, bridge.services) as desk:
        files = await copy_of(desk)
        second_copy = await copy_of(desk, "m-2")
    statements = json.loads(files["everything/statements.json"])
    assert {row["_id"]: json.loads(row["raw"]) for row in statements} == {
        row["id"]: row for row in (own_statements, recorded)
    }
    assert len(statements) == 2
    assert "everything/statements.json" not in second_copy
    assert not any(b"panic attacks" in content for content in second_copy.values())


async def test_what_the_worker_has_not_settled_is_in_the_copy(settings: Settings, tmp_path: Path) -> None:
    """A statement stored over HTTP is its actor's, or the member's for whom it was settled; and what waits is there."""
    async with open_office(with_lrs(settings, tmp_path)) as desk:
        await desk.add_member("m-1", identifiers=[account("1001"), account("1002")])
        await desk.add_member("m-2", identifiers=[account("2002")])
        mentions = titled("Another's", "2002", context={"instructor": account("1001"), "team": group_of("1002")})
        own_statements = [titled(f"Mine {number}", f"100{number % 2 + 1}") for number in range(230)]
        settled_id, _ = await Lrs(desk.client).post([titled("Settled"), mentions])
        await Lrs(desk.client).post(own_statements)
        rows = storage(desk.services).statements
        await rows.set({"_id": settled_id}, member_id="m-2")
        waits = {"_id": own_statements[0]["id"], "actor_key": identifier_key(own_statements[0]["actor"]), "at": now()}
        await storage(desk.services).parked.insert([waits])
        files = await copy_of(desk)
        second_copy = await copy_of(desk, "m-2")
    statement_ids = [row["_id"] for row in json.loads(files["everything/statements.json"])]
    assert statement_ids == sorted(statement["id"] for statement in own_statements)
    assert [row["_id"] for row in json.loads(files["everything/parked.json"])] == [own_statements[0]["id"]]
    assert "everything/parked.json" not in second_copy
    statement_ids = [row["_id"] for row in json.loads(second_copy["everything/statements.json"])]
    assert statement_ids == sorted([settled_id, mentions["id"]])


async def test_what_is_attached_to_a_statement_is_in_the_copy(settings: Settings, tmp_path: Path) -> None:
    """The data of the member's own attachments comes once, under the hash that the statements name."""
    data, foreign_data = b"a certificate", b"somebody else's"
    async with open_office(with_lrs(settings, tmp_path)) as desk:
        await desk.add_member("m-1", identifiers=[account("1001")])
        for name, content in (("1001", data), ("1001", data), ("2002", foreign_data)):
            completion = {**titled("Read", name), "attachments": [attachment(content)]}
            answer = await Lrs(desk.client).post_parts(completion, [part(content)])
            assert answer.status == 200
        files = await copy_of(desk)
    hashes = [name.removeprefix("attachments/") for name in files if name.startswith("attachments/")]
    assert hashes == [hashlib.sha256(data).hexdigest()]
    assert files[f"attachments/{hashes[0]}"] == data


def group_of(name: str) -> dict[str, Any]:
    """A Group with one member."""
    return {"objectType": "Group", "member": [account(name)]}


async def test_dead_letters_are_in_the_copy(bridge: Journey) -> None:
    """A letter about the member, with what of its body is the member's: nothing of others in the same array."""
    await bridge.add_member("m-1", member())
    await bridge.add_member("m-2", member("somebody-else"))
    own_statements = [titled("Living with panic attacks"), titled("Grief")]
    broken_statement = {**own_statements[0], "surprise": 1}
    crowd = [titled("Not mine", "somebody-else") for _ in range(500)]
    async with mirroring(bridge), office(bridge.settings, bridge.services) as desk:
        await bridge.settled(
            await bridge.publish([broken_statement, [*own_statements, *crowd], {**crowd[0], "surprise": 1}])
        )
        assert (await desk.staff("ops").good("GET", "/v1/ops/dead-letters"))["total"] == 3
        files = await copy_of(desk)
        second_copy = await copy_of(desk, "m-2")
    letters = json.loads(files["everything/dead_letters.json"])
    assert {row["reason"]: [json.loads(body) for body in row["body"]] for row in letters} == {
        "invalid_statement": [broken_statement],
        "too_large": own_statements,
    }
    assert not any(b"Not mine" in content or b"somebody-else" in content for content in files.values())
    assert len(json.loads(second_copy["everything/dead_letters.json"])) == 2
    assert not any(b"panic attacks" in content for content in second_copy.values())


async def test_the_privacy_team_is_noted_first(me: MemberClient) -> None:
    """An export by someone else is in the access history that the member sees (R64)."""
    token = {"Authorization": f"Bearer {dev_token(me.settings.local_dir, 'dpo', ['privacy'])}"}
    path = f"/v1/members/{me.member_id}/subject-access.zip"
    async with me.client.get(path, headers=token) as response:
        assert response.status == 200
        assert zipfile.ZipFile(io.BytesIO(await response.read())).testzip() is None
    (row,) = (await me.get("/v1/access-history"))["items"]
    assert row["right"]["kind"] == "subject access"
    assert (await me.call("GET", path)).status == 403
    async with me.client.get("/v1/members/nobody/subject-access.zip", headers=token) as response:
        assert response.status == 404
