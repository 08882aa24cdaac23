"""Minimisation: words planted in every field of free text reach no log line, metric, event, mail or others' problem."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aio_pika.abc import AbstractIncomingMessage
from aiohttp import ClientSession

from bridge import wiring
from bridge.settings import Settings, load
from consumers.dead_letter_mirror import DeadLetterMirror
from consumers.events import EventPublisher
from tests.support.audit import Office, Reply
from tests.support.commands import run
from tests.support.journey import Journey, publish_raw
from tests.support.life import ACTOR, MARK, MEMBER, Life, open_life, word
from tests.support.log_lines import collected_lines
from tests.support.processes import Running, api_process, worker_process
from tests.support.smtp import Post, post_office
from tests.support.statements import activity_of, completed
from tests.support.storage import Storage, storage

ALLOWED_IN_MAIL = word("name")
"""A notice greets its member."""


def chosen(settings: Settings, **extra: Any) -> Settings:
    """The settings with some more of them."""
    fields = {name: getattr(settings, name) for name in settings.model_fields_set}
    return load(**{**fields, **extra})


def leaks(text: str | bytes) -> list[str]:
    """The lines that have a planted word."""
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return [line for line in plain.splitlines() if MARK in line.lower()]


@pytest.fixture
def problems(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The problem bodies that anybody but the member got."""
    answers: list[bytes] = []
    call = Office.call

    async def noting(self: Office, subject: str, role: str, *args: Any, **headers: str) -> Reply:
        reply = await call(self, subject, role, *args, **headers)
        if reply.problem and role != "member":
            answers.append(reply.raw)
        return reply

    monkeypatch.setattr(Office, "call", noting)
    return answers


@asynccontextmanager
async def listening(bridge: Journey) -> AsyncGenerator[list[bytes]]:
    """Every event that is published meanwhile; a relay and the mirror of the dead letters run."""
    messages: list[bytes] = []

    async def take(message: AbstractIncomingMessage) -> None:
        messages.append(message.body + str(message.headers).encode())

    queue = await bridge.channel.declare_queue(exclusive=True)
    await queue.bind(bridge.topology.events, "#")
    await queue.consume(take, no_ack=True)
    relay = EventPublisher(bridge.settings, bridge.topology, bridge.services.stores.outbox)
    mirror = DeadLetterMirror(bridge.settings, bridge.topology, bridge.services.operations)
    tasks = [asyncio.create_task(process.run()) for process in (relay, mirror)]
    yield messages
    for consumer in (relay, mirror):
        consumer.stop()
    await asyncio.gather(*tasks)


async def until(expected: Any, within: float = 60) -> None:
    """Wait until a coroutine function says yes."""
    async with asyncio.timeout(within):
        while not await expected():
            await asyncio.sleep(0.05)  # another process is at it; the store is the only sign


async def test_a_life_and_its_erasure_leave_no_word(settings: Settings, tmp_path: Path, problems: list[bytes]) -> None:
    """In one process at level debug: the worker, the API, the LRS, exports, an audit, dead letters, the erasure."""
    with collected_lines("debug") as lines:
        async with open_life(settings, tmp_path) as life, listening(life.bridge) as messages:
            await life.live()
            await misuse(life)
            bodies = [await (await life.office.client.get("/metrics")).read()]
            await life.office.staff("privacy").good("POST", f"/v1/members/{MEMBER}/erasure")
            await life.me("GET", "/v1/log")
            bodies.append(await (await life.office.client.get("/metrics")).read())
            await until(lambda: _erased_is_told(messages))
    log_text = lines.getvalue()
    assert log_text.count(b"http_request") > 30, "the lines were collected"
    assert len(problems) >= 5
    for name, text in {"log": log_text, "metrics": b"".join(bodies), "problems": b"\n".join(problems)}.items():
        assert leaks(text) == [], name
    assert leaks(b"\n".join(messages)) == []


async def _erased_is_told(messages: list[bytes]) -> bool:
    return any(b"member.erased" in body for body in messages)


async def misuse(life: Life) -> None:
    """Ask for what fails: bad bodies, bad ids and queries with planted words in them, by the member and by others."""
    register, ops, support = (life.office.staff(role) for role in ("register", "ops", "support"))
    await life.me("POST", "/v1/log", {"title": word("x"), "date": word("date"), word("field"): word("value")})
    await life.me("GET", f"/v1/log?q={word('query')}&sort={word('sort')}")
    await life.me("GET", "/v1/exports/log.zip?period=all")
    assert word("item").encode() in (await life.me("GET", "/v1/exports/plan.ics")).raw
    await life.me("GET", "/v1/exports/subject-access.zip")
    await life.lrs.call("POST", "statements", json={"actor": word("lrs"), "verb": word("lrs")})
    for person in (register, ops, support):
        await person("GET", f"/v1/members/{MEMBER}/log")
        await person("GET", f"/v1/log/{life.ids['entry']}")
    await register("GET", f"/v1/register/cases/{life.ids['case']}/record")
    for query in (f"?identifier={word('x')}@example.org", f"?member_id={MEMBER}", ""):
        assert leaks((await ops("GET", f"/v1/ops/statements{query}")).raw) == [], query
    letters = await ops.good("GET", "/v1/ops/dead-letters")
    for letter in letters["items"]:
        answer = await ops("GET", f"/v1/ops/dead-letters/{letter['id']}")
        assert leaks(answer.raw) == [], "masked"
    assert leaks(orjson.dumps(letters)) == []


async def test_processes_of_their_own_leave_no_word(settings: Settings, tmp_path: Path) -> None:
    """The real API and worker at level debug, with mail, and the commands: their logs, metrics and mails."""
    async with post_office() as post:
        mailing = chosen(settings, smtp_url=post.url, log_level="debug")
        async with open_life(mailing, tmp_path) as life:
            await life.live()
        worker, api = worker_process(mailing, tmp_path), api_process(mailing, tmp_path)
        worker.start()
        api.start()
        try:
            await _use(life, mailing, post, api)
            metrics = [await _metrics(process) for process in (worker, api)]
        finally:
            for part in (worker, api):
                await asyncio.to_thread(part.stop)  # the mail server is in this loop, and the worker says goodbye to it
    texts = [(tmp_path / f"{name}.log").read_bytes() for name in ("worker", "api")]
    assert all(texts)
    commands = [await run(mailing, *line) for line in (("dead-letters", "list"), ("purge", "--dry-run"), ("erasures",))]
    assert [code for code, _, _ in commands] == [0, 0, 0]
    for text in (*texts, *metrics, *[out + err for _, out, err in commands]):
        assert leaks(text) == []
    for mail in post.mails:
        assert leaks("\n".join(map(str, mail.walk())).replace(ALLOWED_IN_MAIL, "").replace(mail["X-To"], "")) == []


async def _use(life: Life, settings: Settings, post: Post, api: Running) -> None:
    """Send what is recorded, what is refused and what cannot be read; wait until it is, and the mail is out."""
    fields: dict[str, Any] = {"actor": ACTOR, "object": activity_of("course/77", word("process"))}
    late = completed(**fields, at="2026-06-01T10:00:00Z")
    bodies = [orjson.dumps(late), orjson.dumps({**late, "verb": "no iri"}), word("not json").encode()]
    for body in bodies:
        await publish_raw(settings, life.bridge.topology.statements, "statement.completed", body)
    feed = {"member_id": MEMBER, "revision": 1, "name": word("fed"), word("extra"): 1}
    await publish_raw(settings, life.bridge.topology.membership, "member.upserted", orjson.dumps(feed))
    async with ClientSession() as client:
        for path in (f"/v1/log/{word('path')}", f"/{word('nowhere')}?x={word('query')}"):
            await client.get(f"http://127.0.0.1:{api.port}{path}", headers={"Authorization": f"Bearer {word('token')}"})
    await post.until(1)
    async with wiring.services(settings) as services:
        rows = storage(services)
        await until(lambda: rows.statements.count({"_id": late["id"]}))
        await until(lambda: _letters(rows, 5))


async def _letters(rows: Storage, number: int) -> bool:
    return await rows.dead_letters.count() >= number


async def _metrics(process: Running) -> bytes:
    async with ClientSession() as client, client.get(f"http://127.0.0.1:{process.port}/metrics") as answer:
        assert answer.status == 200
        return await answer.read()
