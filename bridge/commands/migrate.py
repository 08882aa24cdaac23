"""``cpd-bridge migrate``: the database brought to this release."""

from __future__ import annotations

import structlog

from bridge.commands.common import run_with_services

log = structlog.get_logger(__name__)


def migrate() -> None:
    """Bring the database to this release: indexes, validators, and what changed since; doing it again changes nothing.

    Run it before the new release serves; the one before it may go on meanwhile. A newer database is refused.

    Example: cpd-bridge migrate
    """
    result = run_with_services(lambda services: services.migrations.run())
    log.info("database migrated", **result.log_fields())
