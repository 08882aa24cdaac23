"""A person is in all that is done for them, wherever they are named and whatever identifier they had then."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import orjson
import pytest

from bridge.domain.operations.letters import DeadLetterFilter, MirroredLetter
from bridge.settings import Settings
from schemas import xapi
from tests.support.life import MARK, MEMBER, OTHER, Life, holds, life
from tests.support.people import PLACES, forms, naming
from tests.support.statements import account, completed, member

FORMS = list(forms(MARK).values())
LETTERS = DeadLetterFilter()


@pytest.fixture
async def lived(settings: Settings, tmp_path: Path) -> AsyncGenerator[Life]:
    """A worker, the API and an LRS, with the member under each kind of identifier, and another."""
    async with life(settings, tmp_path) as one:
        await put(one, MEMBER, *FORMS[:3])
        await put(one, OTHER, account("2002"))
        yield one


async def put(lived: Life, member_id: str, *identifiers: dict[str, Any]) -> None:
    """Store a member as known by these identifiers."""
    await lived.bridge.add_member(member_id, member(identifiers=list(identifiers)))


async def copy_of(lived: Life, member_id: str = MEMBER) -> dict[str, Any]:
    """The JSON files of the copy of everything held about a member."""
    reply = await lived.office.member(member_id)("GET", "/v1/exports/subject-access.zip")
    assert reply.status == 200, reply.raw
    opened = zipfile.ZipFile(io.BytesIO(reply.raw))
    return {name: json.loads(opened.read(name)) for name in opened.namelist() if name.endswith(".json")}


async def erase(lived: Life, member_id: str = MEMBER) -> None:
    """Erase a member as the data protection team does."""
    reply = await lived.office.staff("privacy")("POST", f"/v1/members/{member_id}/erasure")
    assert (reply.status, reply.body["state"]) == (200, "erased")


async def letters(lived: Life, member_id: str | None = None) -> list[MirroredLetter]:
    """The dead letters of a member, or all."""
    asked = DeadLetterFilter(member_id=member_id) if member_id else LETTERS
    return (await lived.bridge.services.operations.list(asked, [("failed_at", True)], 200, None)).items


async def test_whoever_is_named_in_any_place_is_told_and_erased(lived: Life) -> None:
    """Planted in each place of the schema, in others' statements and dead letters: in the copy, then nowhere."""
    planted = [naming(place, {**FORMS[n % 4], "name": f"{MARK} {n}"}) for n, place in enumerate(PLACES)]
    told = {f"{MARK} {n}" for n, place in enumerate(PLACES) if place != ("actor",)}
    await lived.bridge.send(*planted)
    broken = [{**statement, "id": completed()["id"], "surprise": 1} for statement in planted]
    array = [{**statement, "surprise": 2} for statement in broken] + [{**completed("2002"), "surprise": 2}]
    await lived.bridge.settled(await lived.bridge.publish([*broken, array]))
    over_http = naming(("context", "instructor"), {**FORMS[0], "name": f"{MARK} http"}, version="1.0.0")
    await lived.lrs.post({**over_http, "authority": {**FORMS[1], "name": f"{MARK} sender"}})
    before = len(await letters(lived))

    copy = await copy_of(lived)
    named = {one["named"]["name"] for row in copy["everything/mentions.json"] for one in row["mentions"]}
    assert named == {*told, f"{MARK} http", f"{MARK} sender"}
    in_letters = {
        one["named"]["name"] for row in copy["everything/dead_letters.json"] for one in row.get("mentions", ())
    }
    assert in_letters == told
    assert "2002" not in json.dumps([copy["everything/mentions.json"], copy["everything/dead_letters.json"]])

    await erase(lived)
    assert await lived.holding(MARK) == {}
    assert len(await letters(lived)) == before - 2  # those whose actor was the member
    bodies = [orjson.loads(letter.body) for letter in await lived.bridge.dead_letters()]
    assert len(bodies) == before - 2
    assert not holds(bodies, MARK)
    texts = [row["raw"] for row in await lived.storage.statements.all({"reason": {"$ne": "erased"}})]
    assert len(texts) == len(PLACES)  # one goes, and one came over HTTP
    assert all(xapi.is_valid(orjson.loads(text)) for text in texts)


async def test_what_came_under_a_former_identifier_is_found(lived: Life) -> None:
    """Under an identifier of before: a completion that waits, a letter, a document, a mention; none comes back."""
    old = {"mbox": f"mailto:{MARK}.old@example.org"}
    await put(lived, MEMBER, old)
    await put(lived, MEMBER, FORMS[0])
    assert not holds(await lived.storage.members.get(MEMBER), old["mbox"])
    waits = completed(actor=old)
    named = completed("2002", context={"instructor": {**old, "name": MARK}})
    await lived.bridge.send(waits, named, {**completed(actor=old), "surprise": 1})
    about = {"agent": json.dumps(old), "profileId": "likes"}
    await lived.lrs.call("PUT", "agents/profile", about, json={"said": MARK}, headers={"If-None-Match": "*"})
    assert len(await letters(lived, MEMBER)) == 1
    copy = await copy_of(lived)
    assert [row["_id"] for row in copy["everything/statements.json"]] == [waits["id"]]
    assert [row["statement_id"] for row in copy["everything/mentions.json"]] == [named["id"]]
    assert len(copy["everything/lrs_documents.json"]) == len(copy["everything/dead_letters.json"]) == 1
    await erase(lived)
    assert await lived.holding(MARK) == {}
    assert await lived.bridge.dead_letters() == []
    assert [one.reason for one in await lived.bridge.send(waits, completed(actor=old))] == ["erased", "erased"]


async def test_an_identifier_that_moved_takes_nobodys_data(lived: Life) -> None:
    """What came before it moved is the one's, what came after the other's, however each was settled."""
    moving = {"mbox": f"mailto:{MARK}.moving@example.org"}
    await put(lived, MEMBER, moving)
    unfinished: dict[str, Any] = {"actor": moving, "result": {"completion": False}}
    first, second = ([completed(actor=moving, activity=f"course/{n}"), completed(**unfinished)] for n in (1, 2))
    bad = [{**completed(actor=moving), "surprise": n} for n in (1, 2)]
    await lived.bridge.send(*first, bad[0])
    await put(lived, MEMBER, FORMS[0])
    await put(lived, OTHER, moving)
    await lived.bridge.send(*second, bad[1])
    assert len(await letters(lived)) == 2
    for member_id, sent in ((MEMBER, first), (OTHER, second)):
        copy = await copy_of(lived, member_id)
        assert {row["_id"] for row in copy["everything/statements.json"]} == {one["id"] for one in sent}
        assert len(copy["everything/dead_letters.json"]) == len(await letters(lived, member_id)) == 1
    await erase(lived)
    kept = {row["_id"]: row["raw"] for row in await lived.storage.statements.all({"reason": {"$ne": "erased"}})}
    assert {key: orjson.loads(raw) for key, raw in kept.items()} == {one["id"]: one for one in second}
    assert [orjson.loads(letter.body) for letter in await lived.bridge.dead_letters()] == [bad[1]]
    assert [one.member_id for one in await lived.bridge.send(completed(actor=moving, activity="course/3"))] == [OTHER]
