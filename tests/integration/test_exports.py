"""Exports over HTTP: what they hold, for whom, and what a broken download or a flood of callers does (R71-R75)."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientResponse

from bridge.domain.statements.agents import identifier_key
from bridge.settings import Settings
from bridge.store.database import now
from bridge.store.record.evidence import CHUNK
from bridge.tokens import dev_token
from tests.integration.lrs.client import Lrs, attachment, part
from tests.support.audit import Office, office, open_office
from tests.support.documents import PDF, PNG
from tests.support.journey import Journey, mirroring
from tests.support.life import with_lrs
from tests.support.member_client import BEFORE, IN_YEAR, YEAR, MemberClient, serving
from tests.support.pdf import faults, text_of
from tests.support.statements import account, activity_of, completed, member
from tests.support.storage import storage

ANSWERS = ("description", "reason", "learning", "evaluation", "impact_on_practice")
FORMULA = '=HYPERLINK("http://x")'


@pytest.fixture
async def me(settings: Settings) -> AsyncGenerator[MemberClient]:
    """A member at a running API."""
    async with serving(settings) as client:
        yield client


async def complete(me: MemberClient, title: str = "A course", day: str = IN_YEAR, **extra: Any) -> str:
    """Make a complete entry; its id."""
    values = {"title": title, "type": "course", "date": day, "draft": False, **dict.fromkeys(ANSWERS, "Yes."), **extra}
    response = await me.call("POST", "/v1/log", json=values)
    assert response.status == 201, await response.text()
    return (await response.json())["id"]


async def fetched(me: MemberClient, path: str, **query: str) -> ClientResponse:
    """A call of an export, read whole."""
    response = await me.call("GET", f"/v1/exports/{path}", params=query)
    await response.read()
    return response


async def pdf(me: MemberClient, path: str, **query: str) -> str:
    """The text of a PDF, which is compliant."""
    response = await fetched(me, path, **query)
    assert response.status == 200, await response.text()
    assert faults(await response.read()) == []
    return text_of(await response.read())


async def unpacked(me: MemberClient, path: str, **query: str) -> dict[str, bytes]:
    """The files of an archive that is whole."""
    response = await fetched(me, path, **query)
    assert response.status == 200, await response.text()
    archive = zipfile.ZipFile(io.BytesIO(await response.read()))
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}


def table(content: bytes) -> list[dict[str, str]]:
    """The rows of a CSV."""
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


async def test_log_booklet_has_what_was_asked_for(me: MemberClient) -> None:
    """Completed entries of the current period; drafts on request; another period or a range of days (R71, R72)."""
    await complete(me, "Finished now")
    await complete(me, "Finished before", BEFORE)
    await me.entry()
    now = await pdf(me, "log.pdf")
    assert "Finished now" in now
    assert not any(second in now for second in ("Finished before", "A day on grief"))
    assert "A day on grief" in await pdf(me, "log.pdf", include="all")
    assert "Finished before" in await pdf(me, "log.pdf", period="2025-04-01")
    range_pdf = await pdf(me, "log.pdf", date_from=BEFORE, date_to=BEFORE)
    assert "Finished before" in range_pdf
    assert "Finished now" not in range_pdf


async def test_entries_come_in_date_order(me: MemberClient) -> None:
    """The booklet and the table tell the year as it went."""
    for day in ("2026-05-09", "2026-05-01", "2026-05-05"):
        await complete(me, f"On {day}", day)
    text = await pdf(me, "log.pdf")
    assert text.index("On 2026-05-01") < text.index("On 2026-05-05") < text.index("On 2026-05-09")
    rows = table((await unpacked(me, "log.zip"))["log.csv"])
    assert [row["date"] for row in rows] == ["2026-05-01", "2026-05-05", "2026-05-09"]


async def test_links_evidence_and_comments_are_in_the_booklets(me: MemberClient) -> None:
    """The log shows its plan items, files and comments; the plan shows what was logged (R47, R52, R74)."""
    entry_id = await complete(me, "A course")
    await me.upload(entry_id, "certificate.pdf", PDF)
    item = await (await me.call("POST", "/v1/plan", json={"title": "Grief", "start_date": IN_YEAR})).json()
    assert (await me.call("PUT", f"/v1/log/{entry_id}/links/{item['id']}")).status == 204
    await me.call("POST", f"/v1/periods/{YEAR}/comments", json={"text": "It was full.", "refers_to": item["id"]})
    log = await pdf(me, "log.pdf")
    assert all(part in log for part in ("P1 · Grief", "certificate.pdf", "It was full.", "Sam Example"))
    assert "L1 · A course" in await pdf(me, "plan.pdf")


async def test_the_plan_tells_what_goes_on_as_what(me: MemberClient) -> None:
    """An item that was carried forward and the next one name each other, in the booklet and in the data."""
    item = await (await me.call("POST", "/v1/plan", json={"title": "Grief", "start_date": IN_YEAR})).json()
    next_item = await (await me.call("POST", f"/v1/plan/{item['id']}/carry-forward")).json()
    first, second = (await pdf(me, "plan.pdf")).partition("Carried forward to")[2].split("Carried forward from")
    assert "P2 · Grief" in first
    assert "P1 · Grief" in second
    rows = {row["id"]: row for row in table((await unpacked(me, "record.zip"))["plan.csv"])}
    assert rows[item["id"]]["carried_to"] == next_item["id"]
    assert rows[next_item["id"]]["carried_from"] == item["id"]


async def test_the_plan_as_a_calendar(me: MemberClient) -> None:
    """Items that have a date, of all years or of those that are asked for; an event is known again when it changed."""
    item = await (await me.call("POST", "/v1/plan", json={"title": "Grief", "start_date": IN_YEAR})).json()
    for body in ({"title": "Loss", "completion_date": BEFORE}, {"title": "Some day"}):
        await me.call("POST", "/v1/plan", json=body)
    response = await fetched(me, "plan.ics")
    assert (response.status, response.headers["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    assert 'filename="cpd-plan-all-years.ics"' in response.headers["Content-Disposition"]
    assert summaries(await response.text()) == ["Grief", "Loss"]
    first = await (await fetched(me, "plan.ics", period=YEAR)).text()
    assert summaries(first) == ["Grief"]
    path = f"/v1/plan/{item['id']}"
    await me.call("PATCH", path, {"If-Match": '"1"'}, json={"title": "Grief and loss"})
    second = await (await fetched(me, "plan.ics", date_from=IN_YEAR, date_to=IN_YEAR)).text()
    assert summaries(second) == ["Grief and loss"]
    uid = f"UID:{item['id']}"
    assert uid in first
    assert uid in second


def summaries(calendar: str) -> list[str]:
    """The summaries of the events in a calendar."""
    return [line.removeprefix("SUMMARY:") for line in calendar.split("\r\n") if line.startswith("SUMMARY:")]


@pytest.mark.parametrize("path", ["log.pdf", "log.zip", "plan.pdf", "plan.ics", "record.zip"])
@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"period": YEAR, "date_from": BEFORE, "date_to": IN_YEAR}, "not both"),
        ({"date_from": BEFORE}, "together"),
        ({"date_from": IN_YEAR, "date_to": BEFORE}, "swap them"),
        ({"include": "some"}, "completed"),
    ],
)
async def test_bad_choices_are_422(me: MemberClient, path: str, query: dict[str, str], says: str) -> None:
    """A period and a range exclude each other, a range needs both ends in order, and the answer tells."""
    response = await fetched(me, path, **query)
    assert response.status == 422
    assert says in await response.text()


async def test_an_unknown_period_is_404(me: MemberClient) -> None:
    """What is asked for is settled before anything is sent."""
    paths = ("log.pdf", "plan.ics", "record.zip")
    assert [(await fetched(me, path, period="1999-01-01")).status for path in paths] == [404] * 3


async def test_the_log_as_a_table(me: MemberClient) -> None:
    """One row an entry, formulas disarmed, a mark for Excel on request, and a dictionary of the columns (R73)."""
    await complete(me, FORMULA, description='@SUM(A1)\n"quoted", and مرحبا')
    files = await unpacked(me, "log.zip", bom="true")
    assert set(files) == {"log.csv", "data-dictionary.csv"}
    assert files["log.csv"].startswith(b"\xef\xbb\xbf")
    (row,) = table(files["log.csv"])
    assert row["title"] == f"'{FORMULA}"
    assert row["description"] == '\'@SUM(A1)\n"quoted", and مرحبا'
    assert row["complete"] == "true"
    assert {meaning["column"] for meaning in table(files["data-dictionary.csv"])} == set(row)


async def test_the_whole_record(me: MemberClient) -> None:
    """Plan, log, links, comments and cases as tables and data, PDFs, and evidence under safe names (R75)."""
    entry_id = await complete(me, FORMULA)
    await me.upload(entry_id, "../a b.png", PNG)
    item = await (await me.call("POST", "/v1/plan", json={"title": "Grief"})).json()
    await me.call("PUT", f"/v1/log/{entry_id}/links/{item['id']}")
    await me.entry(None)
    files = await unpacked(me, "record.zip")
    kinds = ("plan", "log", "links", "comments", "audit-cases", "evidence")
    assert {f"{kind}.{ending}" for kind in kinds for ending in ("csv", "json")} <= set(files)
    assert {"pdf/cpd-plan.pdf", f"pdf/cpd-log-{YEAR}.pdf", "data-dictionary.csv"} <= set(files)
    log = json.loads(files["log.json"])
    assert [entry["title"] for entry in log] == [FORMULA, "A day on grief"]
    assert json.loads(files["links.json"])[0]["plan_reference"] == "P1"
    (document,) = json.loads(files["evidence.json"])
    assert files[document["path"]] == PNG
    assert ".." not in document["path"]
    assert "A day on grief" in text_of(files[f"pdf/cpd-log-{YEAR}.pdf"])


async def test_exports_work_while_frozen(me: MemberClient) -> None:
    """A member takes a copy of what they submitted (R75)."""
    await complete(me)
    await me.freeze()
    paths = ("log.pdf", "plan.pdf", "plan.ics", "log.zip", "record.zip", "subject-access.zip")
    assert [(await fetched(me, path)).status for path in paths] == [200] * 6


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
    assert faults(files["read-me-first.pdf"]) == []
    assert "Deleted later" not in files["record/log.json"].decode()
    assert "Deleted later" in files["everything/log_entries.json"].decode()
    assert "Help me" in files["everything/support_grants.json"].decode()
    assert "the support team" in files["access-history.json"].decode()
    assert not any(b"helper-9" in content for content in files.values())


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
    await bridge.add_member("m-2", member("2002"))
    own_statements = [titled("Living with panic attacks"), titled("Grief")]
    broken_statement = {**own_statements[0], "surprise": 1}
    crowd = [titled("Not mine", "2002") for _ in range(500)]
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
    assert not any(b"Not mine" in content or b"2002" in content for content in files.values())
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


async def test_names_of_downloads_are_harmless(me: MemberClient) -> None:
    """Attachments that no cache keeps, named by what they are and never by whose."""
    response = await fetched(me, "log.pdf")
    assert response.headers["Content-Disposition"].startswith(f'attachment; filename="cpd-log-{YEAR}.pdf"')
    assert response.headers["Cache-Control"] == "private, no-store"


async def test_twenty_at_once_starve_nobody(me: MemberClient) -> None:
    """While twenty booklets are made, another call is answered in its usual time."""
    for number in range(10):
        await complete(me, f"Course {number}")
    many = [asyncio.create_task(fetched(me, "log.pdf")) for _ in range(20)]
    waits: list[float] = []
    clock = asyncio.get_running_loop().time
    while not all(task.done() for task in many):
        start = clock()
        await me.get("/v1/log")
        waits.append(clock() - start)
    assert {(await task).status for task in many} == {200}
    assert sorted(waits)[len(waits) // 2] < 0.25


async def test_a_broken_download_breaks_nothing(me: MemberClient) -> None:
    """A client that goes in the middle leaves no archive under way, and the next one is whole."""
    await big_file(me, await complete(me), 40 * 2**20)
    response = await me.call("GET", "/v1/exports/record.zip")
    await response.content.readexactly(2**20)
    assert me.services.exports.streaming == 1
    response.close()
    async with asyncio.timeout(20):
        while me.services.exports.streaming:
            await asyncio.sleep(0.05)
    assert "log.csv" in await unpacked(me, "record.zip")


async def test_one_who_reads_slowly_shuts_nobody_out(settings: Settings) -> None:
    """A subject has a share of the archives, a slow one ends in time, and others are served meanwhile."""
    hasty = settings.model_copy(update={"export_stream_timeout": 3.0, "export_streams": 3})
    async with serving(hasty) as me:
        await big_file(me, await complete(me), 40 * 2**20)
        slow = [await me.call("GET", "/v1/exports/record.zip") for _ in range(2)]
        refusal = await fetched(me, "log.zip")
        assert (refusal.status, refusal.headers["Retry-After"]) == (429, "10")
        colleague = await me.other()
        assert (await fetched(colleague, "log.zip")).status == 200
        async with asyncio.timeout(20):
            while me.services.exports.streaming:
                await asyncio.sleep(0.05)
        assert (await fetched(me, "log.zip")).status == 200
        for response in slow:
            with pytest.raises(ClientError):
                await response.read()


@pytest.fixture
async def lone_member(own_store: Settings) -> AsyncGenerator[MemberClient]:
    """A member at a running API with a store of its own."""
    async with serving(own_store) as client:
        yield client


async def test_a_large_record_at_constant_memory(lone_member: MemberClient) -> None:
    """The service holds a piece of a large record at a time, however much of it there is."""
    me = lone_member
    entry_id = await complete(me)
    await big_file(me, entry_id, 300 * 2**20)
    before, length = resident(), 0
    response = await me.call("GET", "/v1/exports/record.zip")
    peak = 0
    async for piece in response.content.iter_chunked(2**16):
        length += len(piece)
        peak = max(peak, resident())
    assert length > 300 * 2**20
    assert peak - before < 64 * 2**20


def resident() -> int:
    """Bytes of memory of this process, which is client and server at once."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def big_file(me: MemberClient, entry_id: str, size: int) -> None:
    """Put a large file into the store, more cheaply than by uploading it: every chunk is the same."""
    await me.upload(entry_id, "scan.pdf", PDF)
    files = await me.services.stores.holdings.files(me.member_id)
    rows = storage(me.services)
    await rows.evidence_chunks.delete({"files_id": files[-1]["_id"]})
    count, data = -(-size // CHUNK), bytes(CHUNK)
    for start in range(0, count, 20):
        numbers = range(start, min(start + 20, count))
        chunks = [{"files_id": files[-1]["_id"], "n": number, "data": data} for number in numbers]
        await rows.evidence_chunks.insert(chunks)
    await rows.evidence_files.set({"_id": files[-1]["_id"]}, length=count * CHUNK)
