"""Who may see what, and the log of who did (R61-R64, invariants 5 and 6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from itertools import product
from typing import Any

import pytest

from bridge import wiring
from bridge.domain.members.identifiers import id_key
from bridge.domain.privacy.access import CHAINS, Access, AccessLogRow, Reader, Right
from bridge.settings import Settings
from tests.support.audit import PERIOD, SECRET, Office, Person, open_office
from tests.support.life import holds
from tests.support.storage import Rows, storage


@pytest.fixture
async def desk(settings: Settings) -> AsyncGenerator[Office]:
    """The API, called by anybody."""
    async with open_office(settings) as staff_office:
        yield staff_office


async def history(member: Person) -> list[dict[str, Any]]:
    """The member's access history, newest first."""
    return (await member.good("GET", "/v1/access-history"))["items"]


async def test_the_register_team_reads_only_what_is_submitted(desk: Office) -> None:
    """R62: the snapshot only while the case is submitted; before, after, and for another's file it is not there."""
    sam, team = await desk.add_member(), desk.staff()
    ids = await sam.record()
    stranger = await sam.file(await sam.entry("2025-05-04"))
    case = await team.select()
    record, file = f"/v1/register/cases/{case}/record", f"/v1/register/cases/{case}/evidence/{ids['file']}"

    async def readable() -> tuple[int, int]:
        return (await team("GET", record)).status, (await team("GET", file)).status

    assert await readable() == (404, 404)
    await sam.submit(case)
    assert await readable() == (200, 200)
    assert (await team("GET", f"/v1/register/cases/{case}/evidence/{stranger}")).status == 404
    await team.decide(case, "return")
    assert await readable() == (404, 404)
    await sam.submit(case)
    await team.decide(case, "close")
    assert await readable() == (404, 404)


async def test_each_read_is_noted_in_plain_words(desk: Office) -> None:
    """R64: the member sees which team read which part by which right, and who was refused; never who by name."""
    sam, team = await desk.add_member(), desk.staff(subject="jo.bloggs")
    ids = await sam.record()
    case = await team.select()
    assert (await team("GET", f"/v1/register/cases/{case}/record")).status == 404
    await sam.submit(case)
    await team.good("GET", f"/v1/register/cases/{case}/record")
    await team("GET", f"/v1/register/cases/{case}/evidence/{ids['file']}")
    file, record, refusals = await history(sam)
    assert (file["parts"], record["parts"], refusals["parts"]) == (["evidence"], ["submission"], [])
    assert record["right"] == {"kind": "audit case", "id": case}
    assert (record["allowed"], refusals["allowed"], refusals["right"]["kind"]) == (True, False, "none")
    assert "the Register assessment team read the record that you submitted" in record["text"]
    assert "jo.bloggs" not in str([file, record, refusals])


async def test_nothing_is_shown_that_could_not_be_noted(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant 5: the log has the read before the data leaves; when it cannot, nothing leaves."""
    sam, team = await desk.add_member(), desk.staff()
    await sam.record()
    case = await team.select()
    await sam.submit(case)
    heads = storage(desk.services).access_heads
    genuine = await heads.all()
    await heads.delete()
    reply = await team("GET", f"/v1/register/cases/{case}/record")
    assert (reply.status, SECRET in reply.raw.decode()) == (500, False)
    await heads.insert(genuine)
    assert (await team("GET", f"/v1/register/cases/{case}/record")).status == 200


async def test_a_right_that_ends_meanwhile_shows_nothing(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant 5: the right has to be there when the data leaves, not only when the read was noted."""
    sam, team, helper = await desk.add_member(), desk.staff(), desk.staff("support")
    await sam.record()
    case = await team.select()
    await sam.submit(case)
    grant = await sam.good("POST", "/v1/support-grants", {"reason": "Help.", "hours": 1})
    access_log = desk.services.stores.access_log
    add = access_log.add

    async def slowly(access: Access) -> AccessLogRow:
        row = await add(access)
        if access.right.kind == "audit_case":
            await team.decide(case, "close")
        if access.right.kind == "support_grant":
            await sam.good("DELETE", f"/v1/support-grants/{grant['id']}")
        return row

    monkeypatch.setattr(access_log, "add", slowly)
    assert (await team("GET", f"/v1/register/cases/{case}/record")).status == 404
    assert (await helper("GET", f"/v1/members/m-1/log?period={PERIOD}")).status == 404
    assert [row["allowed"] for row in await history(sam)] == [False, True, False, True], "noted, and then refused"


async def test_what_was_taken_back_meanwhile_is_not_shown(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Returned, changed and submitted again while the read is noted: the submission of before stays unseen."""
    sam, team = await desk.add_member(), desk.staff()
    entry = await sam.entry(title="a name by mistake")
    case = await team.select()
    await sam.submit(case)
    record_read = desk.services.access.record_read

    async def slow(*arguments: Any, **options: Any) -> None:
        await record_read(*arguments, **options)
        monkeypatch.setattr(desk.services.access, "record_read", record_read)
        await team.decide(case, "return")
        await sam.good("PATCH", f"/v1/log/{entry}", {"title": "taken out"})
        await sam.submit(case)

    monkeypatch.setattr(desk.services.access, "record_read", slow)
    path = f"/v1/register/cases/{case}/record"
    assert (await desk.staff(subject="other")("GET", path)).status == 404
    again = await desk.staff(subject="other")("GET", path)
    assert (again.status, b"a name by mistake" in again.raw) == (200, False)


async def test_words_in_an_address_are_not_kept(desk: Office) -> None:
    """What support writes in place of an id does not get into the access log, which is never changed."""
    sam = await desk.add_member()
    await sam.good("POST", "/v1/support-grants", {"reason": "x", "hours": 1})
    await desk.staff("support")("GET", "/v1/members/m-1/log/Sam%20is%20unwell%20again")
    rows = await storage(desk.services).access_log.all()
    assert rows
    assert not [row for row in rows if "unwell" in str(row)]


UNSORTED_LISTS: list[str] = ["/v1/audit", "/v1/support-grants", "/v1/access-history"]


async def test_a_list_with_one_order_takes_no_sort(desk: Office, subtests: pytest.Subtests) -> None:
    """A sort that would be ignored is refused, naming the parameter."""
    for path in UNSORTED_LISTS:
        with subtests.test(path):
            sam = await desk.add_member()
            refusal = await sam("GET", f"{path}?sort=-nonsense")
            assert (refusal.status, refusal.body["errors"][0]["pointer"]) == (422, "?sort")


async def test_support_reads_under_a_live_grant_alone(desk: Office) -> None:
    """R63: every read call of the member's, under the grant; revoking works at once, and so does its end."""
    sam, helper = await desk.add_member(), desk.staff("support")
    ids = await sam.record()
    paths = {
        "plan": "plan", "plan_item": f"plan/{ids['item']}", "log": f"log?period={PERIOD}",
        "log_entry": f"log/{ids['entry']}", "evidence_list": f"log/{ids['entry']}/evidence",
        "evidence": f"evidence/{ids['file']}", "periods": "periods", "period": f"periods/{PERIOD}",
        "comments": f"periods/{PERIOD}/comments",
    }  # fmt: skip

    async def statuses() -> set[int]:
        return {(await helper("GET", f"/v1/members/m-1/{path}")).status for path in paths.values()}

    assert await statuses() == {404}
    grant = await sam.good("POST", "/v1/support-grants", {"reason": "It does not save.", "hours": 1})
    for path in paths.values():
        helper_view, member_view = await helper("GET", f"/v1/members/m-1/{path}"), await sam("GET", f"/v1/{path}")
        assert (helper_view.status, helper_view.raw) == (200, member_view.raw), path
    rows = (await history(sam))[: len(paths)]
    assert [row["parts"] for row in reversed(rows)] == [[part] for part in paths]
    assert {row["right"]["id"] for row in rows} == {grant["id"]}
    await sam.good("DELETE", f"/v1/support-grants/{grant['id']}")
    assert await statuses() == {404}
    again = await sam.good("POST", "/v1/support-grants", {"reason": "Once more.", "hours": 1})
    assert await statuses() == {200}
    grants = storage(desk.services).support_grants
    past = (await grants.get(grant["id"]))["created_at"]
    await grants.set({"_id": again["id"]}, expires_at=past)
    assert await statuses() == {404}
    states = [grant["state"] for grant in (await sam.good("GET", "/v1/support-grants"))["items"]]
    assert states == ["expired", "revoked"]


async def test_a_grant_lets_nobody_write_and_nobody_else_in(desk: Office) -> None:
    """R63: the grant is for reading, for one member's record, and for the support role."""
    sam, kim = await desk.add_member("m-1"), await desk.add_member("m-2")
    ids, kim_ids = await sam.record(), await kim.record()
    await sam.good("POST", "/v1/support-grants", {"reason": "Help.", "hours": 1})
    helper = desk.staff("support")
    assert (await helper("PATCH", f"/v1/members/m-1/log/{ids['entry']}", {"title": "x"})).status == 405
    assert (await helper("GET", f"/v1/members/m-1/log/{kim_ids['entry']}")).status == 404
    assert (await helper("GET", f"/v1/members/m-2/log/{kim_ids['entry']}")).status == 404
    assert (await helper("GET", f"/v1/log/{ids['entry']}")).status == 403
    assert (await desk.staff("register")("GET", "/v1/members/m-1/log")).status == 403
    assert (await kim("GET", "/v1/members/m-1/log")).status == 403
    assert (await kim("DELETE", f"/v1/support-grants/{(await history(sam))[0]['right']['id']}")).status == 404


async def test_denials_are_noted(desk: Office) -> None:
    """Access logging: a role that is not enough, and an id that is not the caller's, leave a row each."""
    sam, kim = await desk.add_member("m-1"), await desk.add_member("m-2")
    entry = await sam.entry()
    for person, path in (
        (kim, f"/v1/log/{entry}"), (kim, "/v1/members/m-1/plan"), (desk.staff("ops"), "/v1/register/cases"),
        (desk.staff("support"), "/v1/members/m-1/log"), (desk.staff(), "/v1/register/cases/nothing/record"),
    ):  # fmt: skip
        assert (await person("GET", path)).status in {403, 404}
    rows = await storage(desk.services).access_log.all(by="at")
    key, kims = [await desk.services.stores.erasure_key.tombstone(id_key(member_id)) for member_id in ("m-1", "m-2")]
    assert [(row["subject"], row["status"], row["member_key"]) for row in rows] == [
        (kims, 404, None), (kims, 403, key), ("staff-1", 403, None),
        ("staff-1", 404, key), ("staff-1", 404, None),
    ]  # fmt: skip
    refused_rows = await history(sam)
    assert [row["reader"] for row in refused_rows] == ["the support team", "a member"]
    assert await history(kim) == []


REFUSED_PATHS = ("/v1/log/my-divorce", "/v1/members/m-2/plan", "/v1/members/Sam/log/my-divorce")


async def test_nothing_of_a_refused_call_names_anybody(desk: Office) -> None:
    """A member who calls is in the log by tombstone, whatever the role; nothing that anybody typed is; it is told."""
    await desk.add_member("m-2")
    for count, (path, role) in enumerate(product(REFUSED_PATHS, ("member", "nobody", "support")), start=1):
        assert (await desk.staff(role, subject="m-2")("GET", path)).status in {403, 404}
        rows = await storage(desk.services).access_log.all()
        assert len(rows) == count, (path, role)
        assert not any(holds(rows, word) for word in ("m-2", "divorce", "Sam"))
        statuses = [row["status"] async for row in desk.services.access.refused_calls("m-2")]
        assert sorted(statuses) == sorted(row["status"] for row in rows)
        assert [row async for row in desk.services.access.refused_calls("m-1")] == []


async def test_what_was_not_found_was_not_read(desk: Office) -> None:
    """A support call that ends in 404, 409 or 422 shows nothing, and is not told as a read."""
    sam, helper = await desk.add_member(), desk.staff("support")
    ids = await sam.record()
    files = storage(desk.services).evidence_files
    await files.set({"_id": ids["file"]}, state="rejected")
    await sam.good("POST", "/v1/support-grants", {"reason": "Help.", "hours": 1})
    paths = (
        "log/none", "plan/none", "periods/none", "evidence/none", "log/none/evidence", "log?period=1999-01-01",
        "log?sort=nonsense", "log?cursor=nonsense", f"evidence/{ids['file']}", "periods/none/comments",
    )  # fmt: skip
    for path in paths:
        assert (await helper("GET", f"/v1/members/m-1/{path}")).status in {400, 404, 409, 422}, path
    assert not any(row["allowed"] for row in await history(sam))
    await helper.good("GET", f"/v1/members/m-1/log/{ids['entry']}")
    assert [row["parts"] for row in await history(sam) if row["allowed"]] == [["log_entry"]]


READER = Reader("staff-1", ("register",), "GET /v1/register/cases/{case_id}/record", "c-1")


async def note(services: wiring.Services, count: int, member: str = "m-1") -> None:
    """Note reads, one after another."""
    for number in range(count):
        await services.access.record_read(READER, member, Right("audit_case", f"case-{number}"), ("submission",))


async def test_writers_in_several_processes_make_one_chain(settings: Settings) -> None:
    """Invariant 6: rows noted at once by services that share nothing but the store follow one another."""
    async with wiring.services(settings) as first_services, wiring.services(settings) as two:
        await first_services.stores.prepare()
        await asyncio.gather(
            *[note(services, 10, f"m-{n % 2}") for n, services in enumerate((first_services, two) * 4)]
        )
        verdict = await two.access.verify()
        assert (verdict.faults, verdict.rows) == ([], 80)
        assert sum(head["seq"] for head in verdict.heads) == 80
        assert len(verdict.heads) == CHAINS


async def _swap(rows: Rows, _: Rows) -> None:
    third, fourth = await rows.all({"seq": {"$in": [3, 4]}}, by="seq")
    await rows.delete({"seq": {"$in": [3, 4]}})
    ids = [{name: row[name] for name in ("_id", "seq")} for row in (third, fourth)]
    await rows.insert([{**third, **ids[1]}, {**fourth, **ids[0]}])


TAMPERINGS: dict[str, Callable[[Rows, Rows], Awaitable[None]]] = {
    "row 5: changed": lambda rows, _: rows.set({"seq": 5}, subject="nobody"),
    "row 6: changed": lambda rows, _: rows.set({"seq": 6}, member_key="0" * 64),
    "row 7: changed": lambda rows, _: rows.set({"seq": 7}, order__at__key=""),
    "rows 4 to 4: removed": lambda rows, _: rows.delete({"seq": 4}),
    "rows 1 to 2: removed": lambda rows, _: rows.delete({"seq": {"$in": [1, 2]}}),
    "rows 9 to 10: removed from the end": lambda rows, _: rows.delete({"seq": {"$in": [9, 10]}}),
    "rows 1 to 10: removed from the end": lambda rows, _: rows.delete(),
    "row 3: does not follow": _swap,
    "its head is missing": lambda _, heads: heads.delete({"seq": 10}),
    "its head says otherwise": lambda _, heads: heads.set({"seq": 10}, hash="0" * 64),
}
"""Ways to falsify a chain of ten rows and its heads, by what the verdict has to say."""


async def test_every_tampering_is_found(settings: Settings, subtests: pytest.Subtests) -> None:
    """The command finds any changed, removed or reordered row, also at the end of a chain, and names it."""
    async with wiring.services(settings) as services:
        await services.stores.prepare()
        await note(services, 10)
        rows, heads = storage(services).access_log, storage(services).access_heads
        genuine_rows, genuine_heads = await rows.all(), await heads.all()
        for fault, tamper in TAMPERINGS.items():
            with subtests.test(fault):
                assert (await services.access.verify()).faults == []
                await tamper(rows, heads)
                faults = (await services.access.verify()).faults
                assert any(fault in text for text in faults), faults
            for collection, genuine in ((rows, genuine_rows), (heads, genuine_heads)):
                await collection.delete()
                await collection.insert(genuine)


async def test_noted_heads_find_a_forged_end(settings: Settings) -> None:
    """Who may write to the whole database can cut a chain and its head; not what was printed before."""
    async with wiring.services(settings) as services:
        await services.stores.prepare()
        await note(services, 10)
        early_heads = tuple((await services.access.verify()).heads)
        rows, heads = storage(services).access_log, storage(services).access_heads
        await rows.delete({"seq": {"$gt": 8}})
        await heads.set({"seq": 10}, seq=8, hash=(await rows.first({"seq": 8}))["hash"])
        assert (await services.access.verify()).faults == []
        assert any("removed from the end" in fault for fault in (await services.access.verify(early_heads)).faults)
        await note(services, 2)
        assert any(
            "not the one that was noted" in fault for fault in (await services.access.verify(early_heads)).faults
        )


async def test_no_row_names_the_member(settings: Settings) -> None:
    """Invariants 6 and 8: a row has the member by a keyed tombstone, so that an erasure need not touch it."""
    async with wiring.services(settings) as services:
        await services.stores.prepare()
        await note(services, 3)
        rows = await storage(services).access_log.all()
        assert not holds(rows, "m-1")
        page = await services.access.history("m-1", 2, None)
        assert (page.total, len(page.items)) == (3, 2)
        assert len((await services.access.history("m-1", 2, page.next)).items) == 1
        assert (await services.access.history("m-2", 2, None)).total == 0
