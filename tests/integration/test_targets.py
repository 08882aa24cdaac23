"""Targets of a membership year: what the body asks for, and how far the member is (R57, R79: guidance alone)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge import wiring
from bridge.domain.forms import STANDARD
from bridge.domain.members.messages import MemberIn
from bridge.errors import SettingsError
from bridge.settings import Settings
from deploy.dev.samples import TARGETS_FILE
from tests.support.portal import full_entry, portal_over
from tests.support.statements import member


def with_targets(settings: Settings, path: Path) -> Settings:
    """The settings of a body with targets."""
    return settings.model_copy(update={"targets_file": path})


async def test_complete_entries_count_towards_the_targets(settings: Settings) -> None:
    """By type and by whether it was done with others; a draft, a gap and another year do not count."""
    async with portal_over(with_targets(settings, TARGETS_FILE)) as portal:
        browser = await portal.member()
        await browser.post("/v1/log", full_entry(minutes=60))
        await browser.post("/v1/log", full_entry(minutes=90, participatory=True, type="supervision_related"))
        for extra in ({"draft": True}, {"learning": None}, {"date": "2025-05-04"}):
            await browser.post("/v1/log", full_entry(minutes=500, participatory=True, **extra))
        period = await browser.get("/v1/periods/current")
        assert [(t["id"], t["target"], t["done"], t["text"]) for t in period["targets"]] == [
            ("year", 1800, 150, "150 of 1,800 minutes"),
            ("together", 600, 90, "90 of 600 minutes"),
            ("supervision", 2, 1, "1 of 2 entries"),
        ]
        assert period["targets"][1]["label"] == "Learning with others"
        assert {action["name"]: action["enabled"] for action in period["actions"]}["export_pdf"], "nothing is enforced"


async def test_who_was_away_is_asked_for_less(settings: Settings) -> None:
    """Of 365 days, 183 were before the Register and 31 on leave; the label is in the member's language."""
    leave = [{"from": "2026-03-20", "to": "2026-04-10"}, {"from": "2026-12-01", "to": "2026-12-31"}]
    async with portal_over(with_targets(settings, TARGETS_FILE)) as portal:
        browser = await portal.member(registered_since="2026-10-01", leave=leave, language="cy-GB")
        targets = (await browser.get("/v1/periods/current"))["targets"]
        assert [(target["target"], target["label"]) for target in targets] == [
            (745, "DPP dros y flwyddyn"),  # 744.7 rounded up
            (249, "Dysgu gydag eraill"),
            (2, "Dysgu o oruchwyliaeth"),  # is not asked for pro rata
        ]
        body = MemberIn.model_validate(member("account-m-1", leave=[{"from": "2026-01-01", "to": "2027-12-31"}]))
        await portal.services.members.put("m-1", body)
        away = (await browser.get("/v1/periods/current"))["targets"]
        assert [target["target"] for target in away] == [0, 0, 2]


async def test_a_body_without_targets_shows_none(settings: Settings) -> None:
    """An empty list, so that a portal need not ask whether there are any."""
    async with portal_over(settings) as portal:
        assert (await (await portal.member()).get("/v1/periods/current"))["targets"] == []


def target(**extra: Any) -> dict[str, Any]:
    """A target of a file; ``extra`` replaces fields."""
    return {"id": "year", "label": {"en": "The year"}, "unit": "minutes", "target": 60, **extra}


FAULTY_TARGETS: list[tuple[Any, list[str]]] = [
    ([], ["is not of type 'object'"]),
    ({"version": 2, "targets": [target(unit="hours")]}, ["$.version", "$.targets[0].unit", "'hours'"]),
    ({"version": 1, "targets": [target(label={"cy": "Y flwyddyn"}, target=0)]}, ["'en'", "$.targets[0].target"]),
    ({"version": 1, "targets": [target(), target()]}, ["id year is there twice"]),
    (
        {"version": 1, "targets": [target(types=["cours"]), target(id="b", types=["other", "x"])]},
        ["target year: no such type: cours; there are committee_work, ", "target b: no such type: x;"],
    ),
]


def test_every_fault_of_the_targets_is_named_at_start(
    settings: Settings, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """Beside the setting, with the place in the file: as other settings are checked."""
    for document, faults in FAULTY_TARGETS:
        with subtests.test(document=document):
            path = tmp_path / "targets.json"
            path.write_text(json.dumps(document), encoding="utf-8")
            with pytest.raises(SettingsError) as refusal:
                wiring.targets(with_targets(settings, path), STANDARD)
            for fault in ("BRIDGE_TARGETS_FILE: ", *faults):
                assert fault in str(refusal.value)


def test_a_file_that_is_not_there_or_not_json_is_named(settings: Settings, tmp_path: Path) -> None:
    """With its name and what is wrong."""
    path = tmp_path / "targets.json"
    with pytest.raises(SettingsError, match=r"targets\.json cannot be read: No such file"):
        wiring.targets(with_targets(settings, path), STANDARD)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"targets\.json is not JSON"):
        wiring.targets(with_targets(settings, path), STANDARD)
