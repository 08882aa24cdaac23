"""``cpd-bridge emit``: statements to the exchange, from files or made on the spot."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from bridge import wiring
from bridge.commands.common import configured


def emit(
    files: Annotated[
        list[Path] | None, typer.Argument(exists=True, dir_okay=False, help="JSON, a JSON array, or NDJSON.")
    ] = None,
    *,
    raw: Annotated[bool, typer.Option("--raw", help="Publish each file as it is, as one message.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON line per message: its ids.")] = False,
    actor: Annotated[str | None, typer.Option(help="Who completed it: mailto:ADDRESS, or HOMEPAGE#ACCOUNT.")] = None,
    activity: Annotated[str | None, typer.Option(help="IRI of what was completed, instead of files.")] = None,
    name: Annotated[str | None, typer.Option(help="What it is called.")] = None,
) -> None:
    """Publish statements to the exchange, as the Learning centre does, with a progress bar.

    Example: cpd-bridge emit completed.json more.ndjson

    Example: cpd-bridge emit --actor mailto:sam@example.org --activity https://learning.example.org/course/1
    """
    from bridge.broker.emit import completed, emit_files, emit_statement  # noqa: PLC0415 - others start faster without

    if bool(files) == bool(actor and activity):
        raise typer.BadParameter("give files, or --actor and --activity")
    settings = configured()
    topology = wiring.topology(settings)
    if actor and activity:
        try:
            statement = completed(actor, activity, name)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        asyncio.run(emit_statement(settings, topology, statement, as_json=json))
    else:
        asyncio.run(emit_files(settings, topology, files or [], raw=raw, as_json=json))
