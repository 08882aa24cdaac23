"""Links between plan and log (R47, R48, R58)."""

from __future__ import annotations

from typing import Any

from tests.support.portal import Browser, Portal, full_entry, full_item


async def linked(browser: Browser) -> tuple[dict[str, Any], dict[str, Any]]:
    """An entry and an item that are linked, as they are shown."""
    entry = await browser.post("/v1/log", full_entry())
    item = await browser.post("/v1/plan", full_item())
    await browser.link(entry, item)
    return await browser.get(f"/v1/log/{entry['id']}"), await browser.get(f"/v1/plan/{item['id']}")


async def unlinked(browser: Browser) -> tuple[int, int]:
    """The counts of planned, not logged, and of logged, not planned."""
    counts = (await browser.get("/v1/periods/current"))["unlinked"]
    return counts["planned_not_logged"], counts["logged_not_planned"]


async def test_both_sides_show_a_link(portal: Portal) -> None:
    """R47, R48: a link is shown on both sides, each with a new version; saying it again changes nothing."""
    browser = await portal.member()
    entry, item = await linked(browser)
    assert (entry["plan_ids"], item["log_ids"]) == ([item["id"]], [entry["id"]])
    assert (entry["version"], item["version"]) == (2, 2)
    await browser.link(entry, item)
    assert await browser.get(f"/v1/log/{entry['id']}") == entry
    path = f"/v1/log/{entry['id']}/links/{item['id']}"
    assert [(await browser.call("DELETE", path)).status for _ in range(2)] == [204, 204]
    assert (await browser.get(f"/v1/log/{entry['id']}"))["plan_ids"] == []
    assert (await browser.get(f"/v1/plan/{item['id']}"))["version"] == 3


async def test_links_are_many_to_many(portal: Portal) -> None:
    """R47: an entry meets several needs, and a need has several entries."""
    browser = await portal.member()
    entries = [await browser.post("/v1/log", full_entry()) for _ in range(2)]
    items = [await browser.post("/v1/plan", full_item()) for _ in range(2)]
    for entry in entries:
        for item in items:
            await browser.link(entry, item)
    assert (await browser.get(f"/v1/log/{entries[0]['id']}"))["plan_ids"] == [item["id"] for item in items]
    assert (await browser.get(f"/v1/plan/{items[1]['id']}"))["log_ids"] == [entry["id"] for entry in entries]


async def test_what_is_not_linked_can_be_seen(portal: Portal) -> None:
    """R47, R59: planned with nothing logged, and logged without a plan, are counted and listed; given up is neither."""
    browser = await portal.member()
    entry, item = await linked(browser)
    loose = await browser.post("/v1/log", full_entry(title="Loose"))
    await browser.post("/v1/plan", full_item(title="Open"))
    await browser.post("/v1/plan", full_item(title="Given up", status="not_pursued"))
    await browser.post("/v1/plan", full_item(title="Last year", start_date="2025-05-01", completion_date="2025-06-01"))
    assert await unlinked(browser) == (1, 1)
    assert [row["id"] for row in (await browser.get("/v1/log?linked=true"))["items"]] == [entry["id"]]
    assert [row["id"] for row in (await browser.get("/v1/log?linked=false"))["items"]] == [loose["id"]]
    assert [row["id"] for row in (await browser.get("/v1/plan?linked=true"))["items"]] == [item["id"]]
    titles = [row["title"] for row in (await browser.get("/v1/plan?linked=false&period=current&sort=-title"))["items"]]
    assert titles == ["Open", "Given up"]


async def test_deleting_either_side_leaves_no_dangling_link(portal: Portal) -> None:
    """Decision 5: what is shown names live records only, and restoring brings the link back."""
    browser = await portal.member()
    entry, item = await linked(browser)
    for deleted_side, second, side in (
        (f"/v1/log/{entry['id']}", f"/v1/plan/{item['id']}", "log_ids"),
        (f"/v1/plan/{item['id']}", f"/v1/log/{entry['id']}", "plan_ids"),
    ):
        await browser.delete(deleted_side)
        assert (await browser.get(second))[side] == []
        assert (await browser.call("PUT", f"/v1/log/{entry['id']}/links/{item['id']}")).status == 404
        await browser.post(f"{deleted_side}/restore")
        assert (await browser.get(second))[side] == [deleted_side.rpartition("/")[2]]
    assert await unlinked(browser) == (0, 0)


async def test_a_link_survives_both_sides_going_and_coming(portal: Portal) -> None:
    """Decision 5: in whichever order both are deleted and restored, the link is back when both are."""
    browser = await portal.member()
    entry, item = await linked(browser)
    paths = [f"/v1/log/{entry['id']}", f"/v1/plan/{item['id']}"]
    for deleting in (paths, paths[::-1]):
        for restoring in (paths, paths[::-1]):
            for path in deleting:
                await browser.delete(path)
            await browser.post(f"{restoring[0]}/restore")
            answer = await browser.get(restoring[0])
            assert answer.get("plan_ids", answer.get("log_ids")) == []
            await browser.post(f"{restoring[1]}/restore")
            assert (await browser.get(paths[0]))["plan_ids"] == [item["id"]]
            assert (await browser.get(paths[1]))["log_ids"] == [entry["id"]]


async def test_links_stay_within_one_record(portal: Portal) -> None:
    """R64: nobody links, or unlinks, what is another's."""
    sam, kim = await portal.member("m-1"), await portal.member("m-2")
    entry, item = await linked(sam)
    second = await kim.post("/v1/plan", full_item())
    for path in (
        f"/v1/log/{entry['id']}/links/{second['id']}",
        f"/v1/log/{entry['id']}/links/none",
        f"/v1/log/none/links/{item['id']}",
    ):
        assert (await sam.call("PUT", path)).status == 404
        assert (await kim.call("DELETE", path)).status == 404
    assert (await kim.call("DELETE", f"/v1/log/{entry['id']}/links/{item['id']}")).status == 404
    assert (await sam.get(f"/v1/log/{entry['id']}"))["plan_ids"] == [item["id"]]


async def test_links_of_a_frozen_year_do_not_change(portal: Portal) -> None:
    """R56, R58: neither making nor breaking a link, nor deleting the open side, touches what was submitted."""
    browser = await portal.member()
    old = await browser.post("/v1/log", full_entry(date="2025-05-04"))
    item = await browser.post("/v1/plan", full_item())
    second = await browser.post("/v1/plan", full_item())
    await browser.link(old, item)
    await portal.freeze("m-1", "2025-04-01", "2025-04-01", "2026-03-31")
    refusals = [
        await browser.call("PUT", f"/v1/log/{old['id']}/links/{second['id']}"),
        await browser.call("DELETE", f"/v1/log/{old['id']}/links/{item['id']}"),
        await browser.call("DELETE", f"/v1/plan/{item['id']}", if_match="*"),
    ]
    assert [answer.slug for answer in refusals] == ["record-frozen"] * 3
    assert (await browser.get(f"/v1/log/{old['id']}"))["plan_ids"] == [item["id"]]
