"""Twenty clients at once on one record: no lost update, no broken reference, counts that are true (issue 4)."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from tests.support.portal import Answer, Browser, Portal, full_entry

CLIENTS = 20
ROUNDS = 8
SUCCESSES = {200, 201, 204}
CONFLICTS = {404, 412}  # somebody deleted it, or changed it, a moment before


async def test_no_update_is_lost(portal: Portal) -> None:
    """R3: twenty clients each add their line to one text, again when told it is stale; every line is there."""
    browser = await portal.member()
    entry = await browser.post("/v1/log", {"learning": ""})
    path = f"/v1/log/{entry['id']}"

    async def add(line: str) -> None:
        while True:
            now = await browser.call("GET", path)
            patch_reply = await browser.call(
                "PATCH", path, {"learning": now.body["learning"] + line}, if_match=now.etag
            )
            if patch_reply.status == 200:
                return
            assert patch_reply.status == 412, patch_reply.body

    await asyncio.gather(*(add(f"line {number}\n") for number in range(CLIENTS)))
    new_entry = await browser.get(path)
    assert sorted(new_entry["learning"].splitlines()) == sorted(f"line {number}" for number in range(CLIENTS))
    assert new_entry["version"] == 1 + CLIENTS


class Client:
    """One client that edits, links, deletes and restores whatever it comes across."""

    def __init__(self, browser: Browser, seed: int, entries: list[str], items: list[str]) -> None:
        self._browser = browser
        self._chance = random.Random(seed)
        self._entries = entries
        self._items = items
        self.edits: dict[str, int] = {}

    async def work(self) -> None:
        """Do a few things in random order."""
        for _ in range(ROUNDS):
            await self._chance.choice((self._edit, self._edit, self._link, self._unlink, self._delete, self._restore))()

    def _any(self) -> str:
        return self._chance.choice([f"/v1/log/{e}" for e in self._entries] + [f"/v1/plan/{i}" for i in self._items])

    def _pair(self) -> str:
        return f"/v1/log/{self._chance.choice(self._entries)}/links/{self._chance.choice(self._items)}"

    async def _edit(self) -> None:
        path = self._any()
        now = await self._browser.call("GET", path)
        if now.status != 200:
            return
        minutes = (now.body["minutes"] or 0) + 1
        if _went_through(await self._browser.call("PATCH", path, {"minutes": minutes}, if_match=now.etag)):
            self.edits[path] = self.edits.get(path, 0) + 1

    async def _link(self) -> None:
        _went_through(await self._browser.call("PUT", self._pair()))

    async def _unlink(self) -> None:
        _went_through(await self._browser.call("DELETE", self._pair()))

    async def _delete(self) -> None:
        _went_through(await self._browser.call("DELETE", self._any(), if_match="*"))

    async def _restore(self) -> None:
        assert (await self._browser.call("POST", f"{self._any()}/restore")).status == 200


def _went_through(answer: Answer) -> bool:
    assert answer.status in SUCCESSES | CONFLICTS, answer.body
    return answer.status in SUCCESSES


@pytest.mark.timeout(180)
async def test_twenty_clients_leave_a_whole_record(portal: Portal) -> None:
    """R47, decision 5: after any mix, edits add up, links agree on both sides, and the counts are what is there."""
    browser = await portal.member()
    entries = [(await browser.post("/v1/log", full_entry(title=f"E{n}")))["id"] for n in range(6)]
    items = [(await browser.post("/v1/plan", {"title": f"I{n}"}))["id"] for n in range(4)]
    clients = [Client(browser, seed, entries, items) for seed in range(CLIENTS)]
    await asyncio.gather(*(client.work() for client in clients))
    await _check_links(browser)
    paths = [f"/v1/log/{e}" for e in entries] + [f"/v1/plan/{i}" for i in items]
    for path in paths:
        await browser.post(f"{path}/restore")
        edits = sum(client.edits.get(path, 0) for client in clients)
        assert ((await browser.get(path))["minutes"] or 0) == edits, "no edit that went through is lost"
    await _check_links(browser)
    await _check_counts(browser)


async def _check_links(browser: Browser) -> None:
    entries = {row["id"]: row for row in await browser.pages("/v1/log?period=all")}
    items = {row["id"]: row for row in await browser.pages("/v1/plan?limit=200")}
    of_entries = {(e, i) for e, row in entries.items() for i in row["plan_ids"]}
    of_items = {(e, i) for i, row in items.items() for e in row["log_ids"]}
    assert of_entries == of_items
    assert all(e in entries and i in items for e, i in of_entries), "every reference is to what can be read"


async def _check_counts(browser: Browser) -> None:
    period: dict[str, Any] = await browser.get("/v1/periods/current")
    rows = await browser.pages("/v1/log?period=2026-04-01")
    full = [await browser.get(f"/v1/log/{row['id']}") for row in rows]
    assert period["counts"]["total"] == len(rows) == (await browser.get("/v1/log?period=2026-04-01"))["total"]
    assert period["counts"]["complete"] == sum(row["complete"] for row in rows)
    assert period["minutes"] == sum(row["minutes"] or 0 for row in full)
    assert period["unlinked"]["logged_not_planned"] == sum(not row["plan_ids"] for row in rows)
