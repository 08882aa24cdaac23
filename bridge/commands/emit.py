"""``cpd-bridge emit``: statements to the exchange, as the Learning centre publishes them: from files, or one of now."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, cast

import orjson
import tincan  # pyright: ignore[reportMissingTypeStubs] - it has none
import typer
from rich.console import Console
from rich.progress import track

from bridge.broker.publisher import Outgoing, publisher
from bridge.broker.topology import Topology, configured_topology, routing_key
from bridge.commands.common import configured
from bridge.errors import Malformed
from bridge.settings import Settings
from schemas import xapi
from schemas.xapi import NewPart

AT_ONCE = 200
"""Messages published before their confirms are awaited."""

LANGUAGE = "en-GB"  # language of the names that a statement made here has

Emitted = tuple[Outgoing, str | None]
"""A message and the statement id in it, if it has one."""


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
    if bool(files) == bool(actor and activity):
        raise typer.BadParameter("give files, or --actor and --activity")
    settings = configured()
    topology = configured_topology(settings)
    if actor and activity:
        try:
            messages = [_statement_message(topology, completed(actor, activity, name))]
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    elif raw:
        messages = [(_message(topology, "completed", file.read_bytes()), None) for file in files or ()]
    else:
        messages = [_statement_message(topology, part) for file in files or () for part in _statements(file)]
    asyncio.run(_publish(settings, topology, messages))
    if json:
        for message, statement_id in messages:
            line = {"statement_id": statement_id, "correlation_id": message.correlation_id}
            sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
        sys.stdout.buffer.flush()


def completed(actor: str, activity: str, name: str | None = None) -> NewPart:
    """Make a completed statement of now, built with tincan.

    ``actor`` is ``mailto:<address>`` or ``<home page>#<account name>``. Raises ``ValueError`` that names the fault.
    """
    definition = {"name": {LANGUAGE: name}} if name else {}
    built = tincan.Statement(
        id=str(uuid.uuid4()),
        actor=tincan.Agent(**_agent(actor)),
        verb=tincan.Verb(id=xapi.VERBS["completed"][0], display=tincan.LanguageMap({LANGUAGE: "completed"})),
        object=tincan.Activity(id=activity, definition=tincan.ActivityDefinition(definition)),
        result=tincan.Result(completion=True),
        timestamp=datetime.now(UTC),
    )
    statement = orjson.loads(built.to_json())
    if not xapi.is_valid(statement):
        fault = xapi.explain(statement)
        raise ValueError(f"{fault.pointer}: {fault.expected}")
    return statement


def _agent(actor: str) -> NewPart:
    if actor.startswith("mailto:"):
        return {"mbox": actor}
    home_page, separator, account = actor.rpartition("#")
    if not separator:
        raise ValueError("write the actor as mailto:ADDRESS or as HOMEPAGE#ACCOUNT")
    return {"account": tincan.AgentAccount(home_page=home_page, name=account)}


async def _publish(settings: Settings, topology: Topology, messages: Sequence[Emitted]) -> None:
    """Publish each statement as a message of its own; every one is confirmed on return, or said to be returned."""
    groups = [messages[start : start + AT_ONCE] for start in range(0, len(messages), AT_ONCE)]
    async with publisher(settings, "emit") as out:
        await out.declare(topology)
        for group in track(groups, "Publishing", console=Console(stderr=True), total=len(groups)):
            for message in await out.offer([message for message, _ in group]):
                sys.stderr.write(f"No queue takes {message.routing_key}: is its verb one of BRIDGE_VERBS?\n")


def _statement_message(topology: Topology, statement: NewPart) -> Emitted:
    verb = statement.get("verb", {}).get("id", "completed")
    return _message(topology, str(verb), orjson.dumps(statement)), statement.get("id")


def _message(topology: Topology, verb: str, body: bytes) -> Outgoing:
    return Outgoing(topology.statements, routing_key(verb), body, correlation_id=uuid.uuid4().hex)


def _statements(file: Path) -> Iterable[NewPart]:
    """Return the statements of a file; raises ``Malformed`` for one that is not JSON, before anything is published."""
    content = file.read_bytes()
    try:
        value: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        value = [_line_value(file.name, line) for line in content.splitlines() if line]
    return cast("list[dict[str, Any]]", value) if isinstance(value, list) else [value]


def _line_value(name: str, line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        raise Malformed(f"{name} is neither JSON nor one JSON value a line; --raw publishes it as it is.") from None
