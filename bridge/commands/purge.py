"""``cpd-bridge purge``: what is past its time goes."""

from __future__ import annotations

from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.table import Table

from bridge.commands.with_services import run_with_services

log = structlog.get_logger(__name__)


def purge(
    *, dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only; nothing is removed.")] = False
) -> None:
    """Remove what is past the periods in the settings (BRIDGE_RETENTION_…), and say how much of each class.

    Run it daily. docs/data-inventory.md has the periods.

    Example: cpd-bridge purge --dry-run
    """
    counts = run_with_services(lambda services: services.retention.purge(dry_run=dry_run))
    if not dry_run:
        log.info("purged", counts=counts)
    table = Table("class", "past its time" if dry_run else "removed")
    for name, number in counts.items():
        table.add_row(name, str(number))
    Console().print(table)
