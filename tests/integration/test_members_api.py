"""What the membership system tells of a member, and reads back (R82): leave, language, and where the member stands."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from bridge.domain.members.messages import MemberLeft
from bridge.settings import Settings
from tests.support.audit import SECRET, Office, open_office
from tests.support.statements import member

PATH = "/v1/members/m-1"
LEAVE = [{"from": "2026-09-01", "to": "2026-09-30"}, {"from": "2027-01-01", "to": "2027-01-01"}]


@pytest.fixture
async def office(settings: Settings) -> AsyncGenerator[Office]:
    """The API, called by anybody."""
    async with open_office(settings) as staff_office:
        yield staff_office


async def test_a_member_is_read_back_as_told(office: Office) -> None:
    """As in the PUT, leave in order, with the version as ETag; and nothing of the record."""
    platform = office.staff("platform")
    body = {**member("1001"), "language": "cy", "leave": LEAVE[::-1]}
    answer = await platform.good("PUT", PATH, body)
    await office.member("m-1").record()
    reply = await platform("GET", PATH)
    expected = {**body, "leave": LEAVE, "member_id": "m-1", "revision": None, "state": "active", "state_since": None}
    assert {name: reply.body[name] for name in expected} == expected
    assert (reply.body, reply.headers["ETag"]) == (answer, '"1"')
    assert SECRET not in reply.raw.decode()
    assert (await platform("GET", PATH, **{"If-None-Match": '"1"'})).status == 304
    assert (await platform("GET", "/v1/members/nobody")).problem == "not-found"


async def test_a_member_who_left_or_was_erased_is_said_to_be(office: Office) -> None:
    """A member who left is shown as last told; of one who was erased nothing is known but that."""
    platform, membership = office.staff("platform"), office.services.members
    await office.add_member("m-1", leave=LEAVE)
    await membership.apply(MemberLeft(member_id="m-1", revision=7))
    left = await platform.good("GET", PATH)
    assert (left["state"], left["revision"], left["leave"]) == ("left", 7, LEAVE)
    assert left["state_since"]
    await office.staff("privacy").good("POST", f"{PATH}/erasure")
    erased_body = await platform.good("GET", PATH)
    assert erased_body == {"member_id": "m-1", "state": "erased", "state_since": erased_body["state_since"]}


IMPOSSIBLE_LEAVE: list[tuple[list[dict[str, Any]], str]] = [
    ([{"from": "2026-09-02", "to": "2026-09-01"}], "/leave/0/to"),
    ([{"from": "2026-09-01"}], "/leave/0/to"),
    ([{"from": "2026-09-01", "to": "2026-02-30"}], "/leave/0/to"),
    ([{"from": "2026-09-01", "to": "2026-09-30"}, {"from": "2026-09-30", "to": "2026-10-01"}], "/leave"),
    ([{"start": "2026-09-01", "from": "2026-09-01", "to": "2026-09-01"}], "/leave/0/start"),
]


async def test_leave_that_cannot_be_is_refused_by_name(office: Office, subtests: pytest.Subtests) -> None:
    """Swapped, halved, no day, or twice on leave at once."""
    for leave, pointer in IMPOSSIBLE_LEAVE:
        with subtests.test(leave=leave):
            reply = await office.staff("platform")("PUT", PATH, {**member("1001"), "leave": leave})
            assert (reply.status, [fault["pointer"] for fault in reply.body["errors"]]) == (422, [pointer])
