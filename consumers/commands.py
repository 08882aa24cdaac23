"""``cpd-bridge worker``: everything that runs on messages and on time, in one process."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import uvloop

from bridge import wiring
from bridge.broker.topology import Topology
from bridge.cli import configured
from bridge.serve import stop_signal
from bridge.settings import Settings
from consumers.events import Relay
from consumers.health import health
from consumers.mail import Mailer
from consumers.members import MemberConsumer
from consumers.mirror import Mirror
from consumers.notifications import Notifier
from consumers.quiet import QuietIntake
from consumers.reminders import Clock
from consumers.worker import Worker


def worker() -> None:
    """Take statements and member changes from RabbitMQ, and publish events, until SIGTERM or Ctrl-C.

    Example: BRIDGE_METRICS_PORT=9090 cpd-bridge worker
    """
    uvloop.run(work(configured()))


async def work(settings: Settings) -> None:
    """Run the worker until a signal comes; what is in hand is settled first."""
    async with wiring.services(settings) as services, AsyncExitStack() as stack:
        topology = wiring.topology(settings)
        statements = Worker(settings, topology, services.recording, quiet=QuietIntake(services.intake))
        members = MemberConsumer(settings, topology, services.feed)
        relay = Relay(settings, topology, services.stores.outbox)
        mirror = Mirror(settings, topology, services.operations)
        clock = Clock(services.reminders, services.upkeep)
        notifiers = _notifiers(settings, topology, services)
        if settings.metrics_port is not None:
            pings = {
                "mongodb": services.stores.database.ping,
                "rabbitmq": statements.life.ping,
                **{
                    life.purpose.replace(" ", "_"): life.ping
                    for life in (members.life, relay.life, mirror.life, clock.life)
                },
            }
            await stack.enter_async_context(health(settings.http_host, settings.metrics_port, pings))
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(one.run()) for one in (statements, members, relay, mirror, clock, *notifiers)]
            await stop_signal()
            for one in (statements.life, members.life, relay.life, mirror.life, clock.life, *notifiers):
                one.stop()
            await asyncio.gather(*running)


def _notifiers(settings: Settings, topology: Topology, services: wiring.Services) -> list[Notifier]:
    """Return who sends e-mail, when there is a mail server; raises ``SettingsError``."""
    if settings.smtp_url is None:
        return []
    mailer = Mailer(settings, settings.smtp_url.get_secret_value())
    return [Notifier(settings, topology, services.notices, mailer)]
