"""What a member reads comes in the member's language, with the words of people and never codes (R86)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from bridge.settings import Settings
from tests.support.audit import DECLARATION_BODY
from tests.support.guides import address_of, blocks, run_shell
from tests.support.journey import Journey
from tests.support.pdf import text_of
from tests.support.portal import Portal, full_entry, portal_over
from tests.support.statements import completed, member
from tests.support.storage import storage

WELSH = {"accept_language": "cy, en;q=0.5"}
ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "guides"
ADDRESS = "Rhowch gyfeiriad gwe llawn sy'n dechrau â http:// neu https://, heb fylchau."


async def test_faults_are_told_in_the_language_that_is_asked_for(portal: Portal) -> None:
    """Title, label and remedy of each fault are Welsh; choices are named as the form shows them."""
    browser = await portal.member()
    answer = await browser.call("POST", "/v1/log", {"url": "foo", "mode": "holiday", "colour": "red"}, **WELSH)
    assert (answer.body["title"], answer.headers["Content-Language"]) == ("Mae angen sylw ar rai meysydd", "cy")
    assert "Accept-Language" in answer.headers["Vary"]
    labels = {fault["field"]: fault["label"] for fault in answer.body["errors"]}
    assert labels == {"url": "Cyfeiriad gwe", "mode": "Sut y gwnaethoch gymryd rhan", "colour": "Colour"}
    assert answer.faults["url"] == ADDRESS
    assert answer.faults["mode"] == (
        "Dewiswch un o'r rhain: Ar-lein, Wyneb yn wyneb, Yn rhannol ar-lein, yn rhannol wyneb yn wyneb neu "
        "Ar fy mhen fy hun, wrth fy mhwysau."
    )
    missing = await browser.call("GET", "/v1/log/none", **WELSH)
    assert (missing.status, missing.body["title"]) == (404, "Heb ei ganfod")


async def test_no_fault_shows_a_code_or_a_pattern(portal: Portal) -> None:
    """In English too: ``url: "foo"`` is told how an address begins, and a choice by the labels of the form."""
    browser = await portal.member()
    answer = await browser.call("POST", "/v1/log", {"url": "foo", "mode": "holiday"})
    assert answer.faults == {
        "url": "Give a full web address that begins with http:// or https://, without spaces.",
        "mode": "Choose one of: Online, In person, Partly online, partly in person or On my own, at my own pace.",
    }


async def test_a_member_s_own_language_comes_first(portal: Portal) -> None:
    """What the membership system says of a member counts before what the browser was installed in."""
    browser = await portal.member("m-cy", language="cy-GB")
    answer = await browser.call("POST", "/v1/log", {"url": "foo"}, accept_language="en-GB,en")
    assert answer.faults == {"url": ADDRESS}
    assert (await browser.get("/v1/forms/plan", accept_language="en"))["title"] == "Eitem cynllun DPP"


async def test_a_stranger_is_answered_as_the_browser_asks(portal: Portal) -> None:
    """Without a token there is only the header; a language that there is not is English."""
    for accept, title in (("cy", "Mae angen tocyn cludwr dilys"), ("fr", "A valid bearer token is needed")):
        async with portal.client.get("/v1/me", headers={"Accept-Language": accept}) as response:
            assert (await response.json())["title"] == title


async def test_each_language_of_a_form_has_its_own_tag(portal: Portal) -> None:
    """A portal that has the English form is not told that the Welsh one is the same (RFC 9110 §8.8.3)."""
    browser = await portal.member()
    english = await browser.call("GET", "/v1/forms/log")
    welsh = await browser.call("GET", "/v1/forms/log", **WELSH)
    assert [answer.headers["Content-Language"] for answer in (english, welsh)] == ["en", "cy"]
    assert english.etag != welsh.etag
    labels = {field["name"]: field["label"] for field in welsh.body["fields"]}
    assert (labels["title"], labels["learning"]) == ("Teitl", "Beth wnaethoch chi ei ddysgu")
    for tag, status in ((english.etag, 200), (welsh.etag, 304)):
        assert (await browser.call("GET", "/v1/forms/log", if_none_match=tag, **WELSH)).status == status


async def test_a_body_s_own_form_brings_its_languages(settings: Settings, tmp_path: Path) -> None:
    """The guide's copy with its field has the label in each language, and its faults are told by that label."""
    guide = GUIDES / "changing-a-form.md"
    copy, call = blocks(guide, "sh")
    (tmp_path / "schemas").symlink_to(ROOT / "schemas")
    await run_shell(copy, tmp_path)
    for path in (tmp_path / "my-forms").glob("*-1.json"):
        form = json.loads(path.read_text(encoding="utf-8"))
        form["fields"].append(json.loads(blocks(guide, "json")[0]))
        path.write_text(json.dumps(form))
    async with portal_over(settings.model_copy(update={"forms_dir": tmp_path / "my-forms"})) as portal_of_forms:
        browser = await portal_of_forms.member()
        form = json.loads(await called(call, portal_of_forms, browser.headers))
        assert (form["fields"][-1]["label"], form["fields"][-1]["help"]) == (
            "Lleoliad",
            "Dolen i'r lle, os oes ganddo dudalen.",
        )
        refusal = await browser.call("POST", "/v1/log", {"venue": "here"}, **WELSH)
        assert [(fault["label"], fault["message"]) for fault in refusal.body["errors"]] == [("Lleoliad", ADDRESS)]


async def test_the_guide_s_call_shows_a_language(portal: Portal) -> None:
    """Whoever added one sees in the headers that it is there."""
    browser = await portal.member()
    (call,) = blocks(GUIDES / "adding-a-language.md", "sh")
    assert "Content-Language: cy" in await called(call.replace("ga", "cy"), portal, browser.headers)


async def called(script: str, portal: Portal, headers: Mapping[str, str]) -> str:
    """Run a guide's call as the member."""
    token = headers["Authorization"].removeprefix("Bearer ")
    return await run_shell(script, ROOT, API=address_of(portal.client), MEMBER=token)


CELLS: list[str] = ["online", "Online", "ar-lein"]


async def test_a_choice_is_imported_by_what_people_call_it(portal: Portal, subtests: pytest.Subtests) -> None:
    """A table may name a choice by its code or by its label in any language, since faults name labels."""
    for cell in CELLS:
        with subtests.test(cell):
            browser = await portal.member()
            headers = {**browser.headers, "Content-Type": "text/csv"}
            table = f"title,mode\r\nTalk,{cell}\r\n"
            async with portal.client.post("/v1/imports/log", data=table, headers=headers) as response:
                (entry_id,) = (await response.json())["ids"]
            assert (await browser.get(f"/v1/log/{entry_id}"))["mode"] == "online"


async def test_a_choice_is_found_by_its_label_in_any_language(portal: Portal) -> None:
    """R20: who reads Welsh labels searches by them."""
    browser = await portal.member()
    entry = await browser.post("/v1/log", {"title": "Talk", "mode": "in_person"})
    for word in ("person", "wyneb"):
        assert [row["id"] for row in (await browser.get(f"/v1/log?q={word}"))["items"]] == [entry["id"]]


async def test_a_year_is_told_in_welsh(portal: Portal) -> None:
    """R18: the label of a membership year, how far it has gone and a target are in the reader's words and dates."""
    browser = await portal.member()
    year = await browser.get("/v1/periods/2019-04-01", **WELSH)
    assert (year["label"], year["elapsed"]["text"]) == (
        "1 Ebrill 2019 i 31 Mawrth 2020",
        "Daeth y flwyddyn aelodaeth hon i ben ar 31 Mawrth 2020.",
    )
    (current, *_) = (await browser.get("/v1/periods", **WELSH))["items"]
    assert current["label"].startswith("1 Ebrill ")
    assert (await browser.get("/v1/me", **WELSH))["current_period"]["elapsed"]["text"].startswith("Diwrnod ")


async def test_what_the_record_refuses_is_told_in_welsh(portal: Portal) -> None:
    """R56, R86: a day that is wrong, a frozen entry, a version that has changed, and a row of a file."""
    browser = await portal.member()
    body = {"start_date": "2026-06-01", "completion_date": "2026-05-01"}
    order = await browser.call("POST", "/v1/plan", body, **WELSH)
    assert order.faults["completion_date"] == (
        "Ni all “Dyddiad cwblhau targed” fod cyn “Dyddiad cychwyn” (1 Mehefin 2026): newidiwch un o'r ddau."
    )
    entry = await browser.post("/v1/log", {"date": "2026-05-04"})
    stale = await browser.call("PATCH", f"/v1/log/{entry['id']}", {"title": "x"}, if_match='"9"', **WELSH)
    assert stale.body["title"] == "Mae rhywun wedi newid hwn ers i chi ei ddarllen"
    await portal.freeze("m-1", "2026-04-01", "2026-04-01", "2027-03-31")
    frozen = await browser.call("PATCH", f"/v1/log/{entry['id']}", {"title": "x"}, if_match="*", **WELSH)
    assert "(achos case-1) ac mae wedi'i rewi ers 1 Mehefin 2026, 00:00 UTC" in frozen.body["detail"]
    headers = {**browser.headers, "Content-Type": "text/csv", "Accept-Language": "cy"}
    async with portal.client.post("/v1/imports/log", data="minutes\r\nmany\r\n", headers=headers) as response:
        refusal = await response.json()
    (fault,) = refusal["errors"]
    assert (refusal["detail"], fault["label"]) == (
        "Canfuwyd 1 gwall, ac ni fewnforiwyd dim.",
        "Rhes 2, Amser a dreuliwyd, mewn munudau",
    )


async def test_declarations_are_kept_as_they_were_read(portal: Portal) -> None:
    """What a member accepts is stored in the words that were shown (R55), whichever language they were asked for in."""
    browser = await portal.member(registered=True)
    period = (await browser.get("/v1/periods/current"))["id"]
    register = portal.browser("staff-1", "register")
    case = (await register.post("/v1/register/cases", {"member_id": "m-1", "period_id": period}))["id"]
    declarations = (await browser.get("/v1/audit", **WELSH))["items"][0]["declarations"]
    answer = await browser.call("POST", f"/v1/audit/{case}/submission", DECLARATION_BODY, **WELSH)
    assert answer.status == 201
    accepted = (await browser.get("/v1/audit"))["items"][0]["declarations"]
    assert [declaration["text"] for declaration in accepted] == [declaration["text"] for declaration in declarations]
    assert accepted[0]["text"].startswith("Fy nghofnod")


async def test_copies_are_in_welsh(portal: Portal) -> None:
    """R71-R74: the booklet, its dates, states and choices, the dictionary of the table, and what to read first."""
    browser = await portal.member("m-cy", language="cy")
    await browser.post("/v1/log", full_entry(type="further_study", date="2019-05-04", minutes=62))
    pdf = await browser.call("GET", "/v1/exports/log.pdf?period=2019-04-01")
    assert (pdf.status, pdf.headers["Content-Language"]) == (200, "cy")
    text = " ".join(text_of(pdf.body).split())
    expected = (
        *("Log DPP", "1 Ebrill 2019 i 31 Mawrth 2020", "Daeth y flwyddyn aelodaeth hon i ben ar 31 Mawrth 2020."),
        *("Cofnodion wedi'u cwblhau yn unig", "1 cofnod, 1 awr 2 funud wedi'u cofnodi.", "Astudiaeth bellach"),
        *("Dyddiad cwblhau 4 Mai 2019", "Statws y cofnod Cyflawn", "Tudalen 2", "Cynnwys"),
    )
    assert [part for part in expected if part not in text] == []
    archive = await browser.call("GET", "/v1/exports/log.zip?period=2019-04-01")
    with ZipFile(BytesIO(archive.body)) as files:
        assert files.read("log.csv").decode().startswith('"title","type","date"')
        meanings = files.read("data-dictionary.csv").decode()
    assert '"Dyddiad cwblhau"' in meanings
    assert "further_study: Astudiaeth bellach" in meanings
    archive = await browser.call("GET", "/v1/exports/subject-access.zip")
    with ZipFile(BytesIO(archive.body)) as files:
        assert "Eich hawliau" in files.read("read-me-first.txt").decode()
        assert "Am ba hyd y cânt eu cadw" in text_of(files.read("read-me-first.pdf"))


async def test_a_draft_has_the_activity_s_name_in_the_member_s_language(bridge: Journey) -> None:
    """R29: an activity with a Welsh name is called so for who reads Welsh; for others the body's languages hold."""
    name = {"en-GB": "Working with grief", "cy": "Gweithio gyda galar"}
    activity = {"id": "https://learn.example.org/c/grief", "definition": {"name": name, "description": name}}
    for member_id, language in (("m-cy", "cy-GB"), ("m-ga", "ga"), ("m-en", None)):
        await bridge.add_member(member_id, member(member_id, language=language))
        await bridge.send(completed(member_id, object=activity))
    rows = await storage(bridge.services).log_entries.all()
    assert {row["member_id"]: (row["title"], row["description"]) for row in rows} == {
        "m-cy": ("Gweithio gyda galar", "Gweithio gyda galar"),
        **dict.fromkeys(("m-ga", "m-en"), ("Working with grief", "Working with grief")),
    }
