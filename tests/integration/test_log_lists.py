"""Lists of the log: every filter and sort together, against a plain reading of the same entries (R17-R23, R30, R43)."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.portal import Browser, Portal, full_entry

Row = dict[str, Any]

WORDS = ("grief", "Group", "garden", "Überblick", "supervision", "Super", "child", "Café", "éclair", "naïve")
TYPES = ("course", "other", "reading_and_research", "learning_centre_content", None)
DAYS = ("2026-05-04", "2026-05-04", "2026-06-30", "2026-11-01", "2026-03-31", "2025-04-01", "2024-02-29", None)
PERIODS = ("current", "all", "2026-04-01", "2025-04-01", "2023-04-01")
SORTS = ("date", "title", "type", "complete")


def entry_of(chance: random.Random) -> Row:
    """An entry as a member might write it, gaps and all."""
    title = None if chance.random() < 0.1 else " ".join(chance.sample(WORDS, 2))
    body = full_entry(title=title, type=chance.choice(TYPES), date=chance.choice(DAYS), draft=chance.random() < 0.4)
    return body | {"learning": chance.choice((None, "x", " ".join(chance.sample(WORDS, 3))))}


async def filled(portal: Portal, number: int = 40) -> tuple[Browser, list[Row]]:
    """A member with entries, every second of them linked, and the entries as they are read one by one."""
    chance = random.Random(20260504)
    browser = await portal.member()
    item = await browser.post("/v1/plan", {})
    entries = [await browser.post("/v1/log", entry_of(chance)) for _ in range(number)]
    for entry in entries[::2]:
        await browser.link(entry, item)
    return browser, [await browser.get(f"/v1/log/{entry['id']}") for entry in entries]


def folded(text: str) -> str:
    """Text without case and accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()


def has(row: Row, q: str) -> bool:
    """Whether each word of ``q`` begins a word of any text of the entry."""
    label = LABELS.get(row["type"], "")
    texts = folded(" ".join([label, *(str(row[name]) for name in TEXTS if isinstance(row[name], str))]))
    words = texts.replace(".", " ").replace("_", " ").replace("-", " ").split()
    return all(any(word.startswith(term) for word in words) for term in folded(q).split())


TEXTS = {"title", "description", "reason", "learning", "evaluation", "impact_on_practice", "reference"}
LABELS = {"course": "Course", "reading_and_research": "Reading and research", "other": "Other"}

MEANS: dict[str, Callable[[Row, Any], bool]] = {
    "q": has,
    "date_from": lambda row, day: row["date"] is not None and row["date"] >= day,
    "date_to": lambda row, day: row["date"] is not None and row["date"] <= day,
    "type": lambda row, kind: row["type"] == kind,
    "source": lambda row, source: row["source"] == source,
    "draft": lambda row, flag: row["draft"] is flag,
    "complete": lambda row, flag: row["complete"] is flag,
    "needs_attention": lambda row, flag: row["complete"] is not flag,
    "linked": lambda row, flag: bool(row["plan_ids"]) is flag,
}
FILTERS: dict[str, tuple[Any, ...]] = {
    "q": ("gri", "GROUP", "uber", "super", "cafe ecl", "my", "L1", "research gr", "learning", "2026", "nothing"),
    "date_from": ("2025-04-01", "2026-05-04", "2026-12-01"),
    "date_to": ("2026-05-04", "2025-04-01"),
    "type": ("course", "other"),
    "source": ("manual", "learning_centre"),
    "draft": (True, False),
    "complete": (True, False),
    "needs_attention": (True, False),
    "linked": (True, False),
}


def in_period(row: Row, period: str) -> bool:
    """R17, R76: the current period's list has what has no date too."""
    if period == "all":
        return True
    return row["period_id"] in ({"2026-04-01", None} if period == "current" else {period})


def ordered(rows: list[Row], sort: list[str]) -> list[list[str]]:
    """The rows' sort values, in order: empty ones last in both directions."""
    for name in reversed(sort):
        field, descending = name.removeprefix("-"), name.startswith("-")
        filled_in = sorted((r for r in rows if key(r, field)), key=lambda r: key(r, field), reverse=descending)
        rows = filled_in + [r for r in rows if not key(r, field)]
    return [[key(row, name.removeprefix("-")) for name in sort] for row in rows]


def key(row: Row, field: str) -> str:
    """What a row is sorted by."""
    return "" if row[field] is None else folded(str(row[field]))


async def test_every_filter_and_sort_together(portal: Portal) -> None:
    """R17, R19-R22, R30, R47: 80 queries of any filters, sorts and page sizes read as a plain reading does."""
    browser, rows = await filled(portal)
    chance = random.Random(7)
    rows_seen = 0
    for _ in range(80):
        period = chance.choice(PERIODS)
        filters = {name: chance.choice(FILTERS[name]) for name in chance.sample(sorted(FILTERS), chance.randint(0, 3))}
        sort = [chance.choice(("", "-")) + name for name in chance.sample(SORTS, chance.randint(1, 3))]
        expected = [
            row for row in rows if in_period(row, period) and all(MEANS[name](row, v) for name, v in filters.items())
        ]
        query_fields = {"period": period, "sort": ",".join(sort), "limit": chance.choice((1, 7, 200)), **filters}
        query = urlencode({name: str(v).lower() if isinstance(v, bool) else v for name, v in query_fields.items()})
        listing = await browser.pages(f"/v1/log?{query}")
        assert sorted(row["id"] for row in listing) == sorted(row["id"] for row in expected), query
        assert [[key(row, name.removeprefix("-")) for name in sort] for row in listing] == ordered(expected, sort), (
            query
        )
        assert (await browser.get(f"/v1/log?{query}"))["total"] == len(expected), query
        rows_seen += len(expected)
    assert rows_seen > 300, "the queries find something"


async def test_a_row_shows_what_the_list_needs(portal: Portal) -> None:
    """R23, R24: title, type, date, draft and complete, with the id that opens the record; no long text."""
    browser = await portal.member()
    entry = await browser.post("/v1/log", full_entry())
    (row,) = (await browser.get("/v1/log"))["items"]
    assert {"id", "title", "type", "date", "draft", "complete", "reference", "source"} <= row.keys()
    assert row == {name: entry[name] for name in row}
    assert "learning" not in row


WRONG_PARAMETERS: list[tuple[str, str]] = [
    ("sort=colour", "sort"),
    ("sort=date,-date", "sort"),
    ("date_from=yesterday", "date_from"),
    ("draft=maybe", "draft"),
    ("source=elsewhere", "source"),
    ("limit=0", "limit"),
    ("limit=201", "limit"),
    ("cursor=AAAA", "cursor"),
    ("colour=red", "colour"),
]


async def test_a_wrong_parameter_is_named(portal: Portal, subtests: pytest.Subtests) -> None:
    """Unknown and wrong parameters are 422, naming the parameter."""
    for query, parameter in WRONG_PARAMETERS:
        with subtests.test(query):
            browser = await portal.member()
            answer = await browser.call("GET", f"/v1/log?{query}")
            assert answer.status == 422
            assert parameter in answer.faults


async def test_a_cursor_is_bound_to_its_query_and_member(portal: Portal) -> None:
    """A cursor taken to another query, or by another member, is refused."""
    browser, _ = await filled(portal, 5)
    colleague = await portal.member("m-2")
    cursor = (await browser.get("/v1/log?period=all&limit=2"))["next"]
    assert (await browser.call("GET", f"/v1/log?period=all&limit=2&cursor={cursor}")).status == 200
    assert (await browser.call("GET", f"/v1/log?period=all&limit=2&draft=true&cursor={cursor}")).status == 422
    assert (await colleague.call("GET", f"/v1/log?period=all&limit=2&cursor={cursor}")).status == 422


@pytest.mark.parametrize("sort", ["date", "-date", "title", "-title", "type,-date", "-complete"])
async def test_pages_neither_repeat_nor_skip_while_others_write(portal: Portal, sort: str) -> None:
    """R43, invariant 9: what nobody touches is read once, whatever is added, deleted and edited between two pages."""
    browser, rows = await filled(portal, 24)
    chance = random.Random(sort)
    chance.shuffle(rows)
    moving, still = rows[:10], {row["id"] for row in rows[10:]}
    seen_ids: list[str] = []
    cursor = ""
    while True:
        page = await browser.get(f"/v1/log?period=all&limit=3&sort={sort}{cursor}")
        seen_ids += [row["id"] for row in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
        await browser.post("/v1/log", entry_of(chance))
        if moving:
            row = moving.pop()
            change = {name: value for name, value in entry_of(chance).items() if name != "draft"}
            await browser.patch(f"/v1/log/{row['id']}", change)
            await browser.delete(f"/v1/log/{moving.pop()['id']}")
    assert sorted(entry_id for entry_id in seen_ids if entry_id in still) == sorted(still)


async def test_there_is_no_limit_on_how_much_is_recorded(portal: Portal) -> None:
    """R43: nothing counts entries against a quota; a long log is read page by page."""
    browser = await portal.member()
    for number in range(60):
        await browser.post("/v1/log", {"title": f"Entry {number}", "date": "2026-05-04"})
    page = await browser.get("/v1/log")
    assert (len(page["items"]), page["total"]) == (50, 60)
    assert len({row["id"] for row in await browser.pages("/v1/log?limit=7")}) == 60
