"""``cpd-bridge pull``: statements from another LRS."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bridge import wiring
from bridge.broker.publisher import publisher
from bridge.clients.lrs import RemoteLrs, remote_lrs
from bridge.commands.common import configured
from bridge.domain.statements import verb_iris
from bridge.services.statements.pulling import LrsPull
from bridge.settings import Settings

Version = Literal["1.0.3", "2.0"]


def pull(
    *,
    endpoint: Annotated[str, typer.Option(help="The LRS's base address, to which /statements is added.")],
    user: Annotated[str, typer.Option(help="User (or key) of its Basic credentials.")],
    password_file: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="File that holds the password.")],
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%z"],
            help="Statements stored after this time (UTC unless it says); otherwise where the last pull ended.",
        ),
    ] = None,
    version: Annotated[Version | None, typer.Option(help="xAPI version; otherwise what the LRS's about says.")] = None,
    verb: Annotated[
        list[str] | None, typer.Option(help="A name or IRI of BRIDGE_VERBS; repeatable; otherwise all of them.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds that one call to the LRS may take.")] = 30.0,
) -> None:
    """Bring completed statements from another LRS and publish them as the Learning centre does, with a progress bar.

    A pull that was stopped goes on where it was; doing it again adds nothing to any log.

    Example: cpd-bridge pull --endpoint https://lrs.example.org/xapi --user key --password-file secret.txt
    """
    settings = configured()
    verbs = _verbs(settings, verb)
    start = since.astimezone(UTC) if since and since.tzinfo else since and since.replace(tzinfo=UTC)
    password = password_file.read_text(encoding="utf-8").rstrip("\r\n")

    async def run() -> int:
        async with remote_lrs(endpoint, user, password, timeout) as lrs:
            if version:
                lrs.version = version
            else:
                await lrs.negotiate()
            return await _run(settings, lrs, endpoint, verbs, start)

    typer.echo(f"{asyncio.run(run())} statements published.")


def _verbs(settings: Settings, names: list[str] | None) -> list[str]:
    configured_iris = verb_iris(settings.verbs)
    try:
        iris = verb_iris(tuple(names)) if names else configured_iris
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--verb") from None
    if not iris <= configured_iris:
        raise typer.BadParameter("add the verb to BRIDGE_VERBS first: now no queue takes it", param_hint="--verb")
    return sorted(iris)


async def _run(settings: Settings, lrs: RemoteLrs, endpoint: str, verbs: list[str], since: datetime | None) -> int:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}"), TimeElapsedColumn())
    async with wiring.services(settings) as services, publisher(settings, "pull") as out:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("Pulling", total=None)
            pulling = LrsPull(services.stores.pulls, wiring.topology(settings))
            total = 0
            async for count in pulling.pull(lrs, endpoint, verbs, since, out):
                progress.advance(task, count)
                total += count
            return total
