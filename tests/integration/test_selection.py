"""Random samples of renewing members: drawn by seed, recorded, and safe to draw again (R53, Audit facts)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from bridge.domain.audit.sampling import draw
from bridge.settings import Settings
from tests.support.audit import Office, open_office
from tests.support.storage import storage

WINDOW = {"renewal_from": "2026-04-01", "renewal_to": "2026-04-30"}


@pytest.fixture
async def office(settings: Settings) -> AsyncGenerator[Office]:
    """The API with twelve members, ten of whom renew in April and are on the Register."""
    async with open_office(settings) as desk:
        for number in range(10):
            await desk.add_member(f"m-{number}", renewal_date="2021-04-15", registered_since="2021-04-15")
        await desk.add_member("m-10", renewal_date="2021-04-15", registered=False)
        await desk.add_member("m-11", renewal_date="2021-06-01")
        yield desk


def ids(sample: Any) -> list[str]:
    """The members of a sample."""
    return [case["member_id"] for case in sample["selected"]]


async def test_a_dry_run_opens_nothing(office: Office) -> None:
    """The sample, its seed and the population's size are told, and nobody is selected."""
    team = office.staff()
    reply = await team("POST", "/v1/register/samples", {**WINDOW, "count": 3, "dry_run": True})
    sample = reply.body
    assert (len(ids(sample)), sample["population_size"], sample["cases"]) == (3, 10, [])
    assert ids(sample) == draw(sample["seed"], [f"m-{number}" for number in range(10)], 3), "anyone can draw it again"
    assert (await team.good("GET", "/v1/register/cases"))["total"] == 0
    assert "Location" not in reply.headers
    assert (await team("GET", f"/v1/register/samples/{sample['id']}")).status == 404


async def test_the_same_seed_gives_the_same_sample(office: Office) -> None:
    """Drawn again after its cases are open it is the recorded one, and nobody is selected twice."""
    team = office.staff()
    body = {**WINDOW, "rate": 0.25, "seed": "2026-04 lottery"}
    trial = await team.good("POST", "/v1/register/samples", {**body, "dry_run": True})
    reply = await team("POST", "/v1/register/samples", body)
    first, again = reply.body, await team.good("POST", "/v1/register/samples", body)
    assert ids(trial) == ids(first) == ids(again)
    assert len(ids(first)) == 3, "a quarter of ten, rounded up"
    assert [case["id"] for case in first["cases"]] == [case["id"] for case in again["cases"]]
    listing = await team.good("GET", "/v1/register/cases")
    assert (listing["total"], {case["period_id"] for case in listing["items"]}) == (3, {"2025-04-15"})
    stored_sample = await team.good("GET", reply.headers["Location"])
    assert (stored_sample["population"], stored_sample["population_digest"]) == (
        [f"m-{number}" for number in range(10)],
        first["population_digest"],
    )
    events = await office.services.stores.outbox.pending(100)
    assert [row["type"] for row in events] == ["audit.selected"] * 3


async def test_a_repeated_call_draws_the_same(office: Office) -> None:
    """Without a seed, the same Idempotency-Key makes the same one; another call draws anew."""
    team, body = office.staff(), {**WINDOW, "count": 2}
    key_header = {"Idempotency-Key": "once"}
    first = await team.good("POST", "/v1/register/samples", body, **key_header)
    again = await team.good("POST", "/v1/register/samples", body, **key_header)
    assert (first["seed"], ids(first)) == (again["seed"], ids(again))
    assert (await team.good("POST", "/v1/register/samples", {**body, "dry_run": True}))["seed"] != first["seed"]
    assert (await team.good("GET", "/v1/register/cases"))["total"] == 2


async def test_a_key_with_another_sample_is_a_conflict(office: Office) -> None:
    """The same Idempotency-Key with another count draws nobody more; a dry run takes no key."""
    team, body, key_header = office.staff(), {**WINDOW, "count": 2}, {"Idempotency-Key": "once"}
    await team.good("POST", "/v1/register/samples", {**body, "count": 3, "dry_run": True}, **key_header)
    await team.good("POST", "/v1/register/samples", body, **key_header)
    second = await team("POST", "/v1/register/samples", {**body, "count": 3}, **key_header)
    assert (second.status, second.problem) == (409, "conflict")
    assert (await team.good("GET", "/v1/register/cases"))["total"] == 2


async def test_a_key_with_another_member_is_a_conflict(office: Office) -> None:
    """The same Idempotency-Key selects one member, whoever is named in the second body."""
    team, key_header = office.staff(), {"Idempotency-Key": "once"}
    await team.good("POST", "/v1/register/cases", {"member_id": "m-1", "period_id": "2026-04-15"}, **key_header)
    second = await team("POST", "/v1/register/cases", {"member_id": "m-2", "period_id": "2026-04-15"}, **key_header)
    assert (second.status, second.problem) == (409, "conflict")


async def test_who_is_in_a_case_is_not_drawn(office: Office) -> None:
    """A member in a case that goes on, or whose year was reviewed, is not in the population; a withdrawn one is."""
    team = office.staff()
    await team.select("m-0", "2026-04-15")
    await team.decide(await team.select("m-1", "2025-04-15"), "satisfied_elsewhere")
    await team.decide(await team.select("m-2", "2025-04-15"), "withdraw")
    sample = await team.good("POST", "/v1/register/samples", {**WINDOW, "count": 100, "seed": "all"})
    assert sorted(ids(sample)) == [f"m-{number}" for number in range(2, 10)]
    assert len(sample["cases"]) == 8
    second = await team.good("POST", "/v1/register/samples", {**WINDOW, "count": 100, "seed": "other"})
    assert (second["population_size"], second["cases"]) == (0, [])


async def test_a_broken_off_sample_is_completed(office: Office) -> None:
    """A process that dies between two cases leaves a recorded sample, and drawing again opens the rest."""
    team = office.staff()
    body = {**WINDOW, "count": 4, "seed": "s"}
    first = await team.good("POST", "/v1/register/samples", body)
    cases = storage(office.services).audit_cases
    await cases.delete({"_id": {"$in": [case["id"] for case in first["cases"][2:]]}})
    await storage(office.services).outbox.delete()
    again = await team.good("POST", "/v1/register/samples", body)
    assert [case["id"] for case in again["cases"]] == [case["id"] for case in first["cases"]]
    assert await cases.count() == 4


WRONG_SAMPLES: list[tuple[dict[str, Any], str]] = [
    ({"rate": 2.6}, "/rate"),
    ({"rate": 1}, "/rate"),
    ({"rate": 0.1, "count": 1}, ""),
    ({"count": 0}, "/count"),
    ({"renewal_to": "2026-03-31"}, ""),
    ({"renewal_to": "2027-04-02"}, ""),
    ({"sead": "x"}, "/sead"),
]


async def test_a_sample_asked_for_wrongly(office: Office, subtests: pytest.Subtests) -> None:
    """A percentage for a fraction, both sizes, or a window of more than a year is refused before anybody is drawn."""
    for changes, pointer in WRONG_SAMPLES:
        with subtests.test(changes=changes):
            refusal = await office.staff()("POST", "/v1/register/samples", {**WINDOW, **changes})
            assert refusal.status == 422
            assert pointer in [fault["pointer"] for fault in refusal.body["errors"]]


async def test_only_long_registered_members_are_drawn(office: Office) -> None:
    """Minimum months on the Register, by the renewal day."""
    await office.add_member("m-0", renewal_date="2021-04-15", registered_since="2025-10-01")
    body = {**WINDOW, "count": 100, "minimum_months_registered": 12, "dry_run": True}
    sample = await office.staff().good("POST", "/v1/register/samples", body)
    assert "m-0" not in ids(sample)
    assert sample["population_size"] == 9


EARLY_WINDOWS: list[tuple[str, int]] = [("0001-01-01", 0), ("0001-12-31", 24), ("0090-04-30", 1200)]


async def test_nobody_is_drawn_from_before_there_were_years(office: Office, subtests: pytest.Subtests) -> None:
    """A window so early that no membership year or registration lies before it has nobody in it."""
    for day, months in EARLY_WINDOWS:
        with subtests.test(day):
            await office.add_member("m-new-year", renewal_date="2021-01-01", registered_since="2021-01-01")
            body = {
                "renewal_from": day,
                "renewal_to": day,
                "count": 1,
                "dry_run": True,
                "minimum_months_registered": months,
            }
            sample = await office.staff().good("POST", "/v1/register/samples", body)
            assert sample["population_size"] == 0


async def test_cases_are_listed_by_state_and_due_date(office: Office) -> None:
    """The list has filters and pages, and nothing of any record."""
    team = office.staff()
    await team.good("POST", "/v1/register/samples", {**WINDOW, "count": 5, "seed": "s"})
    await team.decide((await team.good("GET", "/v1/register/cases"))["items"][0]["id"], "withdraw")
    first = await team.good("GET", "/v1/register/cases?state=selected&limit=3")
    page = await team.good("GET", f"/v1/register/cases?state=selected&limit=3&cursor={first['next']}")
    seen_ids = {case["id"] for case in first["items"] + page["items"]}
    assert (len(seen_ids), len(page["items"]), page["total"], page["next"]) == (4, 1, 4, None)
    assert (await team.good("GET", "/v1/register/cases?due_before=2001-01-01"))["total"] == 0
    assert (await team.good("GET", "/v1/register/cases?due_before=2100-01-01&sort=-selected_at"))["total"] == 5
    member = await team.good("GET", f"/v1/register/cases?member_id={page['items'][0]['member_id']}")
    assert [case["id"] for case in member["items"]] == [page["items"][0]["id"]]
