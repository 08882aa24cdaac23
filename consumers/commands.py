"""``cpd-bridge worker``: everything that runs on messages and on time, in one process."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from bridge import tracing, wiring
from bridge.broker.topology import Topology
from bridge.clients.smtp import Mailer
from bridge.commands.common import configured
from bridge.runtime import run
from bridge.serve import stop_signal
from bridge.settings import Settings
from consumers.dead_letter_mirror import DeadLetterMirror
from consumers.events import EventPublisher
from consumers.health import health
from consumers.members import MemberConsumer
from consumers.metrics_collector import MetricsCollector
from consumers.notifications import Notifier
from consumers.scheduler import Clock
from consumers.worker import Worker


def worker() -> None:
    """Take statements and member changes from RabbitMQ, and publish events, until SIGTERM or Ctrl-C.

    Example: BRIDGE_METRICS_PORT=9090 cpd-bridge worker
    """
    settings = configured()
    tracing.start("cpd-bridge-worker")
    run(work(settings))


async def work(settings: Settings) -> None:
    """Run the worker until a signal comes; what is in hand is settled first."""
    async with wiring.services(settings) as services, AsyncExitStack() as stack:
        await services.migrations.check_at_start()
        topology = wiring.topology(settings)
        statements = Worker(settings, topology, services.recording)
        members = MemberConsumer(settings, topology, services.feed)
        relay = EventPublisher(settings, topology, services.stores.outbox)
        mirror = DeadLetterMirror(settings, topology, services.operations)
        clock = Clock(services.reminders, services.upkeep)
        notifiers = _notifiers(settings, topology, services)
        meters: list[MetricsCollector] = []
        if settings.metrics_port is not None:
            others = [one.life for one in (members, relay, mirror, clock)]
            pings = {
                "mongodb": services.migrations.ping,
                "rabbitmq": statements.life.ping,
                **{life.part: life.ping for life in others},
            }
            await stack.enter_async_context(health(settings.http_host, settings.metrics_port, pings))
            lives = [statements.life, *others, *[notifier.life for notifier in notifiers]]
            in_hand = {"completions": statements.in_hand, "members": members.in_hand}
            meters.append(MetricsCollector(settings, topology, services.stores, lives, in_hand))
        async with asyncio.TaskGroup() as group:
            parts = (statements, members, relay, mirror, clock, *meters, *notifiers)
            running = [group.create_task(one.run()) for one in parts]
            await stop_signal()
            for one in (statements.life, members.life, relay.life, mirror.life, clock.life, *meters, *notifiers):
                one.stop()
            await asyncio.gather(*running)


def _notifiers(settings: Settings, topology: Topology, services: wiring.Services) -> list[Notifier]:
    """Return who sends e-mail, when there is a mail server; raises ``SettingsError``."""
    if settings.smtp_url is None:
        return []
    mailer = Mailer(settings, settings.smtp_url.get_secret_value())
    return [Notifier(settings, topology, services.notices, mailer)]
