"""A submission as a PDF booklet, for the reviewer (R60, R62)."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncGenerator

import pytest

from bridge.settings import Settings
from tests.support.audit import SECRET, Office, open_office
from tests.support.pdf import faults, text_of


@pytest.fixture
async def office(settings: Settings) -> AsyncGenerator[Office]:
    """The API, called by anybody."""
    async with open_office(settings) as desk:
        yield desk


async def test_the_booklet_shows_what_was_submitted(office: Office) -> None:
    """Receipt, declarations, plan, log, links, evidence and comments, from the snapshot alone (decision 2)."""
    sam, team = await office.add_member(), office.staff()
    await sam.record()
    case = await team.select()
    receipt = (await sam.submit(case))["receipt"]
    read = await team("GET", f"/v1/register/cases/{case}/record.pdf")
    assert read.status == 200
    assert faults(read.raw) == []
    text = " ".join(text_of(read.raw).split())
    expected = (
        "CPD record submitted for review",
        receipt,
        "Declared on",
        "Learn of grief",
        "A day on grief",
        "notes.txt",
    )
    assert [part for part in (*expected, SECRET, "Sam Example") if part not in text] == []
    (row,) = (await sam.good("GET", "/v1/access-history"))["items"]
    assert row["right"]["kind"] == "audit case"


async def test_there_is_none_before_nor_after(office: Office) -> None:
    """404 unless the case is submitted, and 403 for any other role (R62)."""
    sam, team = await office.add_member(), office.staff()
    case = await team.select()
    path = f"/v1/register/cases/{case}/record.pdf"
    assert (await team("GET", path)).status == 404
    await sam.submit(case)
    assert (await sam("GET", path)).status == 403
    await team.decide(case, "close", outcome="met")
    assert (await team("GET", path)).status == 404


async def test_the_copy_for_the_member_has_the_case(office: Office) -> None:
    """The reviewer's feedback, the submission, and who did what, by team and not by name (UK GDPR art. 15)."""
    sam, team = await office.add_member(), office.staff()
    await sam.record()
    case = await team.select()
    receipt = (await sam.submit(case))["receipt"]
    await team.decide(case, "return", feedback="Say what you learned.")
    archive = zipfile.ZipFile(io.BytesIO((await sam("GET", "/v1/exports/subject-access.zip")).raw))
    files = {name: archive.read(name) for name in archive.namelist()}
    assert f"submissions/{receipt}.json" in files
    assert b"Say what you learned." in files["everything/audit_cases.json"]
    assert b"Say what you learned." in files["record/audit-cases.json"]
    assert [name for name, content in files.items() if team.subject.encode() in content] == []
