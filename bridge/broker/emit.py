"""Publishes statements from files to the exchange, as the Learning centre does."""

from __future__ import annotations

import itertools
import sys
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import orjson
from rich.console import Console
from rich.progress import track

from bridge.broker.publisher import Outgoing, publisher
from bridge.broker.topology import Topology, routing_key
from bridge.errors import Malformed
from bridge.settings import Settings

AT_ONCE = 200
"""Messages published before their confirms are awaited."""


async def emit_files(
    settings: Settings, topology: Topology, files: Sequence[Path], *, raw: bool = False, as_json: bool = False
) -> None:
    """Publish what the files hold, each statement as a message of its own; every one is confirmed on return.

    With ``as_json`` a line per message goes to standard output: ``statement_id``, ``correlation_id``. Raises
    ``Malformed`` for a file that is not JSON, before anything of that file is published.
    """
    messages = [message for file in files for message in _messages(file, topology, raw)]
    groups = [messages[start : start + AT_ONCE] for start in range(0, len(messages), AT_ONCE)]
    async with publisher(settings, "emit") as out:
        await out.declare(topology)
        shown = track(groups, "Publishing", console=Console(stderr=True), total=len(groups))
        for group in shown:
            await out.publish([message for message, _ in group], mandatory=False)
    if as_json:
        sys.stdout.buffer.writelines(_line(message, statement_id) for message, statement_id in messages)
        sys.stdout.buffer.flush()


def _line(message: Outgoing, statement_id: str | None) -> bytes:
    return orjson.dumps({"statement_id": statement_id, "correlation_id": message.correlation_id}) + b"\n"


def _messages(file: Path, topology: Topology, raw: bool) -> Iterator[tuple[Outgoing, str | None]]:
    content = file.read_bytes()
    if raw:
        yield _message(topology, "completed", content), None
        return
    for statement in _statements(file.name, content):
        verb = statement.get("verb", {}).get("id", "completed")
        yield _message(topology, str(verb), orjson.dumps(statement)), statement.get("id")


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
