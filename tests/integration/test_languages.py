"""What a member reads comes in the member's language, with the words of people and never codes (R86)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import schemas.forms
from bridge.settings import Settings
from tests.support.portal import Portal, portal_over

WELSH = {"accept_language": "cy, en;q=0.5"}
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
    """A field of a body's own form has its label in each language beside it; what it does not say stays English."""
    standard = Path(schemas.forms.__file__).parent
    for name in ("log", "plan"):
        form = json.loads((standard / f"{name}-1.json").read_text(encoding="utf-8"))
        form["fields"].append(
            {
                "name": "venue",
                "label": {"en": "Venue", "cy": "Lleoliad"},
                "help": "Where it was.",
                "group": "factual",
                "type": "url",
                "required": False,
                "max_length": 100,
                "order": 99,
            }
        )
        (tmp_path / f"{name}-1.json").write_text(json.dumps(form))
    async with portal_over(settings.model_copy(update={"forms_dir": tmp_path})) as portal_of_forms:
        browser = await portal_of_forms.member()
        field = (await browser.get("/v1/forms/log", **WELSH))["fields"][-1]
        assert (field["label"], field["help"]) == ("Lleoliad", "Where it was.")
        refusal = await browser.call("POST", "/v1/log", {"venue": "here"}, **WELSH)
        assert [(fault["label"], fault["message"]) for fault in refusal.body["errors"]] == [("Lleoliad", ADDRESS)]


@pytest.mark.parametrize("cell", ["online", "Online", "ar-lein"])
async def test_a_choice_is_imported_by_what_people_call_it(portal: Portal, cell: str) -> None:
    """A table may name a choice by its code or by its label in any language, since faults name labels."""
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
