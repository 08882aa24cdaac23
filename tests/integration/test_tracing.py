"""Traces: one id from publisher to write to event, sent to a collector over OTLP; nothing of it when it is off."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aio_pika.abc import AbstractIncomingMessage
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge import tracing, wiring
from bridge.broker.connection import connection
from bridge.broker.publisher import Outgoing, Publisher
from bridge.domain.members.messages import MemberIn
from bridge.settings import Settings
from bridge.tokens import dev_token
from tests.support.processes import api_process, worker_process
from tests.support.statements import activity_of, completed, member

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
WORDS = "Confidential-title"
"""Personal text; no span may have it."""


@dataclass
class Collector:
    """Takes OTLP over HTTP, as a collector does; ``spans`` holds (service, span) as they came."""

    spans: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    bodies: list[bytes] = field(default_factory=list[bytes])
    url: str = ""
    _arrival: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, request: web.Request) -> web.Response:
        """Take one export (OTLP 1.x, ``POST /v1/traces``, protobuf, perhaps gzip)."""
        body = await request.read()
        assert request.content_type == "application/x-protobuf"
        self.bodies.append(body)
        async with self._arrival:
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                (service,) = [
                    attribute.value.string_value
                    for attribute in of_resource.resource.attributes
                    if attribute.key == "service.name"
                ]
                self.spans += [(service, span) for scope in of_resource.scope_spans for span in scope.spans]
            self._arrival.notify_all()
        return web.Response(content_type="application/x-protobuf")

    def names(self, trace: str = TRACE) -> set[tuple[str, str]]:
        """(service, name) of every span of a trace; names are without the namespace of a test."""
        return {
            (service, re.sub(r"\bt-[0-9a-f]{12}\.", "", span.name))
            for service, span in self.spans
            if span.trace_id.hex() == trace
        }

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until what came is enough."""
        async with asyncio.timeout(60), self._arrival:
            await self._arrival.wait_for(condition)


@asynccontextmanager
async def collecting() -> AsyncGenerator[Collector]:
    """Listen on the loopback meanwhile."""
    collector = Collector()
    app = web.Application()
    app.add_routes([web.post("/v1/traces", collector.take)])
    async with TestServer(app) as server:
        collector.url = str(server.make_url("/")).rstrip("/")
        yield collector


@dataclass
class Events:
    """What comes on the exchange of events."""

    messages: asyncio.Queue[AbstractIncomingMessage] = field(default_factory=asyncio.Queue[AbstractIncomingMessage])

    async def next(self) -> AbstractIncomingMessage:
        """The next event."""
        return await asyncio.wait_for(self.messages.get(), 60)


@asynccontextmanager
async def running(settings: Settings, directory: Path, **environment: str) -> AsyncGenerator[tuple[int, Events]]:
    """Run an API and a worker with an environment, and a member; yields the API's port and the events."""
    processes = (api_process(settings, directory, **environment), worker_process(settings, directory, **environment))
    async with wiring.services(settings) as services, connection(settings, "test") as broker:
        await services.stores.prepare()
        await services.members.put("m-1", MemberIn.model_validate(member()))
        channel, topology, events = await broker.channel(), wiring.topology(settings), Events()
        await topology.declare(channel)
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(topology.events, "#")
        await queue.consume(events.messages.put, no_ack=True)
        try:
            await asyncio.gather(*[asyncio.to_thread(process.start) for process in processes])
            yield processes[0].port, events
        finally:
            await asyncio.gather(*[asyncio.to_thread(process.stop) for process in processes])


async def publish(settings: Settings, **fields: Any) -> None:
    """Publish a statement with a person's words in it, as part of the given trace."""
    statement = completed(**fields, object=activity_of("course/1", WORDS))
    exchange = wiring.topology(settings).statements
    async with connection(settings, "test out") as broker:
        out = Publisher(await broker.channel(publisher_confirms=True, on_return_raises=True))
        await out.publish(
            [Outgoing(exchange, "statement.completed", orjson.dumps(statement), headers={"traceparent": TRACEPARENT})]
        )


async def finish(port: int, settings: Settings) -> None:
    """Finish the member's first entry over HTTP, as part of the given trace."""
    headers = {
        "Authorization": f"Bearer {dev_token(settings.local_dir, 'm-1', ['member'])}",
        "traceparent": TRACEPARENT,
        "Content-Type": "application/json",
    }
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session:
        async with session.get("/v1/log?period=all") as listing:
            (entry,) = (await listing.json())["items"]
        texts = dict.fromkeys(("reason", "learning", "evaluation", "impact_on_practice"), WORDS)
        async with session.patch(
            f"/v1/log/{entry['id']}", headers={"If-Match": "*"}, json={**texts, "draft": False, "type": "course"}
        ) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.headers["traceparent"].split("-")[1] == TRACE


async def test_one_trace_from_publisher_to_write_to_event(settings: Settings, tmp_path: Path) -> None:
    """The publisher's trace has the worker's step, its writes and the event; a call's trace has its own."""
    async with collecting() as collector:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        async with running(settings, tmp_path, **environment) as (port, events):
            await publish(settings)
            event = await events.next()
            worker = "cpd-bridge-worker"
            database = settings.mongo_database
            expected = {
                (worker, "process cpd.completions"),
                (worker, f"{database}.insert"),
                (worker, "publish cpd.events"),
            }
            await collector.until(lambda: expected <= collector.names())
            assert str(event.headers["traceparent"]).split("-")[1] == TRACE
            await finish(port, settings)
            completion_event = await events.next()
            assert (completion_event.routing_key, str(completion_event.headers["traceparent"]).split("-")[1]) == (
                "log.completed",
                TRACE,
            )
            await collector.until(lambda: ("cpd-bridge-api", "PATCH /v1/log/{entry_id}") in collector.names())
    assert not any("/health/" in span.name for _, span in collector.spans)  # which start() asks again and again
    of_worker = [span for _, span in collector.spans if span.name.startswith("process ")]
    assert any(span.parent_span_id.hex() == PARENT for span in of_worker)
    assert not any(WORDS.encode() in body or b"m-1" in body for body in collector.bodies)


async def test_the_trace_is_carried_on_without_opentelemetry(settings: Settings, tmp_path: Path) -> None:
    """With nothing configured, the publisher's context still reaches the event, as it came."""
    async with running(settings, tmp_path) as (port, events):
        await publish(settings)
        assert (await events.next()).headers["traceparent"] == TRACEPARENT
        await finish(port, settings)
        assert (await events.next()).headers["traceparent"] == TRACEPARENT


def test_opentelemetry_is_not_imported_where_it_is_not_wanted() -> None:
    """Off costs nothing: none of its modules is loaded by what the API and the worker import."""
    script = (
        "import sys, bridge.cli, bridge.serve, consumers.commands\n"
        "from bridge import tracing\n"
        "tracing.start('x')\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    output = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert output.stdout.strip() == "[]"


def test_the_standard_variables_decide() -> None:
    """A collector must be named; the SDK's own switches turn traces off."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert tracing.is_configured(environment)
    assert tracing.is_configured({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"})
    for off in ({}, {**environment, "OTEL_SDK_DISABLED": "true"}, {**environment, "OTEL_TRACES_EXPORTER": "none"}):
        assert not tracing.is_configured(off)


def test_only_a_well_formed_context_is_carried() -> None:
    """W3C Trace Context §3.2.2: lower case hexadecimal, not all zeros, not version ff."""
    for bad in ("", "00-1-2-3", TRACEPARENT.upper(), f"ff{TRACEPARENT[2:]}", f"00-{'0' * 32}-{PARENT}-01", None, 7):
        assert tracing.valid(bad) is None
    assert tracing.valid(TRACEPARENT) == TRACEPARENT
