"""``cpd-bridge verify-access-log``: proof that nobody changed who read what."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

from bridge.commands.with_services import run_with_services
from bridge.services.access.access_log import ChainAnchor

Noted = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="What an earlier run printed: its rows must still be there."),
]


def verify_access_log(noted: Noted = None) -> None:
    """Check that no row of the access log was changed, removed or moved; print where each chain ends, as JSON lines.

    Exit code 1 when one was, and which on standard error. Keep what is printed in another place: with it, a later run
    finds out even somebody who may write to the whole database.

    Example: cpd-bridge verify-access-log --noted yesterday.ndjson > today.ndjson
    """
    anchors = tuple(_anchors(noted)) if noted else ()
    verdict = run_with_services(lambda services: services.access.verify(anchors))
    sys.stdout.buffer.write(b"".join(orjson.dumps(head) + b"\n" for head in verdict.heads))
    for fault in verdict.faults:
        sys.stderr.write(f"{fault}\n")
    sys.stderr.write(f"{verdict.rows} rows, {len(verdict.faults)} faults\n")
    raise typer.Exit(1 if verdict.faults else 0)


def _anchors(noted: Path) -> list[ChainAnchor]:
    try:
        heads = [orjson.loads(line) for line in noted.read_bytes().splitlines() if line.strip()]
        return [ChainAnchor(chain=head["chain"], seq=head["seq"], hash=head["hash"]) for head in heads]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise typer.BadParameter("not what verify-access-log prints", param_hint="--noted") from None
