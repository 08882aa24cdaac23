"""Publishes statements to the exchange, as the Learning centre does: from files, or one made of a few facts."""

from __future__ import annotations

import itertools
import sys
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import orjson
import tincan  # pyright: ignore[reportMissingTypeStubs] - it has none
from rich.console import Console
from rich.progress import track

from bridge.broker.publisher import Outgoing, publisher
from bridge.broker.topology import Topology, routing_key
from bridge.errors import Malformed
from bridge.settings import Settings
from schemas import xapi

AT_ONCE = 200
"""Messages published before their confirms are awaited."""

LANGUAGE = "en-GB"
"""Language of the names that a statement made here has."""

Emitted = tuple[Outgoing, str | None]
"""A message and the statement id in it, if it has one."""


async def emit_files(
    settings: Settings, topology: Topology, files: Sequence[Path], *, raw: bool = False, as_json: bool = False
) -> None:
    """Publish what the files hold, each statement as a message of its own; every one is confirmed on return.

    With ``as_json`` a line per message goes to standard output: ``statement_id``, ``correlation_id``. Raises
    ``Malformed`` for a file that is not JSON, before anything is published.
    """
    await _emit(settings, topology, [message for file in files for message in _messages(file, topology, raw)], as_json)


async def emit_statement(
    settings: Settings, topology: Topology, statement: dict[str, Any], *, as_json: bool = False
) -> None:
    """Publish one statement; it is confirmed on return."""
    await _emit(settings, topology, [_of_statement(statement, topology)], as_json)


def completed(actor: str, activity: str, name: str | None = None) -> dict[str, Any]:
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


def _agent(actor: str) -> dict[str, Any]:
    if actor.startswith("mailto:"):
        return {"mbox": actor}
    home_page, separator, account = actor.rpartition("#")
    if not separator:
        raise ValueError("write the actor as mailto:ADDRESS or as HOMEPAGE#ACCOUNT")
    return {"account": tincan.AgentAccount(home_page=home_page, name=account)}


async def _emit(settings: Settings, topology: Topology, messages: list[Emitted], as_json: bool) -> None:
    groups = [messages[start : start + AT_ONCE] for start in range(0, len(messages), AT_ONCE)]
    async with publisher(settings, "emit") as out:
        await out.declare(topology)
        for group in track(groups, "Publishing", console=Console(stderr=True), total=len(groups)):
            await out.publish([message for message, _ in group], mandatory=False)
    if as_json:
        sys.stdout.buffer.writelines(_line(message, statement_id) for message, statement_id in messages)
        sys.stdout.buffer.flush()


def _line(message: Outgoing, statement_id: str | None) -> bytes:
    return orjson.dumps({"statement_id": statement_id, "correlation_id": message.correlation_id}) + b"\n"


def _messages(file: Path, topology: Topology, raw: bool) -> Iterator[Emitted]:
    content = file.read_bytes()
    if raw:
        yield _message(topology, "completed", content), None
        return
    for statement in _statements(file.name, content):
        yield _of_statement(statement, topology)


def _of_statement(statement: dict[str, Any], topology: Topology) -> Emitted:
    verb = statement.get("verb", {}).get("id", "completed")
    return _message(topology, str(verb), orjson.dumps(statement)), statement.get("id")


def _message(topology: Topology, verb: str, body: bytes) -> Outgoing:
    return Outgoing(topology.statements, routing_key(verb), body, correlation_id=uuid.uuid4().hex)


def _statements(name: str, content: bytes) -> Iterable[dict[str, Any]]:
    try:
        value: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        return list(itertools.chain.from_iterable(_line_value(name, line) for line in content.splitlines() if line))
    return cast("list[dict[str, Any]]", value) if isinstance(value, list) else [value]


def _line_value(name: str, line: bytes) -> list[dict[str, Any]]:
    try:
        return [orjson.loads(line)]
    except orjson.JSONDecodeError:
        raise Malformed(f"{name} is neither JSON nor one JSON value a line; --raw publishes it as it is.") from None
