"""The Register Audit from selection to outcome, over HTTP (R53-R60, decisions 1-4 and 13)."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from datetime import timedelta

import orjson
import pytest

from bridge.domain.members.messages import MemberIn
from bridge.settings import Settings
from tests.support.audit import BEFORE, DECLARATION_BODY, OTHER_PERIOD, PERIOD, SECRET, Office, Person, open_office
from tests.support.statements import member
from tests.support.storage import storage


@pytest.fixture
async def office(settings: Settings) -> AsyncGenerator[Office]:
    """The API, called by anybody."""
    async with open_office(settings) as desk:
        yield desk


async def submit_button(person: Person, period_id: str = PERIOD) -> tuple[bool, str | None]:
    """Whether the submit button is on, and the reason when it is not."""
    period = await person.good("GET", f"/v1/periods/{period_id}")
    (button,) = [action for action in period["actions"] if action["name"] == "submit_for_review"]
    return button["enabled"], button["reason"]


async def test_a_moved_year_does_not_take_the_submit_button_away(office: Office) -> None:
    """R26, R54, R82: the year of a case stands while the case goes on, and offers to submit it, empty or not."""
    sam = await office.add_member()
    await office.staff().select(period=OTHER_PERIOD)
    body = MemberIn.model_validate(member("m-1", renewal_date="2026-06-01"))
    await office.services.members.put("m-1", body)
    periods = [row["id"] for row in (await sam.good("GET", "/v1/periods"))["items"]]
    buttons = {period: await submit_button(sam, period) for period in periods}
    off = (False, "not_selected")
    assert {period for period, button in buttons.items() if button != off} == {OTHER_PERIOD}


async def test_a_case_from_selection_to_outcome(office: Office) -> None:
    """Decision 3: selected, submitted, returned, submitted again, closed; the member and the team see the same."""
    sam, team = await office.add_member(), office.staff()
    await sam.record()
    assert await submit_button(sam) == (False, "not_selected"), "R54: shown, off, with its reason"
    case = await team.select(due_date=office.today() + timedelta(days=10))
    assert await submit_button(sam) == (True, None)
    first = await sam.submit(case)
    assert first["counts"] == {"log": 1, "plan": 1, "links": 1, "comments": 1, "evidence": 1}
    assert await submit_button(sam) == (False, "already_submitted")
    returned = await team.decide(case, "return", feedback="Say what you learned.")
    assert (returned["state"], returned["feedback"]) == ("returned", "Say what you learned.")
    assert returned["due_date"] == f"{office.today() + timedelta(days=14)}"
    await sam.entry()
    second = await sam.submit(case)
    assert second["receipt"] != first["receipt"]
    assert second["counts"]["log"] == 2
    closing = await team.decide(case, "close", outcome="met")
    assert [step["move"] for step in closing["history"]] == ["select", "submit", "return", "submit", "close"]
    (case_view,) = (await sam.good("GET", "/v1/audit"))["items"]
    assert (case_view["state"], case_view["outcome"], case_view["receipt"]) == ("closed", "met", second["receipt"])
    assert all(declaration["accepted_at"] for declaration in case_view["declarations"])
    assert (await sam.good("GET", "/v1/me"))["audit"][0]["id"] == case
    assert await submit_button(sam) == (False, "not_selected")


async def test_submitting_again_gives_the_same_receipt(office: Office) -> None:
    """R55: submission is idempotent, with or without a key."""
    sam, team = await office.add_member(), office.staff()
    case = await team.select()
    first = await sam("POST", f"/v1/audit/{case}/submission", DECLARATION_BODY)
    again = await sam("POST", f"/v1/audit/{case}/submission", DECLARATION_BODY)
    assert (first.status, again.status) == (201, 200)
    assert first.body == again.body
    await team.decide(case, "return")
    key_header = {"Idempotency-Key": "second"}
    second = await sam("POST", f"/v1/audit/{case}/submission", DECLARATION_BODY, **key_header)
    await team.decide(case, "return")
    late = await sam("POST", f"/v1/audit/{case}/submission", DECLARATION_BODY, **key_header)
    assert (late.status, late.body) == (201, second.body), "a repeat that comes late submits nothing anew"
    repeated_reply = await sam("POST", f"/v1/audit/{case}/submission", {"declarations": []}, **key_header)
    assert (repeated_reply.status, repeated_reply.problem) == (409, "conflict")
    assert (await sam.good("GET", "/v1/audit"))["items"][0]["state"] == "returned"


async def test_only_who_is_selected_submits(office: Office) -> None:
    """R54: the server enforces it, and another member's case is no key to anything."""
    sam, kim, team = await office.add_member("m-1"), await office.add_member("m-2"), office.staff()
    case = await team.select("m-1")
    refusal = await kim("POST", f"/v1/audit/{case}/submission", DECLARATION_BODY)
    assert (refusal.status, refusal.problem) == (409, "not-selected")
    await team.select("m-2")
    second = await kim("POST", f"/v1/audit/{case}/submission", DECLARATION_BODY)
    assert (second.status, second.problem) == (404, "not-found")
    assert (await sam.good("GET", "/v1/audit"))["items"][0]["state"] == "selected"


async def test_every_declaration_is_needed(office: Office) -> None:
    """R55: what is not declared is named, and nothing is submitted."""
    sam, team = await office.add_member(), office.staff()
    case = await team.select()
    body = {
        "declarations": [
            {**DECLARATION_BODY["declarations"][0], "accepted": False},
            *DECLARATION_BODY["declarations"][1:],
        ]
    }
    refusal = await sam("POST", f"/v1/audit/{case}/submission", body)
    assert (refusal.status, refusal.problem, len(refusal.body["errors"])) == (422, "validation", 1)
    assert (await sam.good("GET", "/v1/audit"))["items"][0]["state"] == "selected"


async def test_the_snapshot_is_what_was_submitted(office: Office) -> None:
    """Decision 2: the reviewer reads bytes that match the digest, whatever happens to the live record later."""
    sam, team = await office.add_member(), office.staff()
    ids = await sam.record()
    await sam.entry(BEFORE, title="Before the period")
    dropped_id = await sam.plan_item(status="not_pursued", status_reason="The course was cancelled.")
    case = await team.select()
    receipt = await sam.submit(case)
    reply = await team("GET", f"/v1/register/cases/{case}/record")
    assert hashlib.sha256(reply.raw).hexdigest() == receipt["digest"]
    assert reply.raw == orjson.dumps(reply.body, option=orjson.OPT_SORT_KEYS), "canonical"
    record = reply.body
    assert [entry["id"] for entry in record["log"]] == [ids["entry"]], "R56: of the period alone"
    assert record["log"][0]["description"] == SECRET
    assert {item["id"]: item["status"] for item in record["plan"]} == {
        ids["item"]: "planned",
        dropped_id: "not_pursued",
    }
    assert record["links"] == [{"log_id": ids["entry"], "plan_id": ids["item"]}], "R58"
    assert [comment["id"] for comment in record["comments"]] == [ids["comment"]], "R59"
    assert [file["id"] for file in record["evidence"]] == [ids["file"]]
    assert "tokens" not in reply.raw.decode()
    file = await team("GET", f"/v1/register/cases/{case}/evidence/{ids['file']}")
    assert (file.status, file.raw) == (200, SECRET.encode())


async def test_a_damaged_snapshot_is_not_shown(office: Office) -> None:
    """Decision 2: what does not match its digest is nobody's submission any more."""
    sam, team = await office.add_member(), office.staff()
    await sam.record()
    case = await team.select()
    await sam.submit(case)
    pieces = storage(office.services).submission_pieces
    piece = await pieces.first()
    await pieces.set({"_id": piece["_id"]}, data=piece["data"].replace(b"grief", b"brief"))
    reply = await team("GET", f"/v1/register/cases/{case}/record")
    assert (reply.status, SECRET in reply.raw.decode()) == (500, False)


async def test_what_is_linked_from_the_period_is_submitted(office: Office) -> None:
    """Decision 1: a plan item of another year goes with the entry that is linked to it, and freezes with it."""
    sam, team = await office.add_member(), office.staff()
    entry = await sam.entry()
    earlier = await sam.plan_item(start_date="2024-05-01", completion_date="2024-06-01")
    lone_item = await sam.plan_item(start_date="2024-05-01", completion_date="2024-06-01")
    await sam.good("PUT", f"/v1/log/{entry}/links/{earlier}")
    case = await team.select()
    await sam.submit(case)
    record = await team.good("GET", f"/v1/register/cases/{case}/record")
    assert [item["id"] for item in record["plan"]] == [earlier]
    assert (await sam("PATCH", f"/v1/plan/{earlier}", {"title": "x"})).problem == "record-frozen"
    assert (await sam("PATCH", f"/v1/plan/{lone_item}", {"title": "x"})).status == 200


async def test_a_period_has_both_its_ends(office: Office) -> None:
    """Decision 1: the first and the last day are in the scope, the days around them are not."""
    sam, team = await office.add_member(), office.staff()
    inside = [await sam.entry(day) for day in ("2025-04-01", "2025-09-09", "2026-03-31")]
    for day in ("2025-03-31", "2026-04-01", None):
        await sam.entry(day)
    spans = [("2025-01-01", "2025-04-01"), ("2026-03-31", "2026-08-01"), ("2024-01-01", "2026-08-01")]
    touching = [await sam.plan_item(start_date=first, completion_date=last) for first, last in spans]
    for first, last in [("2025-01-01", "2025-03-31"), ("2026-04-01", "2026-08-01"), (None, None)]:
        await sam.plan_item(start_date=first, completion_date=last)
    case = await team.select(period=OTHER_PERIOD)
    await sam.submit(case)
    record = await team.good("GET", f"/v1/register/cases/{case}/record")
    assert [entry["id"] for entry in record["log"]] == inside
    assert [item["id"] for item in record["plan"]] == touching


async def test_decisions_that_the_state_does_not_allow(office: Office) -> None:
    """Decision 3: an illegal move is a conflict and changes nothing."""
    sam, team = await office.add_member(), office.staff()
    case = await team.select()
    path = f"/v1/register/cases/{case}/decisions"
    close = {"decision": "close", "outcome": "met"}
    return_ = {"decision": "return", "feedback": "More."}
    for body in (close, return_, {"decision": "grant_extension"}, {"decision": "decline_extension"}):
        assert ((await team("POST", path, body)).problem, body) == ("conflict", body)
    await sam.submit(case)
    assert (await team("POST", path, {"decision": "grant_extension"})).problem == "conflict"
    await team.decide(case, "close")
    for body in (close, return_, {"decision": "withdraw"}, {"decision": "satisfied_elsewhere"}):
        assert ((await team("POST", path, body)).problem, body) == ("conflict", body)
    assert (await sam("POST", f"/v1/audit/{case}/submission", DECLARATION_BODY)).problem == "not-selected"


async def test_a_repeated_decision_gives_the_first_answer(office: Office) -> None:
    """A key is its caller's own: a repeat is answered as the first was, and a colleague's same key decides anew."""
    sam, anna, ben = await office.add_member(), office.staff(subject="anna"), office.staff(subject="ben")
    await sam.entry()
    case = await anna.select()
    path, body = f"/v1/register/cases/{case}/decisions", {"decision": "return", "feedback": "More."}
    await sam.submit(case)
    first = await anna("POST", path, body, **{"Idempotency-Key": "1"})
    await sam.submit(case)
    again = await anna("POST", path, body, **{"Idempotency-Key": "1"})
    assert (again.status, again.body, again.headers["ETag"]) == (200, first.body, first.headers["ETag"])
    assert (await anna.good("GET", f"/v1/register/cases/{case}"))["state"] == "submitted"
    assert (await ben.good("POST", path, body, **{"Idempotency-Key": "1"}))["state"] == "returned"
    assert (await anna.good("GET", f"/v1/register/cases/{case}"))["state"] == "returned"


async def test_a_decision_needs_what_belongs_to_it(office: Office) -> None:
    """R57: outcomes come from the settings, a return needs feedback, and what does not belong is refused."""
    sam, team = await office.add_member(), office.staff()
    case = await team.select()
    await sam.submit(case)
    wrong = {
        "/outcome": [{"decision": "close"}, {"decision": "close", "outcome": "splendid"}],
        "/feedback": [{"decision": "return"}, {"decision": "return", "feedback": " "}],
        "/due_date": [
            {"decision": "close", "outcome": "met", "due_date": "2100-01-01"},
            {"decision": "return", "feedback": "More.", "due_date": "2001-01-01"},
        ],
    }
    for pointer, bodies in wrong.items():
        for body in bodies:
            refusal = await team("POST", f"/v1/register/cases/{case}/decisions", body)
            assert (refusal.status, [fault["pointer"] for fault in refusal.body["errors"]]) == (422, [pointer])


async def test_more_time(office: Office) -> None:
    """Decision 3: the member asks, the team grants or declines, one request at a time."""
    sam, team = await office.add_member(), office.staff()
    case = await team.select()
    path = f"/v1/audit/{case}/extension-requests"
    until = f"{office.today() + timedelta(days=90)}"
    early = await sam("POST", path, {"until": f"{office.today() + timedelta(days=1)}", "reason": SECRET})
    assert (early.status, early.body["errors"][0]["pointer"]) == (422, "/until")
    await sam.good("POST", path, {"until": until, "reason": SECRET})
    assert (await sam("POST", path, {"until": until, "reason": SECRET})).problem == "conflict"
    (row,) = (await team.good("GET", "/v1/register/cases"))["items"]
    assert row["extension_pending"]
    assert SECRET not in str(row), "a list has no words of the member's"
    await team.decide(case, "decline_extension")
    await sam.good("POST", path, {"until": until, "reason": "Ill."})
    extension_answer = await team.decide(case, "grant_extension")
    assert extension_answer["due_date"] == until
    assert [extension["decision"] for extension in extension_answer["extensions"]] == ["declined", "granted"]


async def test_a_member_is_selected_once(office: Office) -> None:
    """R53: only members on the Register, only one case that goes on, and no year twice."""
    await office.add_member("m-1")
    await office.add_member("m-2", registered=False)
    team = office.staff()
    case = await team.select("m-1")
    body = {"member_id": "m-1", "period_id": OTHER_PERIOD}
    assert (await team("POST", "/v1/register/cases", body)).problem == "conflict"
    await team.decide(case, "satisfied_elsewhere")
    assert (await team("POST", "/v1/register/cases", {**body, "period_id": PERIOD})).problem == "conflict"
    assert (await team("POST", "/v1/register/cases", body)).status == 201
    for wrong in ({**body, "member_id": "m-2"}, {**body, "member_id": "m-9"}, {**body, "period_id": "2026-05-05"}):
        assert (await team("POST", "/v1/register/cases", wrong)).status == 422


async def test_readiness_is_advice(office: Office) -> None:
    """R45-R47: gaps are named with their labels, and none of them stands in the way."""
    sam, team = await office.add_member(), office.staff()
    case = await team.select()
    empty = await sam.good("GET", f"/v1/audit/{case}/readiness")
    assert len(empty["advice"]) == 2
    entry, item = await sam.entry(draft=False), await sam.plan_item()
    await sam.plan_item(status="not_pursued")
    readiness = await sam.good("GET", f"/v1/audit/{case}/readiness")
    assert [item["id"] for item in readiness["planned_not_logged"]] == [item]
    assert [entry["id"] for entry in readiness["logged_not_planned"]] == [entry]
    assert len(readiness["unexplained"]) == 1
    gaps = {gap["id"]: [field["name"] for field in gap["fields"]] for gap in readiness["missing"]}
    assert "learning" in gaps[entry]
    assert all(field["label"] for gap in readiness["missing"] for field in gap["fields"])
    await sam.submit(case)


async def test_events_tell_ids_states_and_dates(office: Office) -> None:
    """R53: every step is announced once, with nothing in it that the member wrote."""
    sam, team = await office.add_member(), office.staff()
    await sam.record()
    case = await team.select()
    await sam.submit(case)
    await team.decide(case, "return", feedback=SECRET)
    await sam.submit(case)
    await team.decide(case, "close", feedback=SECRET)
    rows = [row for row in await office.services.stores.outbox.pending(100) if row["type"].startswith("audit.")]
    kinds = [row["type"].removeprefix("audit.") for row in rows]
    assert kinds == ["selected", "submitted", "returned", "submitted", "closed"]
    assert {row["data"]["case_id"] for row in rows} == {case}
    assert SECRET not in str(rows)
