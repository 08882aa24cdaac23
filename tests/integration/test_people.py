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
from tests.support.life import MARK, MEMBER, SECOND_MEMBER, Life, holds, open_life
from tests.support.people import PLACES, forms, naming
from tests.support.statements import account, completed, member

FORMS = list(forms(MARK).values())
LETTERS = DeadLetterFilter()


@pytest.fixture
async def life(settings: Settings, tmp_path: Path) -> AsyncGenerator[Life]:
    """A worker, the API and an LRS, with the member under each kind of identifier, and another."""
    async with open_life(settings, tmp_path) as life_of_member:
        await put(life_of_member, MEMBER, *FORMS[:3])
        await put(life_of_member, SECOND_MEMBER, account("2002"))
        yield life_of_member


async def put(life: Life, member_id: str, *identifiers: dict[str, Any]) -> None:
    """Store a member as known by these identifiers."""
    await life.bridge.add_member(member_id, member(identifiers=list(identifiers)))


async def copy_of(life: Life, member_id: str = MEMBER) -> dict[str, Any]:
    """The JSON files of the copy of everything held about a member."""
    reply = await life.office.member(member_id)("GET", "/v1/exports/subject-access.zip")
    assert reply.status == 200, reply.raw
    archive = zipfile.ZipFile(io.BytesIO(reply.raw))
    return {name: json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json")}


async def erase(life: Life, member_id: str = MEMBER) -> None:
    """Erase a member as the data protection team does."""
    reply = await life.office.staff("privacy")("POST", f"/v1/members/{member_id}/erasure")
    assert (reply.status, reply.body["state"]) == (200, "erased")


async def letters(life: Life, member_id: str | None = None) -> list[MirroredLetter]:
    """The dead letters of a member, or all."""
    letter_filter = DeadLetterFilter(member_id=member_id) if member_id else LETTERS
    return (await life.bridge.services.operations.list(letter_filter, [("failed_at", True)], 200, None)).items


async def test_whoever_is_named_in_any_place_is_told_and_erased(life: Life) -> None:
    """Planted in each place of the schema, in others' statements and dead letters: in the copy, then nowhere."""
    statements = [naming(place, {**FORMS[n % 4], "name": f"{MARK} {n}"}) for n, place in enumerate(PLACES)]
    names = {f"{MARK} {n}" for n, place in enumerate(PLACES) if place != ("actor",)}
    await life.bridge.send(*statements)
    bad = [{**statement, "id": completed()["id"], "surprise": 1} for statement in statements]
    array = [{**statement, "surprise": 2} for statement in bad] + [{**completed("somebody-else"), "surprise": 2}]
    await life.bridge.settled(await life.bridge.publish([*bad, array]))
    over_http = naming(("context", "instructor"), {**FORMS[0], "name": f"{MARK} http"}, version="1.0.0")
    await life.lrs.post({**over_http, "authority": {**FORMS[1], "name": f"{MARK} sender"}})
    before = len(await letters(life))

    copy = await copy_of(life)
    mention_names = {
        mention["named"]["name"] for row in copy["everything/mentions.json"] for mention in row["mentions"]
    }
    assert mention_names == {*names, f"{MARK} http", f"{MARK} sender"}
    in_letters = {
        mention["named"]["name"] for row in copy["everything/dead_letters.json"] for mention in row.get("mentions", ())
    }
    assert in_letters == names
    assert "somebody-else" not in json.dumps([copy["everything/mentions.json"], copy["everything/dead_letters.json"]])

    await erase(life)
    assert await life.holding(MARK) == {}
    assert len(await letters(life)) == before - 2  # those whose actor was the member
    bodies = [orjson.loads(letter.body) for letter in await life.bridge.dead_letters()]
    assert len(bodies) == before - 2
    assert not holds(bodies, MARK)
    texts = [row["raw"] for row in await life.storage.statements.all({"reason": {"$ne": "erased"}})]
    assert len(texts) == len(PLACES)  # one goes, and one came over HTTP
    assert all(xapi.is_valid(orjson.loads(text)) for text in texts)


async def test_what_came_under_a_former_identifier_is_found(life: Life) -> None:
    """Under an identifier of before: a completion that waits, a letter, a document, a mention; none comes back."""
    old = {"mbox": f"mailto:{MARK}.old@example.org"}
    await put(life, MEMBER, old)
    await put(life, MEMBER, FORMS[0])
    assert not holds(await life.storage.members.get(MEMBER), old["mbox"])
    waits = completed(actor=old)
    mention = completed("2002", context={"instructor": {**old, "name": MARK}})
    await life.bridge.send(waits, mention, {**completed(actor=old), "surprise": 1})
    about = {"agent": json.dumps(old), "profileId": "likes"}
    await life.lrs.call("PUT", "agents/profile", about, json={"said": MARK}, headers={"If-None-Match": "*"})
    assert len(await letters(life, MEMBER)) == 1
    copy = await copy_of(life)
    assert [row["_id"] for row in copy["everything/statements.json"]] == [waits["id"]]
    assert [row["statement_id"] for row in copy["everything/mentions.json"]] == [mention["id"]]
    assert len(copy["everything/lrs_documents.json"]) == len(copy["everything/dead_letters.json"]) == 1
    await erase(life)
    assert await life.holding(MARK) == {}
    assert await life.bridge.dead_letters() == []
    assert [outcome.reason for outcome in await life.bridge.send(waits, completed(actor=old))] == ["erased", "erased"]


async def test_an_identifier_that_moved_takes_nobodys_data(life: Life) -> None:
    """What came before it moved is the one's, what came after the other's, however each was settled."""
    moving = {"mbox": f"mailto:{MARK}.moving@example.org"}
    await put(life, MEMBER, moving)
    unfinished_statement: dict[str, Any] = {"actor": moving, "result": {"completion": False}}
    first, second = (
        [completed(actor=moving, activity=f"course/{n}"), completed(**unfinished_statement)] for n in (1, 2)
    )
    bad = [{**completed(actor=moving), "surprise": n} for n in (1, 2)]
    await life.bridge.send(*first, bad[0])
    await put(life, MEMBER, FORMS[0])
    await put(life, SECOND_MEMBER, moving)
    await life.bridge.send(*second, bad[1])
    assert len(await letters(life)) == 2
    for member_id, statements in ((MEMBER, first), (SECOND_MEMBER, second)):
        copy = await copy_of(life, member_id)
        assert {row["_id"] for row in copy["everything/statements.json"]} == {
            statement["id"] for statement in statements
        }
        assert len(copy["everything/dead_letters.json"]) == len(await letters(life, member_id)) == 1
    await erase(life)
    bodies_by_id = {row["_id"]: row["raw"] for row in await life.storage.statements.all({"reason": {"$ne": "erased"}})}
    assert {key: orjson.loads(raw) for key, raw in bodies_by_id.items()} == {
        statement["id"]: statement for statement in second
    }
    assert [orjson.loads(letter.body) for letter in await life.bridge.dead_letters()] == [bad[1]]
    assert [outcome.member_id for outcome in await life.bridge.send(completed(actor=moving, activity="course/3"))] == [
        SECOND_MEMBER
    ]
