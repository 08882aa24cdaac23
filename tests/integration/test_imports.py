"""Importing log entries from CSV over HTTP: all rows or none."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientResponse, FormData

from bridge.settings import Settings
from tests.support.member_client import BEFORE, IN_YEAR, MemberClient, serving

PATH = "/v1/imports/log"
CSV = {"Content-Type": "text/csv"}


@pytest.fixture
async def me(settings: Settings) -> AsyncGenerator[MemberClient]:
    """Serve the API with small limits."""
    small = settings.model_copy(update={"import_max_rows": 300, "import_max_bytes": 20_000})
    async with serving(small) as member:
        yield member


async def send(me: MemberClient, *lines: str, **headers: str) -> ClientResponse:
    """Send a file of these lines."""
    return await me.call("POST", PATH, {**CSV, **headers}, data="\r\n".join(lines).encode())


async def imported(response: ClientResponse) -> list[str]:
    """Return the ids of an import that was taken."""
    body = await response.json()
    assert response.status == 201, body
    assert body["created"] == len(body["ids"])
    return body["ids"]


async def refused(response: ClientResponse, status: int, slug: str) -> list[tuple[str, str]]:
    """Return pointer and field of each fault of a file that was refused."""
    body = await response.json(content_type="application/problem+json")
    assert (response.status, body["type"]) == (status, f"/problems/{slug}"), body
    return [(fault["pointer"], fault["field"]) for fault in body.get("errors", ())]


async def total(me: MemberClient) -> int:
    """Count the member's entries."""
    return (await me.get("/v1/log", period="all"))["total"]


async def test_imported(me: MemberClient) -> None:
    """Each row becomes an entry like one added by hand, in its period, marked as imported (R32, R33)."""
    ids = await imported(
        await send(
            me,
            "date,title,type,minutes,participatory,tags,description,draft",
            f'{IN_YEAR},Grief,course,90,yes,loss; groups,"In later life,\nand before",no',
            f"{BEFORE},A book,,,,,,",
        )
    )
    first, second = [await me.get(f"/v1/log/{entry_id}") for entry_id in ids]
    expected = {
        "date": IN_YEAR,
        "title": "Grief",
        "type": "course",
        "minutes": 90,
        "participatory": True,
        "tags": ["loss", "groups"],
        "description": "In later life,\nand before",
        "draft": False,
        "complete": False,
        "source": "import",
        "period_id": "2026-04-01",
        "reference": "L1",
    }
    assert {name: first[name] for name in expected} == expected
    assert (second["draft"], second["period_id"], second["minutes"]) == (True, "2025-04-01", None)
    assert (await me.get("/v1/log", period="all", source="import"))["total"] == 2
    assert (await me.get("/v1/log", period="all", q="later"))["total"] == 1


async def test_complete_rows(me: MemberClient) -> None:
    """A row with all that is needed, and draft off, is complete at once (R38)."""
    form = await me.get("/v1/forms/log")
    names = {field["name"]: "words" for field in form["fields"] if field["required"]}
    row = {**names, "date": IN_YEAR, "type": "course", "draft": "no"}
    (entry_id,) = await imported(await send(me, ",".join(row), ",".join(row.values())))
    entry = await me.get(f"/v1/log/{entry_id}")
    assert (entry["complete"], entry["missing_fields"]) == (True, [])


async def test_template(me: MemberClient) -> None:
    """The template is a download whose columns are the form's fields and the draft mark; filled in, it is taken."""
    response = await me.call("GET", f"{PATH}/template.csv")
    assert response.content_type == "text/csv"
    assert "cpd-log-template.csv" in response.headers["Content-Disposition"]
    (names,) = csv.reader(io.StringIO(await response.text()))
    form = await me.get("/v1/forms/log")
    assert names == [*(field["name"] for field in form["fields"]), "draft"]
    await imported(await send(me, ",".join(names), ",".join(["x", *[""] * (len(names) - 1)])))


async def test_as_a_form(me: MemberClient) -> None:
    """The file may come in a form as well, with the mark that spreadsheets put before UTF-8."""
    form = FormData()
    form.add_field("file", "\ufefftitle\r\nCafé\r\n".encode(), filename="log.csv", content_type="text/csv")
    (entry_id,) = await imported(await me.call("POST", PATH, data=form))
    assert (await me.get(f"/v1/log/{entry_id}"))["title"] == "Café"


async def test_all_or_none(me: MemberClient) -> None:
    """One fault in the last row keeps every row out; each fault is told by row and column."""
    tomorrow = str(me.services.periods.today() + timedelta(days=1))
    faults = await refused(
        await send(
            me,
            "title,date,type,minutes,url,start_date",
            "good,2026-05-04,,,,",
            "bad,04/05/2026,,,,",
            "bad,2026-02-30,cooking,-1,javascript:x,",
            "bad,,,ninety,,yesterday",
            "x" * 501 + ",,,,,",
        ),
        422,
        "validation",
    )
    assert sorted(faults) == [
        ("/rows/3/date", "date"),
        ("/rows/4/date", "date"),
        ("/rows/4/minutes", "minutes"),
        ("/rows/4/type", "type"),
        ("/rows/4/url", "url"),
        ("/rows/5/minutes", "minutes"),
        ("/rows/5/start_date", "start_date"),
        ("/rows/6/title", "title"),
    ]
    later = await send(me, "title,date,start_date", f"a,{tomorrow},", "b,2026-05-04,2026-05-05", "c,2026-05-04,")
    faults = await refused(later, 422, "validation")
    assert faults == [("/rows/2/date", "date"), ("/rows/3/date", "date")]
    assert await total(me) == 0


async def test_many_faults(me: MemberClient) -> None:
    """Of many faults the first 200 are listed, and all are counted in words."""
    response = await send(me, "minutes", *["x"] * 250)
    faults = await refused(response, 422, "validation")
    assert len(faults) == 200
    assert faults[0] == ("/rows/2/minutes", "minutes")
    assert "250 faults were found" in (await response.json(content_type=None))["detail"]


async def test_frozen_rows(me: MemberClient) -> None:
    """A file with a row in a frozen period is refused whole, naming the rows (R56)."""
    await me.freeze()
    lines = ["title,date", f"a,{BEFORE}", f"b,{IN_YEAR}", "c,", f"d,{IN_YEAR}"]
    faults = await refused(await send(me, *lines), 409, "record-frozen")
    assert faults == [("/rows/3/date", "date"), ("/rows/5/date", "date")]
    assert await total(me) == 0
    assert len(await imported(await send(me, "title,date", f"a,{BEFORE}", "c,"))) == 2


NOT_TAKEN: list[tuple[dict[str, str], Any, int, str]] = [
    (CSV, b"title\r\ncaf\xe9\r\n", 400, "malformed"),
    (CSV, b'title\r\n"open', 400, "malformed"),
    (CSV, b"", 422, "validation"),
    (CSV, b"colour\r\nx\r\n", 422, "validation"),
    (CSV, b"title\r\n" + b"x\r\n" * 301, 413, "too-large"),
    (CSV, b"title\r\n" + b"x" * 20_001, 413, "too-large"),
    ({"Content-Type": "text/csv; charset=latin-1"}, b"title\r\nx\r\n", 415, "unsupported-media-type"),
    ({"Content-Type": "application/json"}, b"{}", 415, "unsupported-media-type"),
    ({"Content-Type": "multipart/form-data"}, b"", 400, "malformed"),
]


async def test_not_taken(me: MemberClient, subtests: pytest.Subtests) -> None:
    """What is no CSV by the template, or too much of it, is told what it lacks."""
    for headers, body, status, slug in NOT_TAKEN:
        with subtests.test(headers=headers, status=status):
            await refused(await me.call("POST", PATH, headers, data=body), status, slug)
            assert await total(me) == 0


async def test_broken_off(me: MemberClient, lines: io.BytesIO) -> None:
    """A file whose line breaks is not imported, and is no crash."""
    upload_sent = asyncio.Event()

    async def breaking() -> AsyncGenerator[bytes]:
        yield b"title\r\na\r\n"
        upload_sent.set()
        await asyncio.Event().wait()

    sending = asyncio.create_task(me.call("POST", PATH, CSV, data=breaking()))
    await upload_sent.wait()
    sending.cancel()
    async with asyncio.timeout(30):
        while b'"route":"/v1/imports/log"' not in lines.getvalue():
            await asyncio.sleep(0.01)
    assert b"crashed" not in lines.getvalue()
    assert await total(me) == 0


async def test_repeated(me: MemberClient) -> None:
    """The same file with the same key is imported once, at whatever moment it comes; another file is 409."""
    sends = (send(me, "title", "a", "b", **{"Idempotency-Key": "once"}) for _ in range(3))
    first, *rest = [await imported(response) for response in await asyncio.gather(*sends)]
    assert rest == [first, first]
    await refused(await send(me, "title", "c", **{"Idempotency-Key": "once"}), 409, "conflict")
    assert await total(me) == 2


async def test_a_thousand_rows(settings: Settings) -> None:
    """A file as large as the limits allow by default is written in one act, within the time of a call."""
    async with serving(settings) as me, asyncio.timeout(settings.request_timeout):
        rows = [f"Entry {number},{IN_YEAR},{'words ' * 100}" for number in range(1000)]
        ids = await imported(await send(me, "title,date,description", *rows))
        assert len(set(ids)) == 1000
        assert await total(me) == 1000
