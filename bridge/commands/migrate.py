"""``cpd-bridge migrate`` and ``version``: the database brought to this release, and which release it is."""

from __future__ import annotations

from importlib.metadata import version as installed_version

import structlog
import typer

from bridge.commands.with_services import run_with_services
from bridge.store import SCHEMA_VERSION

log = structlog.get_logger(__name__)


def migrate() -> None:
    """Bring the database to this release: indexes, validators, and what changed since; doing it again changes nothing.

    Run it before the new release serves; the one before it may go on meanwhile. A newer database is refused.

    Example: cpd-bridge migrate
    """
    result = run_with_services(lambda services: services.migrations.run())
    log.info("database migrated", **result.log_fields())


def version() -> None:
    """Print the release that is installed here, and the version of the database that it makes.

    Two releases with the same version of the database can be exchanged; from a newer one, going back is a restore.

    Example: cpd-bridge version
    """
    typer.echo(f"cpd-bridge {installed_version('cpd-bridge')}, database version {SCHEMA_VERSION}")
