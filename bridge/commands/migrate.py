"""``cpd-bridge migrate``: the database brought to this release."""

from __future__ import annotations

import asyncio

import structlog

from bridge import wiring
from bridge.commands.common import configured
from bridge.settings import Settings

log = structlog.get_logger(__name__)


def migrate() -> None:
    """Bring the database to this release: indexes, validators, and what changed since; doing it again changes nothing.

    Run it before the new release serves; the one before it may go on meanwhile. A newer database is refused.

    Example: cpd-bridge migrate
    """
    asyncio.run(_migrate(configured()))


async def _migrate(settings: Settings) -> None:
    async with wiring.services(settings) as services:
        result = await services.migrations.run()
    log.info("database migrated", **result.log_fields())
