"""The forms over HTTP, and another body's own in their place (R8, R9, R34, R39-R42)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import schemas.forms
from bridge.domain.forms import configured_forms
from bridge.errors import SettingsError
from bridge.settings import Settings
from tests.support.journey import journey
from tests.support.portal import Portal, full_entry, portal_over
from tests.support.statements import completed, member

STANDARD = Path(schemas.forms.__file__).parent
Form = dict[str, Any]


FORM_NAMES: list[str] = ["log", "plan"]


async def test_a_form_tells_all_that_a_portal_draws(portal: Portal, subtests: pytest.Subtests) -> None:
    """R9, R34, R39-R41: label, help, group, type, asterisk, length, choices and order of each field."""
    for name in FORM_NAMES:
        with subtests.test(name):
            browser = await portal.member()
            answer = await browser.call("GET", f"/v1/forms/{name}")
            assert (answer.status, answer.body["version"]) == (200, "1")
            fields = answer.body["fields"]
            assert [field["order"] for field in fields] == list(range(1, len(fields) + 1))
            assert all(
                field["label"] and field["help"] and field["group"] in {"factual", "reflective"} for field in fields
            )
            assert {field["required"] for field in fields} == {True, False}
            assert all(field["choices"] for field in fields if field["type"] == "choice")
            assert await browser.get(f"/v1/forms/{name}?version=1") == answer.body


async def test_the_forms_together_ask_for_the_whole_cycle(portal: Portal) -> None:
    """R46: to reflect, plan, act, evaluate and tell the impact on practice are all needed fields."""
    browser = await portal.member()
    field_names = [
        f["name"] for n in ("plan", "log") for f in (await browser.get(f"/v1/forms/{n}"))["fields"] if f["required"]
    ]
    assert {"learning_need", "planned_action", "description", "learning", "evaluation", "impact_on_practice"} <= set(
        field_names
    )


async def test_an_unknown_form_is_not_found(portal: Portal) -> None:
    """404 for a form or a version that there is not."""
    browser = await portal.member()
    for path in ("/v1/forms/diary", "/v1/forms/log?version=99"):
        assert (await browser.call("GET", path)).status == 404


def own(name: str, number: str = "1", /, **changes: Any) -> Form:
    """A standard form as another body might have it: ``changes`` is name → field, or None to leave it out."""
    form = json.loads((STANDARD / f"{name}-1.json").read_text(encoding="utf-8"))
    fields = {field["name"]: field for field in form["fields"]} | changes
    live_fields = [field for field in fields.values() if field is not None]
    ordered_fields = [{**field, "order": place} for place, field in enumerate(live_fields, start=1)]
    return {**form, "version": number, "fields": ordered_fields}


def field(name: str, **extra: Any) -> Form:
    """A needed field of another body."""
    return {"name": name, "label": name.title(), "help": "Why?", "group": "reflective", "required": True} | {
        "type": "long_text",
        "max_length": 50,
        **extra,
    }


def written(directory: Path, *forms: Form) -> Path:
    """The directory with these forms in it."""
    directory.mkdir(exist_ok=True)
    for form in forms:
        path = directory / f"{form['form']}-{form['version']}.json"
        path.write_text(json.dumps(form), encoding="utf-8")
    return directory


async def test_another_bodys_form_rules_bodies_and_answers(settings: Settings, tmp_path: Path) -> None:
    """R40: a form from ``BRIDGE_FORMS_DIR`` is served, validated, documented and decides what is complete."""
    forms = written(tmp_path / "forms", own("log", learning=None, insight=field("insight")), own("plan"))
    async with portal_over(settings.model_copy(update={"forms_dir": forms})) as portal:
        browser = await portal.member()
        body = {name: value for name, value in full_entry().items() if name != "learning"}
        entry = await browser.post("/v1/log", body)
        assert entry["missing_fields"] == ["insight"]
        new_entry = await browser.patch(f"/v1/log/{entry['id']}", {"insight": "That I can."})
        assert (new_entry["complete"], new_entry["insight"]) == (True, "That I can.")
        refusal = await browser.call("POST", "/v1/log", {"learning": "x", "insight": "x" * 51})
        assert set(refusal.faults) == {"learning", "insight"}
        document = await browser.get("/openapi.json")
        assert "insight" in document["components"]["schemas"]["LogEntryIn"]["properties"]


async def test_an_entry_is_judged_by_its_own_version(settings: Settings, tmp_path: Path) -> None:
    """Decision 11, R40: a new version of the form changes nothing for entries made before; new ones follow it."""
    first, second = own("log"), own("log", "2", learning=None, insight=field("insight"))
    old = written(tmp_path / "old", first, own("plan"))
    new = written(tmp_path / "new", first, second, own("plan"))
    async with portal_over(settings.model_copy(update={"forms_dir": old})) as portal:
        entry = await (await portal.member()).post("/v1/log", full_entry())
    async with portal_over(settings.model_copy(update={"forms_dir": new})) as portal:
        browser = await portal.member()
        path = f"/v1/log/{entry['id']}"
        assert (await browser.patch(path, {"title": "Still whole"}))["complete"] is True
        refusal = await browser.call("PATCH", path, {"insight": "x"}, if_match="*")
        assert "earlier form" in refusal.faults["insight"]
        fresh = await browser.post("/v1/log", {"title": "New"})
        assert (fresh["form_version"], "insight" in fresh["missing_fields"]) == ("2", True)
        assert (await browser.get("/v1/forms/log"))["version"] == "2"


def test_every_fault_of_a_bodys_forms_is_named_at_start(tmp_path: Path) -> None:
    """A wrong file, a missing form, a field that rules need, and a name that is taken all stop the start, at once."""
    wrong = own("log", date=None, version=field("version"))
    forms = written(tmp_path / "forms", wrong, {**own("log", "2"), "title": ""})
    (forms / "plan-1.json").write_text("{", encoding="utf-8")
    with pytest.raises(SettingsError) as refusal:
        configured_forms(forms)
    for fault in ("BRIDGE_FORMS_DIR", "log-2.json is not a form", "plan-1.json is not JSON"):
        assert fault in str(refusal.value)
    written(forms, own("log", "2"))
    (forms / "plan-1.json").unlink()
    with pytest.raises(SettingsError) as refusal:
        configured_forms(forms)
    for fault in ("no plan form", "needs a field date of type date", "version is taken"):
        assert fault in str(refusal.value)


async def test_a_completion_is_drafted_by_the_bodys_own_form(settings: Settings, tmp_path: Path) -> None:
    """R29, R40: an automatic entry has the version of the form that is current, and only what it has room for."""
    forms = written(
        tmp_path / "forms", own("log"), own("log", "2", minutes=None, insight=field("insight")), own("plan")
    )
    changed_settings = settings.model_copy(update={"forms_dir": forms})
    async with journey(changed_settings) as bridge, portal_over(changed_settings) as portal:
        await bridge.add_member("m-1", member())
        await bridge.send(completed(result={"completion": True, "duration": "PT1H"}))
        browser = portal.browser("m-1", "member")
        (row,) = (await browser.get("/v1/log"))["items"]
        entry = await browser.get(f"/v1/log/{row['id']}")
        assert (entry["form_version"], entry["title"], entry["minutes"]) == ("2", "Working with grief", None)
        assert "insight" in entry["missing_fields"]
