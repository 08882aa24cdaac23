"""Exports over HTTP: what they hold, for whom, and what a broken download or a flood of callers does (R71-R75)."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncGenerator
from itertools import product
from pathlib import Path

import pytest
from aiohttp import ClientError

from bridge.settings import Settings
from bridge.store.record.evidence import EVIDENCE_CHUNK
from tests.support.documents import PDF, PNG
from tests.support.exports import complete, fetched, pdf, unpacked
from tests.support.member_client import BEFORE, IN_YEAR, YEAR, MemberClient, serving
from tests.support.pdf import text_of
from tests.support.storage import storage

FORMULA = '=HYPERLINK("http://x")'


@pytest.fixture
async def me(settings: Settings) -> AsyncGenerator[MemberClient]:
    """A member at a running API."""
    async with serving(settings) as client:
        yield client


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


BAD_CHOICES: list[tuple[dict[str, str], str]] = [
    ({"period": YEAR, "date_from": BEFORE, "date_to": IN_YEAR}, "not both"),
    ({"date_from": BEFORE}, "both the first"),
    ({"date_from": IN_YEAR, "date_to": BEFORE}, "swap them"),
    ({"include": "some"}, "completed"),
]


async def test_bad_choices_are_422(me: MemberClient) -> None:
    """A period and a range exclude each other, a range needs both ends in order, and the answer tells."""
    paths = ("log.pdf", "log.zip", "plan.pdf", "plan.ics", "record.zip")
    for path, (query, says) in product(paths, BAD_CHOICES):
        response = await fetched(me, path, **query)
        assert response.status == 422, (path, query)
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


async def test_names_of_downloads_are_harmless(me: MemberClient) -> None:
    """Attachments that no cache keeps, named by what they are and never by whose."""
    response = await fetched(me, "log.pdf")
    assert response.headers["Content-Disposition"].startswith(f'attachment; filename="cpd-log-{YEAR}.pdf"')
    assert response.headers["Cache-Control"] == "private, no-store"


async def test_twenty_at_once_starve_nobody(me: MemberClient) -> None:
    """While twenty booklets are made, other calls are answered meanwhile, each in a small part of that time."""
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
    assert sorted(waits)[len(waits) // 2] < sum(waits) / 10


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
    await big_file(me, entry_id, 160 * 2**20)
    before, length = resident(), 0
    response = await me.call("GET", "/v1/exports/record.zip")
    peak = 0
    async for piece in response.content.iter_chunked(2**16):
        length += len(piece)
        peak = max(peak, resident())
    assert length > 160 * 2**20
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
    count, data = -(-size // EVIDENCE_CHUNK), bytes(EVIDENCE_CHUNK)
    for start in range(0, count, 20):
        numbers = range(start, min(start + 20, count))
        chunks = [{"files_id": files[-1]["_id"], "n": number, "data": data} for number in numbers]
        await rows.evidence_chunks.insert(chunks)
    await rows.evidence_files.set({"_id": files[-1]["_id"]}, length=count * EVIDENCE_CHUNK)
