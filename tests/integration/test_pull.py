"""Pulling from another LRS: everything, once, whatever stops it on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from bridge.broker.publisher import Publisher, publisher
from bridge.clients import lrs as remote_lrs
from bridge.errors import BridgeError, Conflict, Forbidden, Malformed, Unavailable
from bridge.services.statements.pulling import LrsPull
from tests.support.commands import run
from tests.support.journey import Journey
from tests.support.lrs import Lrs, serving
from tests.support.statements import COMPLETED, completed, member, voided
from tests.support.storage import storage


@pytest.fixture
async def lrs(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Lrs]:
    """An LRS with ten completions, asked again without long pauses."""
    monkeypatch.setattr(remote_lrs, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(remote_lrs, "LONGEST_PAUSE", 0.05)
    async with serving(Lrs()) as started:
        for number in range(10):
            started.store(completed(activity=f"course/{number}"), f"2026-05-04T10:00:{number:02}Z")
        yield started


@asynccontextmanager
async def reading(lrs: Lrs, seconds: float = 5, password: str = "secret") -> AsyncGenerator[remote_lrs.RemoteLrs]:
    """Open the LRS."""
    async with remote_lrs.remote_lrs(lrs.endpoint, "key", password, seconds) as remote:
        yield remote


class Puller:
    """Pulls into a journey's broker."""

    def __init__(self, bridge: Journey, lrs: Lrs) -> None:
        self.bridge = bridge
        self.lrs = lrs
        self.pulling = LrsPull(bridge.services.stores.pulls, bridge.topology)

    async def __call__(self, out: Any = None, since: datetime | None = None, **options: Any) -> int:
        """Pull the completed statements; returns how many were published."""
        async with reading(self.lrs, **options) as remote, publisher(self.bridge.settings, "test pull") as publish_to:
            pages = self.pulling.pull(remote, self.lrs.endpoint, [COMPLETED], since, out or publish_to)
            return sum([count async for count in pages])

    async def recorded(self) -> set[str]:
        """The ids of the statements in the ledger, once as many are there as the LRS holds."""
        ids = [orjson.loads(raw)["id"] for raw in self.lrs.raw]
        async with asyncio.timeout(30):
            while len(rows := await self.bridge.services.stores.lrs_ledger.rows_of(ids)) < len(ids):
                await asyncio.sleep(0.02)
        return {key for key, row in rows.items() if (row.get("disposition"), row.get("via")) == ("recorded", "pull")}


@pytest.fixture
async def puller(bridge: Journey, lrs: Lrs) -> Puller:
    """Pulls into a journey with a member."""
    await bridge.add_member("m-1", member())
    return Puller(bridge, lrs)


async def test_everything_is_pulled_once(puller: Puller) -> None:
    """Every page is brought, and a second pull adds nothing but what came since."""
    assert await puller() == 10
    assert len(await puller.recorded()) == 10
    again = await puller()
    assert again <= 2, "only what was stored within the overlap"
    puller.lrs.store(completed(activity="course/99"), "2026-05-04T11:00:00Z")
    assert again <= await puller() <= again + 2
    assert len(await puller.recorded()) == 11


async def test_statements_come_byte_for_byte(bridge: Journey, lrs: Lrs) -> None:
    """Numbers, spaces and order of a statement's JSON are as the LRS sent them."""
    raw = b'{"verb": {"id":"' + COMPLETED.encode() + b'"}, "stored":"2026-05-04T10:00:00Z", "result": {"score": 1.50}}'
    lrs.raw = [raw]
    tap = await bridge.channel.declare_queue(exclusive=True)
    await tap.bind(bridge.topology.statements, "#")
    await Puller(bridge, lrs)()
    assert (await tap.get()).body == raw


ODD = (rb'"half \ud83d"', b"1e400", b"[" * 300 + b"]" * 300, b'"caf\xe9"', b"NaN", b'"a\nb"')


async def test_a_statement_that_cannot_be_read_ends_no_pull(bridge: Journey, puller: Puller) -> None:
    """It is published as it is, wherever on its page, for the worker to put aside; what comes after it is brought."""
    bad: list[bytes] = []
    for number, odd in zip((0, 2, 4, 6, 8, 9), ODD, strict=True):
        raw = puller.lrs.raw[number]
        puller.lrs.raw[number] = raw.replace(b'"stored"', b'"result": {"response": ' + odd + b'}, "stored"')
        bad.append(puller.lrs.raw[number])
    puller.lrs.store(completed(activity="course/99"), "2026-05-04T11:00:00Z")
    assert await puller() == 11
    letters: list[bytes] = []
    async with asyncio.timeout(30):
        while len(letters) < len(bad) or len(await bridge.log("m-1")) < 5:
            await asyncio.sleep(0.02)
            letters += [bytes(letter.body) for letter in await bridge.dead_letters()]
    assert letters == bad
    assert await puller() <= 2, "only what was stored within the overlap"


async def test_a_page_tells_how_far_it_went_though_its_last_cannot_be_read(lrs: Lrs) -> None:
    """The latest time that can be read counts; what is no time is passed over."""
    lrs.raw = [
        orjson.dumps({**completed(), "stored": "2026-05-04T10:00:07"}),
        orjson.dumps({**completed(), "stored": "2026-05-04T10:00:08Z"}).replace(b'"stored"', b'"x": NaN, "stored"'),
        orjson.dumps({**completed(), "stored": "soon"}),
        orjson.dumps({**completed(), "stored": "0001-01-01T00:00:00+05:00"}),
    ]
    lrs.page = 4
    async with reading(lrs) as remote:
        page = await remote.page(remote.first(COMPLETED, None))
    assert (len(page.statements), page.last_stored) == (4, "2026-05-04T10:00:08Z")


class Killed(Exception):
    """The process ends here."""


class Dying:
    """A publisher whose process ends before or after a page is confirmed."""

    def __init__(self, inner: Publisher, pages: int, *, after: bool) -> None:
        self.declare = inner.declare
        self._inner = inner
        self._pages = pages
        self._after = after

    async def publish(self, messages: Any) -> None:
        """Publish, or end."""
        self._pages -= 1
        if self._pages >= 0 or self._after:
            await self._inner.publish(messages)
        if self._pages < 0:
            raise Killed


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("pages", [0, 1, 3])
async def test_a_killed_pull_goes_on_where_it_was(puller: Puller, pages: int, *, after: bool) -> None:
    """Killed before or after a page is confirmed, the next pull brings the rest, and nothing is recorded twice."""
    async with publisher(puller.bridge.settings, "dying") as out:
        with pytest.raises(Killed):
            await puller(Dying(out, pages, after=after))
    puller.lrs.requests.clear()
    assert await puller() == 10 - 3 * pages
    assert len(await puller.recorded()) == 10
    assert len(puller.lrs.requests) == 4 - pages, "pages that were confirmed are not read again"


async def test_an_expired_link_begins_after_what_was_published(puller: Puller) -> None:
    """When the LRS no longer knows the link of the next page, the pull goes on by the stored time."""
    async with publisher(puller.bridge.settings, "dying") as out:
        with pytest.raises(Killed):
            await puller(Dying(out, 2, after=False))
    puller.lrs.expired = True
    puller.lrs.page = 100
    assert 4 <= await puller() < 10
    assert len(await puller.recorded()) == 10


async def test_failures_that_pass_are_waited_for(puller: Puller) -> None:
    """Overload, errors and cut connections are tried again; the pull brings everything."""
    puller.lrs.failures = [503, 200, 429, 0, 500, 200, 502]
    assert await puller() == 10
    assert len(await puller.recorded()) == 10


async def test_an_lrs_that_stalls_or_stays_away_ends_the_pull(puller: Puller) -> None:
    """A call has a time limit, and after some tries the pull fails and can be repeated."""
    puller.lrs.slow = 5
    start = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable):
        await puller(seconds=0.1)
    assert asyncio.get_running_loop().time() - start < 4
    puller.lrs.slow = 0
    assert await puller() == 10


async def test_a_wrong_password_is_said_and_not_logged(puller: Puller) -> None:
    """Wrong credentials end the pull with words, without trying again, and appear in no log line."""
    with capture_logs() as lines, pytest.raises(Forbidden, match="user and password"):
        await puller(password="wrong-word")
    assert len(puller.lrs.requests) == 1
    assert "wrong-word" not in str(lines)


async def test_a_link_to_another_server_is_not_followed(puller: Puller) -> None:
    """The password goes to the LRS that was named and to no other."""
    puller.lrs.more_host = "http://127.0.0.1:9"
    with pytest.raises(Conflict, match="another server"):
        await puller()


async def test_since_chooses_where_to_begin(puller: Puller) -> None:
    """A given time goes before the cursor, and statements up to it are left out."""
    await puller()
    assert await puller(since=datetime(2026, 5, 4, 10, 0, 6, tzinfo=UTC)) == 4


async def test_what_the_lrs_does_not_vouch_for_is_read_again(puller: Puller) -> None:
    """Statements that the LRS says may still be joined by others are asked for again the next time."""
    puller.lrs.headers = {remote_lrs.CONSISTENT_THROUGH: "2026-05-04T10:00:03Z"}
    await puller()
    assert await puller() >= 6


@pytest.mark.parametrize(
    ("versions", "expected"),
    [(("1.0.0", "1.0.3"), "1.0.3"), (("1.0.3", "2.0.0"), "2.0"), (("2.0.0",), "2.0"), (("0.95",), None)],
)
async def test_the_version_is_negotiated(lrs: Lrs, versions: tuple[str, ...], expected: str | None) -> None:
    """The newest version that both speak is taken, and said in the header; none is an error."""
    lrs.versions = versions
    async with reading(lrs) as remote:
        if expected is None:
            with pytest.raises(Conflict):
                await remote.negotiate()
            return
        await remote.negotiate()
        await remote.page(remote.first(COMPLETED, None))
    assert remote.version == expected
    assert lrs.requests[0].headers["X-Experience-API-Version"] == remote_lrs.VERSIONS[expected]


@pytest.mark.parametrize("endpoint", ["ftp://lrs.example.org", "lrs.example.org", "file:///etc/passwd"])
async def test_an_endpoint_is_an_http_address(endpoint: str) -> None:
    """Anything else is refused with words."""
    with pytest.raises(Malformed, match="https"):
        async with remote_lrs.remote_lrs(endpoint, "key", "secret", 1):
            pass


async def test_an_answer_that_is_no_result_is_refused(lrs: Lrs, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not a StatementResult, or too large, ends the pull with words."""
    lrs.raw = [b'{"verb":{"id":"' + COMPLETED.encode() + b'"},"stored":"2026"}'] * 501
    lrs.page = 501
    async with reading(lrs) as remote:
        with pytest.raises(BridgeError, match="500"):
            await remote.page(remote.first(COMPLETED, None))
        monkeypatch.setattr(remote_lrs, "LARGEST_PAGE", 100)
        with pytest.raises(BridgeError, match="larger than"):
            await remote.page(remote.first(COMPLETED, None))


async def test_the_command_pulls_and_says_how_many(bridge: Journey, puller: Puller, tmp_path: Path) -> None:
    """The command negotiates, pulls every verb of the settings, and exits with 0; with a wrong password 1."""
    statement = orjson.loads(puller.lrs.raw[0])
    puller.lrs.store(voided(statement["id"]), "2026-05-04T12:00:00Z")
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    options = ["pull", "--endpoint", puller.lrs.endpoint, "--user", "key", "--password-file", str(secret)]
    code, out, err = await run(bridge.settings, *options)
    assert (code, out) == (0, "11 statements published.\n"), err
    async with asyncio.timeout(30):
        while await storage(bridge.services).statements.count({"disposition": "withdrawn"}) < 1:
            await asyncio.sleep(0.05)
    secret.write_text("wrong")
    code, _, err = await run(bridge.settings, *options)
    assert (code, "user and password" in err) == (1, True)
