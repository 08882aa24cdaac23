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
from consumers.consumer import Consumer
from consumers.dead_letter_mirror import DeadLetterMirror
from consumers.events import EventPublisher
from consumers.health import health
from consumers.members import MemberConsumer
from consumers.metrics_collector import metrics_consumers
from consumers.notices import MailSender, NoticeConsumer
from consumers.scheduler import SchedulerLoop
from consumers.worker import Worker, log_rules


def worker() -> None:
    """Take statements and member changes from RabbitMQ, and publish events, until SIGTERM or Ctrl-C.

    Example: BRIDGE_METRICS_PORT=9090 cpd-bridge worker
    """
    settings = configured()
    tracing.start("cpd-bridge-worker")
    run(work(settings))


async def work(settings: Settings) -> None:
    """Run every consumer until a signal comes; what is in hand is settled first."""
    async with wiring.services(settings) as services, AsyncExitStack() as stack:
        await services.migrations.check_at_start()
        topology = wiring.topology(settings)
        log_rules(services.recording.rules)
        statements = Worker(settings, topology, services.recording)
        members = MemberConsumer(settings, topology, services.members)
        other_consumers: list[Consumer] = [
            members,
            EventPublisher(settings, topology, services.stores.outbox),
            DeadLetterMirror(settings, topology, services.operations),
            SchedulerLoop(settings, services.reminders, services.scheduler),
        ]
        consumers = [statements, *other_consumers, *_mail_consumers(settings, topology, services)]
        if settings.metrics_port is not None:
            pings = {"mongodb": services.migrations.ping, "rabbitmq": statements.ping}
            pings |= {consumer.label: consumer.ping for consumer in other_consumers}
            await stack.enter_async_context(health(settings.http_host, settings.metrics_port, pings))
            in_flight = {"completions": statements.in_flight, "members": members.in_flight}
            readers = metrics_consumers(settings, topology, services.stores, consumers, in_flight)
            consumers += stack.enter_context(readers)
        async with asyncio.TaskGroup() as group:
            for consumer in consumers:
                group.create_task(consumer.run())
            await stop_signal()
            for consumer in consumers:
                consumer.stop()


def _mail_consumers(settings: Settings, topology: Topology, services: wiring.Services) -> list[Consumer]:
    """Return who sends e-mail, when there is a mail server; raises ``SettingsError``."""
    if settings.smtp_url is None:
        return []
    mailer = Mailer(settings, settings.smtp_url.get_secret_value())
    sender = MailSender(settings, services.notices, mailer)
    return [NoticeConsumer(settings, topology, services.notices, sender), sender]
