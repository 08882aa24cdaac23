"""What operations measure: real pages of a real worker and API, with bounded labels and nobody's words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aio_pika.abc import AbstractIncomingMessage

from bridge import metrics, wiring
from bridge.broker.connection import connection
from bridge.broker.deliveries import InFlight
from bridge.broker.publisher import PUBLISHED_AT, Outgoing, Publisher
from bridge.domain.members.messages import MemberIn
from bridge.domain.statements.dispositions import possible
from bridge.metrics import readings
from bridge.settings import Settings
from bridge.tokens import dev_token
from consumers.metrics_collector import READ_EVERY, metrics_consumers, rest
from tests.support.journey import publish_raw
from tests.support.monitoring import named_metrics
from tests.support.processes import api_process, worker_process
from tests.support.scrape import Page, read, scrape, scraped_until
from tests.support.statements import activity_of, completed, member
from tests.support.storage import storage

MARK = "m4rk3d-p3rs0n"
"""Stands in whatever a hostile caller or publisher may send; no metric may have it."""

STOPS = 40
"""Stops of a consumer, each some milliseconds later after its start than the one before."""


@dataclass
class Service:
    """The running processes' ports and settings."""

    settings: Settings
    services: wiring.Services
    api: int
    worker: int

    async def call(self, method: str, path: str, token: str | None = None) -> int:
        """Call the API; returns the status."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"http://127.0.0.1:{self.api}{path}", headers=headers) as answer,
        ):
            return answer.status

    def token(self, subject: str, *roles: str) -> str:
        """A token of the development key."""
        return dev_token(self.settings.local_dir, subject, roles)


@pytest.fixture
async def service(settings: Settings, tmp_path: Path) -> AsyncGenerator[Service]:
    """An API and a worker as operations run them, with one member."""
    api, worker = api_process(settings, tmp_path), worker_process(settings, tmp_path)
    async with wiring.services(settings) as services:
        await services.stores.prepare()
        await services.members.put("m-1", MemberIn.model_validate(member()))
        try:
            await asyncio.gather(asyncio.to_thread(api.start), asyncio.to_thread(worker.start))
            yield Service(settings, services, api.port, worker.port)
        finally:
            await asyncio.gather(asyncio.to_thread(api.stop), asyncio.to_thread(worker.stop))


async def publish(settings: Settings, *bodies: bytes) -> None:
    """Publish bodies to the exchange of statements."""
    exchange = wiring.topology(settings).statements
    async with connection(settings, "test") as broker:
        out = Publisher(await broker.channel(publisher_confirms=True, on_return_raises=True))
        await out.publish([Outgoing(exchange, "statement.completed", body) for body in bodies])


async def test_a_worker_and_an_api_tell_what_became_of_everything(service: Service) -> None:
    """Dispositions, latency, batches, queues, letters, parked, events, store, broker, calls, denials and the backup."""
    backup_at = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    await storage(service.services).meta.insert([{"_id": "backup", "at": backup_at}])  # pyright: ignore[reportArgumentType] - its key is a word
    bodies = [completed(), completed("unknown"), {"no": "statement"}]
    await publish(service.settings, *[orjson.dumps(body) for body in bodies], b"{")
    await service.call("GET", "/v1/log/none", service.token("m-1", "member"))
    await service.call("GET", "/v1/ops/queues", service.token("m-1", "member"))
    await service.call("GET", "/v1/log")

    def is_read(page: Page) -> bool:
        published = page.value("cpd_bridge_events_published_total", type="log.drafted") == 1
        read_since = page.value("cpd_bridge_dead_letters") == 2
        counted_since = page.value("cpd_bridge_queue_messages", queue="dead_letters") == 2  # by another timer
        return published and read_since and counted_since

    page = await scraped_until(service.worker, is_read)
    assert page.value("cpd_bridge_statements_total", disposition="recorded") == 1
    assert page.value("cpd_bridge_statements_total", disposition="parked") == 1
    assert page.value("cpd_bridge_statements_total", disposition="dead-lettered", reason="not_json") == 1
    assert page.value("cpd_bridge_statements_total", disposition="dead-lettered", reason="invalid_statement") == 1
    assert page.value("cpd_bridge_statements_total", reason="exhausted") == 0  # from zero on
    assert page.value("cpd_bridge_batch_statements_sum") == 4
    assert 0 < (page.value("cpd_bridge_publish_to_draft_seconds_sum") or 0) < 60
    assert page.value("cpd_bridge_dead_letters", reason="not_json") == 1
    assert page.value("cpd_bridge_parked") == 1
    assert page.value("cpd_bridge_queue_consumers", queue="completions") == 1
    assert page.value("cpd_bridge_queue_oldest_seconds", queue="completions") is not None
    assert page.value("cpd_bridge_backup_timestamp_seconds") == backup_at.timestamp()
    assert (page.value("cpd_bridge_store_command_seconds_count", command="insert") or 0) > 0
    assert (page.value("cpd_bridge_broker_confirm_seconds_count") or 0) > 0
    assert page.value("cpd_bridge_part_state", part="statements", state="working") == 1
    assert page.labels("queue") == {"completions", "members", "dead_letters"}
    of_api = await scrape(service.api)
    route = {"route": "/v1/log/{entry_id}", "method": "GET"}
    assert of_api.value("cpd_bridge_http_requests_total", **route, status="404") == 1
    assert of_api.value("cpd_bridge_http_request_seconds_count", **route) == 1
    for reason, role in (("not-found", "member"), ("forbidden", "member"), ("unauthenticated", "none")):
        assert of_api.value("cpd_bridge_access_denials_total", reason=reason, role=role) == 1, reason
    assert "cpd_bridge_queue_messages" not in of_api.names


HOSTILE_CALLS = (
    ("GET", f"/v1/{MARK}"),
    ("GET", f"/v1/log/{MARK}?q={MARK}"),
    (MARK.upper(), "/v1/log"),
    ("GET", f"/{MARK}/../../x"),
    ("GET", f"/xapi/{MARK}"),
    ("POST", f"/v1/ops/dead-letters/{MARK}/replay"),
)


async def test_hostile_routes_and_reasons_add_no_label_values(service: Service) -> None:
    """A label takes values of ours alone, whatever paths, methods, roles, verbs, reasons and headers say."""
    token = service.token(MARK, MARK, "member", "ops")
    for method, path in HOSTILE_CALLS:
        await service.call(method, path, token)
    topology = wiring.topology(service.settings)
    statement = orjson.dumps(completed(MARK, object=activity_of(MARK, MARK, MARK)))
    headers = {"traceparent": MARK, PUBLISHED_AT: MARK}
    await publish_raw(service.settings, topology.statements, "statement.completed", statement, headers=headers)
    await publish(service.settings, f'{{"{MARK}": 1}}'.encode())
    letter = {"x-reason": MARK, "x-original-exchange": MARK, "x-failed-at": MARK}
    await publish_raw(service.settings, topology.dead_letters, MARK, MARK.encode(), headers=letter)
    await publish_raw(service.settings, topology.membership, "member.upserted", MARK.encode())
    worker = await scraped_until(service.worker, lambda page: page.value("cpd_bridge_dead_letters") == 3)
    api = await scrape(service.api)
    for page in (worker, api):
        assert MARK not in page.text.lower()
    dispositions = {disposition.value for disposition, _ in possible()}
    reasons = {reason.value if reason else "" for _, reason in possible()}
    assert worker.labels("disposition") == dispositions
    assert worker.labels("reason") == reasons
    assert worker.labels("command") <= metrics.COMMANDS | {"other"}
    assert worker.labels("state") == set(readings.STATES)
    assert api.labels("method") <= {"GET", "POST", "other"}
    assert api.labels("role") <= {"member", "ops", "several", "none"}
    assert "unmatched" in api.labels("route")


async def test_rules_and_dashboards_name_what_is_exported(service: Service) -> None:
    """Every metric of ours in an expression is on the page of a real worker, or a real API."""
    pages = await asyncio.gather(
        scraped_until(service.worker, lambda page: {"cpd_bridge_queue_messages", "cpd_bridge_held"} <= page.names),
        scrape(service.api),
    )
    metric_names = {line.split()[2] for page in pages for line in page.text.splitlines() if line.startswith("# TYPE")}
    assert named_metrics() - metric_names == set()
    own_names = {name for name in metric_names if name.startswith("cpd_bridge_")}
    assert own_names - named_metrics() <= {"cpd_bridge_queue_consumers"}


@asynccontextmanager
async def metering(
    settings: Settings, in_hand: dict[str, InFlight], interval: float = 0.1
) -> AsyncGenerator[wiring.Services]:
    """Run a meter in this process meanwhile."""
    async with wiring.services(settings) as services, connection(settings, "test") as broker:
        await wiring.topology(settings).declare(await broker.channel())
        await services.stores.prepare()
        topology = wiring.topology(settings)
        with metrics_consumers(settings, topology, services.stores, [], in_hand, interval) as readers:
            async with asyncio.TaskGroup() as group:
                for reader in readers:
                    group.create_task(reader.run())
                try:
                    yield services
                finally:
                    for reader in readers:
                        reader.stop()


async def shown_when(name: str, at_least: float, **labels: str) -> float:
    """Wait until a gauge of this process has reached a value; returns it."""
    async with asyncio.timeout(60):
        while (value := read(metrics.exposition()[0].decode()).value(name, **labels)) is None or value < at_least:
            await asyncio.sleep(0.05)
    return value


async def test_the_age_of_a_queue_that_nobody_takes_from_grows(settings: Settings) -> None:
    """Since when it was last idle bounds the age, whatever the publisher says."""
    async with metering(settings, {}):
        assert await shown_when("cpd_bridge_queue_oldest_seconds", 0, queue="completions") == 0
        start = time.monotonic()
        await publish(settings, b"{}")
        assert await shown_when("cpd_bridge_queue_messages", 1, queue="completions") == 1
        assert (
            await shown_when("cpd_bridge_queue_oldest_seconds", 0.5, queue="completions") < time.monotonic() - start + 1
        )


async def test_the_age_of_a_queue_is_that_of_the_oldest_in_hand(settings: Settings) -> None:
    """What the consumer has not settled tells when it was published; what is behind it is younger."""
    in_hand = InFlight()
    async with metering(settings, {"completions": in_hand}):
        for age in (100, 50):
            await publish_raw(
                settings,
                wiring.topology(settings).statements,
                "statement.completed",
                b"{}",
                headers={PUBLISHED_AT: int((time.time() - age) * 1000)},
            )
        async with connection(settings, "test") as broker:
            queue = await (await broker.channel()).get_queue(wiring.topology(settings).completions)
            first, second = await _got(queue), await _got(queue)
            in_hand.add(first)
            in_hand.add(second)
            assert 100 <= await shown_when("cpd_bridge_queue_oldest_seconds", 100, queue="completions") < 160
            in_hand.remove_oldest()
            assert in_hand.oldest_published_at is not None
            assert 50 <= time.time() - in_hand.oldest_published_at < 100
            in_hand.clear()
            assert (in_hand.waits, in_hand.oldest_published_at) == (False, None)


async def _got(queue: Any) -> AbstractIncomingMessage:
    """The next message of a queue, which has one."""
    return await queue.get(timeout=10)


async def test_the_age_of_what_the_lrs_has_not_published(settings: Settings) -> None:
    """Nothing unsent has no age; else it is that of the oldest note."""
    async with metering(settings, {}) as services:
        name, unsent = "cpd_bridge_lrs_unsent_oldest_seconds", services.stores.unsent
        assert await shown_when(name, 0) == 0
        for age in (50, 300):
            await unsent.note(["a-statement"], int((time.time() - age) * 1e6))
        assert 300 <= await shown_when(name, 300) < 360


async def test_a_consumer_ends_at_whatever_moment_it_is_stopped(settings: Settings) -> None:
    """The broker's client may lose a cancellation that comes while it closes a channel."""
    async with wiring.services(settings) as services:
        await services.stores.prepare()
        for number in range(STOPS):
            with metrics_consumers(
                settings, wiring.topology(settings), services.stores, [], {}, interval=600
            ) as readers:
                async with asyncio.timeout(30), asyncio.TaskGroup() as group:
                    for reader in readers:
                        group.create_task(reader.run())
                    await asyncio.sleep(number / STOPS * 0.1)
                    for reader in readers:
                        reader.stop()


async def test_a_scrape_asks_nobody_anything(settings: Settings) -> None:
    """However often somebody scrapes, store and broker are read on the timer alone."""
    async with metering(settings, {}, interval=600):
        await shown_when("cpd_bridge_outbox_pending", 0)
        before = read(metrics.exposition()[0].decode()).value("cpd_bridge_store_command_seconds_count")
        pages = [read(metrics.exposition()[0].decode()) for _ in range(20)]
        assert pages[-1].value("cpd_bridge_store_command_seconds_count") == before


@pytest.mark.parametrize("duration", [0.0, 0.3, 3.0, 600.0])
def test_a_slow_store_is_read_less_often_but_its_readings_stay(duration: float) -> None:
    """Ten times as long as it took, never so long that what was read disappears, and not less than the interval."""
    assert READ_EVERY <= rest(duration, READ_EVERY) <= readings.STALE_AFTER - READ_EVERY
    assert rest(2.0, READ_EVERY) == 20.0


async def test_readings_that_are_too_old_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gauge that nobody could read for a minute disappears, rather than to stand at its last value."""
    slow_readings = readings.Readings(lambda: {"statements": "store"})
    slow_readings.note_queues({"completions": readings.QueueReading(1, 1, 2.0)})
    fresh = {metric.name for metric in slow_readings.collect()}
    monkeypatch.setattr(readings, "STALE_AFTER", -1.0)
    assert {metric.name for metric in slow_readings.collect()} == {"cpd_bridge_part_state"}
    assert fresh > {"cpd_bridge_part_state", "cpd_bridge_queue_messages"}
