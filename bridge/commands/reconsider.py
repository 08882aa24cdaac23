"""``cpd-bridge reconsider``: ignored statements are judged by today's settings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bridge.commands.with_services import run_with_services
from bridge.domain.fields import utc_bound
from bridge.domain.statements import RECONSIDERABLE, Reconsideration
from bridge.services.statements.reconsidering import Reconsiderer
from bridge.store import FAR_AHEAD, LONG_AGO, FateQuery

log = structlog.get_logger(__name__)


def _checked_reason(value: str | None) -> str | None:
    reasons = [reason.value for reason in RECONSIDERABLE]
    if value is not None and value not in reasons:
        raise typer.BadParameter(f"one of {', '.join(reasons)}")
    return value


def reconsider(
    *,
    reason: Annotated[
        str | None, typer.Option(callback=_checked_reason, help="Ignored for this reason, such as not_catalogue.")
    ] = None,
    received_from: Annotated[
        str | None,
        typer.Option("--from", help="Received on this day (UTC) or later, or at this RFC 3339 time or later."),
    ] = None,
    received_to: Annotated[
        str | None, typer.Option("--to", help="Received on this day (UTC) or earlier, or before this RFC 3339 time.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only; nothing is recorded.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not count and ask first.")] = False,
) -> None:
    """Judge ignored statements again: what counts by today's settings becomes a draft, once.

    It counts first and asks, then records, with a progress bar. It may be stopped at any time, and done again.

    Example: cpd-bridge reconsider --reason not_catalogue --from 2026-03-01 --dry-run
    """
    query = FateQuery(reason=reason, start=_time(received_from, LONG_AGO), end=_time(received_to, FAR_AHEAD, days=1))
    if dry_run or not yes:
        report = _run(query, dry_run=True)
        _print_counts(report)
        if dry_run or not report.total.counting:
            return
        typer.confirm(f"Record the {report.total.counting} that count?", abort=True)
    report = _run(query, dry_run=False)
    log.info("statements reconsidered", judged=report.total.statements, failed=report.failed, **report.outcomes)
    for disposition, count in sorted(report.outcomes.items()):
        typer.echo(f"{count} {disposition}.")
    if report.failed:
        typer.echo(f"{report.failed} could not be recorded: the log says why.", err=True)
        raise typer.Exit(1)


def _time(text: str | None, otherwise: datetime, days: int = 0) -> datetime:
    """Return a time in UTC: of a day its beginning, so many days later; a time without a zone is in UTC."""
    if text is None:
        return otherwise
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("a day such as 2026-03-01, or a time such as 2026-03-01T08:00:00Z") from None
    if len(text) == len("2026-03-01"):
        return utc_bound(time.date(), otherwise, days)
    return utc_bound(time if time.tzinfo else time.replace(tzinfo=UTC), otherwise)


def _run(query: FateQuery, *, dry_run: bool) -> Reconsideration:
    return run_with_services(lambda services: _with_progress(services.reconsiderer, query, dry_run))


async def _with_progress(reconsiderer: Reconsiderer, query: FateQuery, dry_run: bool) -> Reconsideration:
    report = Reconsideration()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("Judging" if dry_run else "Recording", total=await reconsiderer.count(query))
        async for _ in reconsiderer.run(query, report, dry_run=dry_run):
            progress.update(task, completed=report.total.statements + report.without_text)
    return report


def _print_counts(report: Reconsideration) -> None:
    table = Table("reason or prefix of the activity", "ignored", "count today")
    for name, count in (*sorted(report.by_reason.items()), *sorted(report.by_prefix.items())):
        table.add_row(name, str(count.statements), str(count.counting))
    Console().print(table)
    if report.without_text:
        typer.echo(f"{report.without_text} more have no text any more (BRIDGE_RETENTION_IGNORED_DAYS).")
