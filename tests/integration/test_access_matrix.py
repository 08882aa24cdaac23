"""Every route, by every role, in every situation: who sees a member's words, and that nobody else does (R61-R64).

The rows below are checked against the application's own route table: a new route without a row fails the build.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from aiohttp import FormData

from bridge.settings import Settings
from tests.support.audit import PERIOD, SECRET, Office, Person, Reply, open_office
from tests.support.storage import storage

Sees = Literal["own", "own id", "submitted", "granted", "subject", "nothing", "public"]
"""What a route shows: the caller's ``own`` record; something of it by an ``own id``; what was ``submitted``; what
support was ``granted``; all there is about its ``subject``; ``nothing`` of anybody's words; or what is ``public``."""

MEMBER, REGISTER, SUPPORT, PLATFORM, PRIVACY, OPS = "member", "register", "support", "platform", "privacy", "ops"
STAFF = (REGISTER, SUPPORT, PLATFORM, PRIVACY, OPS)


@dataclass(frozen=True)
class Row:
    """Who may call a route, and what it shows."""

    roles: frozenset[str]
    sees: Sees


def rows(role: str | tuple[str, ...], sees: Sees, *routes: str) -> dict[str, Row]:
    """Make rows that are alike."""
    return {route: Row(frozenset({role} if isinstance(role, str) else role), sees) for route in routes}


MATRIX: dict[str, Row] = {
    **rows(
        MEMBER, "own",
        "GET /v1/me", "GET /v1/periods", "GET /v1/periods/{period_id}", "GET /v1/periods/{period_id}/comments",
        "POST /v1/periods/{period_id}/comments", "GET /v1/plan", "POST /v1/plan", "GET /v1/log", "POST /v1/log",
        "POST /v1/imports/log", "GET /v1/imports/log/template.csv", "GET /v1/exports/log.pdf",
        "GET /v1/exports/plan.pdf", "GET /v1/exports/plan.ics", "GET /v1/exports/log.zip", "GET /v1/exports/record.zip",
        "GET /v1/exports/subject-access.zip", "GET /v1/audit", "GET /v1/support-grants", "POST /v1/support-grants",
        "GET /v1/access-history",
    ),
    **rows(
        MEMBER, "own id",
        "GET /v1/plan/{item_id}", "PATCH /v1/plan/{item_id}", "DELETE /v1/plan/{item_id}",
        "POST /v1/plan/{item_id}/restore", "POST /v1/plan/{item_id}/carry-forward",
        "GET /v1/log/{entry_id}", "PATCH /v1/log/{entry_id}",
        "DELETE /v1/log/{entry_id}", "POST /v1/log/{entry_id}/restore", "POST /v1/log/{entry_id}/copy",
        "PUT /v1/log/{entry_id}/links/{plan_id}", "DELETE /v1/log/{entry_id}/links/{plan_id}",
        "GET /v1/log/{entry_id}/evidence", "POST /v1/log/{entry_id}/evidence", "GET /v1/evidence/{evidence_id}",
        "DELETE /v1/evidence/{evidence_id}", "POST /v1/audit/{case_id}/submission",
        "GET /v1/audit/{case_id}/readiness", "POST /v1/audit/{case_id}/extension-requests",
        "DELETE /v1/support-grants/{grant_id}",
    ),
    **rows(
        REGISTER, "submitted",
        "GET /v1/register/cases/{case_id}/record", "GET /v1/register/cases/{case_id}/record.pdf",
        "GET /v1/register/cases/{case_id}/evidence/{evidence_id}",
    ),
    **rows(
        SUPPORT, "granted",
        "GET /v1/members/{member_id}/periods", "GET /v1/members/{member_id}/periods/{period_id}",
        "GET /v1/members/{member_id}/periods/{period_id}/comments", "GET /v1/members/{member_id}/plan",
        "GET /v1/members/{member_id}/plan/{item_id}", "GET /v1/members/{member_id}/log",
        "GET /v1/members/{member_id}/log/{entry_id}", "GET /v1/members/{member_id}/log/{entry_id}/evidence",
        "GET /v1/members/{member_id}/evidence/{evidence_id}",
    ),
    **rows(PRIVACY, "subject", "GET /v1/members/{member_id}/subject-access.zip"),
    **rows(PRIVACY, "nothing", "POST /v1/members/{member_id}/erasure"),
    **rows(
        REGISTER, "nothing",
        "POST /v1/register/cases", "GET /v1/register/cases", "GET /v1/register/cases/{case_id}",
        "POST /v1/register/cases/{case_id}/decisions", "POST /v1/register/samples",
        "GET /v1/register/samples/{sample_id}",
    ),
    **rows(PLATFORM, "nothing", "GET /v1/members/{member_id}", "PUT /v1/members/{member_id}"),
    **rows(
        OPS, "nothing",
        "GET /v1/ops/queues", "GET /v1/ops/dead-letters", "GET /v1/ops/dead-letters/{letter_id}",
        "POST /v1/ops/dead-letters/{letter_id}/replay", "POST /v1/ops/dead-letters/{letter_id}/discard",
        "POST /v1/ops/dead-letters/replay", "POST /v1/ops/dead-letters/discard", "GET /v1/ops/parked",
        "POST /v1/ops/statements/reconsider", "GET /v1/ops/notices", "POST /v1/ops/notices/{notice_id}/again",
    ),
    **rows(
        (OPS, PLATFORM), "nothing",
        "GET /v1/ops/statements", "GET /v1/ops/statements/{statement_id}", "POST /v1/ops/statements/lookup",
    ),
    **rows((REGISTER, PLATFORM), "nothing", "GET /v1/reports/completions", "GET /v1/reports/use"),
    **rows((MEMBER, *STAFF), "nothing", "GET /v1/forms/{form}"),
    **rows(
        (), "public",
        "GET /health/live", "GET /health/ready", "GET /metrics", "GET /openapi.json", "GET /asyncapi.json", "GET /docs",
        "GET /docs/{file}", "GET /problems/{slug}", "GET /ops", "GET /ops/", "GET /ops/{file}",
    ),
}  # fmt: skip

OTHER_DOOR = "/xapi"
"""The LRS has credentials of its own, and its own tests; it holds statements, never a member's words."""

SITUATIONS = ("nothing", "selected", "submitted", "returned", "closed", "granted", "expired", "revoked", "other's")

BODIES: dict[str, Any] = {
    "PATCH": {"title": "Mine now"},
    "POST /v1/audit/{case_id}/submission": {"declarations": []},
    "POST /v1/audit/{case_id}/extension-requests": {"until": "2100-01-01", "reason": "Why not"},
}


@dataclass
class Scene:
    """A member with a record, in a situation; ``ids`` fill the addresses, and ``words`` say whose member is asked."""

    office: Office
    situation: str
    ids: dict[str, str]

    async def call(self, person: Person, route: str, method: str | None = None) -> Reply:
        """Call a route as somebody, with the member's own ids in the address."""
        http_method, path = route.split(" ")
        form = FormData()
        form.add_field("file", b"x", filename="x.txt", content_type="text/plain")
        upload = form if route == "POST /v1/log/{entry_id}/evidence" else None
        body = upload or BODIES.get(route, BODIES.get(http_method))
        return await person(method or http_method, path.format(**self.ids), body)


@pytest.fixture
async def office(settings: Settings) -> AsyncGenerator[Office]:
    """The API, called by anybody."""
    async with open_office(settings) as desk:
        yield desk


async def scene(office: Office, situation: str) -> Scene:
    """Bring a member's record into a situation; another member has one beside it."""
    sam, kim, team = await office.add_member("m-1"), await office.add_member("m-2"), office.staff()
    record = await sam.record()
    await kim.entry(description="Somebody else's words")
    case = grant = "nothing"
    if situation in {"selected", "submitted", "returned", "closed"}:
        case = await team.select("m-1")
        if situation != "selected":
            await sam.submit(case)
        if situation in {"returned", "closed"}:
            await team.decide(case, "return" if situation == "returned" else "close")
    if situation in {"granted", "expired", "revoked"}:
        grant = await _grant(sam)
    if situation == "revoked":
        await sam.good("DELETE", f"/v1/support-grants/{grant}")
    if situation == "expired":
        grants = storage(office.services).support_grants
        await grants.set({"_id": grant}, expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    if situation == "other's":
        case = await team.select("m-2")
        await kim.submit(case)
        grant = await _grant(kim)
    ids = {"entry_id": record["entry"], "item_id": record["item"], "plan_id": record["item"]}
    ids |= {"evidence_id": record["file"], "period_id": PERIOD, "case_id": case, "grant_id": grant, "member_id": "m-1"}
    rest = dict.fromkeys(("letter_id", "notice_id", "statement_id", "sample_id", "file", "slug"), "nothing")
    return Scene(office, situation, {**ids, **rest, "form": "log"})


async def _grant(member: Person) -> str:
    return (await member.good("POST", "/v1/support-grants", {"reason": "Help.", "hours": 1}))["id"]


def test_every_route_has_a_row(office: Office) -> None:
    """A route that nobody has thought about cannot be added: it has no row, or a row with other roles."""
    app = office.client.app
    assert app is not None
    routes = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource is not None}
    paths = {f"{method} {path}" for method, path in routes if method not in {"HEAD", "OPTIONS", "*"}}
    assert {route for route in paths if not route.split(" ")[1].startswith(OTHER_DOOR)} == set(MATRIX)


async def test_a_role_that_is_not_enough_is_refused(office: Office) -> None:
    """R61: 401 without a token, 403 without the role, on every route, even for a token whose subject is the member."""
    here = await scene(office, "nothing")
    for route, row in MATRIX.items():
        if row.sees == "public":
            continue
        for role in {MEMBER, *STAFF} - row.roles:
            reply = await here.call(Person(office, "m-1", role), route)
            assert (route, role, reply.status) == (route, role, 403)
        anonymous = await office.client.request(route.split(" ")[0], route.split(" ")[1].format(**here.ids))
        assert (route, anonymous.status) == (route, 401)


async def test_nobody_elses_by_any_id(office: Office) -> None:
    """R64: another member's ids are not found, whatever is tried with them, and nothing of theirs changes."""
    here = await scene(office, "selected")
    sam, kim = office.member("m-1"), office.member("m-2")
    before = await sam.good("GET", f"/v1/log/{here.ids['entry_id']}")
    for route in (route for route, row in MATRIX.items() if row.sees == "own id"):
        reply = await here.call(kim, route)
        not_selected = "/audit/" in route
        assert (route, reply.status, reply.problem) == (
            route,
            *((409, "not-selected") if not_selected else (404, "not-found")),
        )
        assert SECRET not in reply.raw.decode()
    assert await sam.good("GET", f"/v1/log/{here.ids['entry_id']}") == before


@pytest.mark.parametrize("situation", SITUATIONS)
async def test_who_sees_a_members_words(office: Office, situation: str) -> None:
    """R62-R64: reads by every role in every situation; staff see words by a right of that moment alone."""
    here = await scene(office, situation)
    people = [office.member("m-2"), *(office.staff(role, subject="m-1") for role in STAFF)]
    for route, row in MATRIX.items():
        if not route.startswith("GET") or row.sees in {"public", "subject"}:
            continue
        for person in people:
            if "/exports/" in route and person.role == MEMBER:
                continue  # the other member's own copies, which have no member in the address
            reply = await here.call(person, route)
            is_visible = person.role in row.roles and row.sees == situation
            case = f"{route} by {person.role}, {situation}: {reply.status}"
            if row.sees in {"submitted", "granted"} and situation != "other's":
                assert reply.status == (200 if is_visible else 404 if person.role in row.roles else 403), case
                assert (await here.call(person, route, "HEAD")).status == reply.status, case
            if not is_visible:
                assert SECRET.encode() not in reply.raw, case


async def test_another_members_right_opens_nothing(office: Office) -> None:
    """R62, R63: one member's case or grant is no key to another's record, by any mixture of ids."""
    here = await scene(office, "other's")
    team, helper, ids = office.staff(), office.staff(SUPPORT), here.ids
    assert (await team("GET", f"/v1/register/cases/{ids['case_id']}/record")).status == 200
    assert (await team("GET", f"/v1/register/cases/{ids['case_id']}/evidence/{ids['evidence_id']}")).status == 404
    for route in (route for route, row in MATRIX.items() if row.sees == "granted"):
        assert (await here.call(helper, route)).status == 404, "the grant is the other member's"
    for path in ("log/{entry_id}", "plan/{item_id}", "log/{entry_id}/evidence", "evidence/{evidence_id}"):
        assert (await helper("GET", f"/v1/members/m-2/{path.format(**ids)}")).status == 404, "and so is the record"


async def test_no_header_or_parameter_changes_who_calls(office: Office) -> None:
    """R64: what a proxy or a curious client may add makes nobody somebody else."""
    here = await scene(office, "nothing")
    kim, entry = office.member("m-2"), f"/v1/log/{here.ids['entry_id']}"
    tricks = {
        "X-Forwarded-User": "m-1",
        "X-Remote-User": "m-1",
        "X-HTTP-Method-Override": "PUT",
        "X-Original-URL": entry,
    }
    assert (await kim("GET", entry, **tricks)).status == 404
    for query in ("member_id=m-1", "sub=m-1", "subject=m-1", "roles=register", "access_token=x"):
        assert (await kim("GET", f"/v1/log?{query}")).status == 422, "an unknown parameter is refused"
        assert (await kim("GET", f"{entry}?{query}")).status in {404, 422}
    for address in (
        "/v1/members/m-2/../m-1/log",
        "/v1/members/m-1%2Flog",
        f"/v1/log/..%2Flog%2F{here.ids['entry_id']}",
    ):
        assert SECRET not in (await kim("GET", address)).raw.decode()
