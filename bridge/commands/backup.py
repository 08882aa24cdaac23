"""``cpd-bridge backup``, ``restore`` and ``erasures``: the whole database as a file, and back."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import orjson
import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bridge import wiring
from bridge.commands.common import configured
from bridge.commands.with_services import run_with_services
from bridge.documents.backups import BackupReader, writing
from bridge.documents.encryption import WrongKey
from bridge.domain.privacy import StoredErasure
from bridge.errors import SettingsError
from bridge.services.operations.backup import BackupFacts, RestoreFacts
from bridge.services.operations.backup import Progress as Told
from bridge.settings import Settings

log = structlog.get_logger(__name__)

STDOUT = Path("-")

Target = Annotated[
    Path, typer.Argument(help="The file to write, which must not exist, or a directory; - is standard output.")
]
Recipients = Annotated[
    list[str] | None, typer.Option("--recipient", help="Public key to encrypt for, beside those of the settings.")
]
Source = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The backup.")]
Identity = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="The private key that opens it.")]
Newer = Annotated[
    Path | None,
    typer.Option("--erasures", exists=True, dir_okay=False, help="What `cpd-bridge erasures` printed since."),
]


def backup(target: Target, recipient: Recipients = None) -> None:
    """Write the whole database to one file, compressed, with checksums, and encrypted (age) when there is a key.

    It is of one moment; a server that cannot be read so gives none.

    Example: cpd-bridge backup /backups/cpd-2026-05-04.age --recipient age1…
    """
    settings = configured()
    recipients = [*settings.backup_recipients, *(recipient or [])]
    if not recipients:
        sys.stderr.write("cpd-bridge: no key is given, so the backup is not encrypted\n")
    try:
        facts = asyncio.run(_backup(settings, target_file(target, encrypted=bool(recipients)), recipients))
    except WrongKey as error:
        raise SettingsError(f"BRIDGE_BACKUP_RECIPIENTS or --recipient: {error}") from None
    log.info("backed up", **facts)


def target_file(target: Path, *, encrypted: bool) -> Path:
    """Return the file to write: in a directory, one with a name of its own, by the time."""
    ending = ".tar.zst.age" if encrypted else ".tar.zst"
    return target / f"cpd-{datetime.now(UTC):%Y%m%dT%H%M%SZ}{ending}" if target.is_dir() else target


async def _backup(settings: Settings, target: Path, recipients: list[str]) -> BackupFacts:
    async with wiring.services(settings) as services:
        with (
            output_file(target) as out,
            progress_bar(await services.backups.size()) as progress,
            writing(out, recipients) as writer,
        ):
            facts = await services.backups.write(writer, progress)
        await services.backups.record_backup(facts)
        return facts


@contextmanager
def output_file(target: Path) -> Generator[BinaryIO]:
    """Give where to write; a file has its name only when it is whole and on the disk, and only its owner reads it."""
    if target == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if target.exists():
        raise typer.BadParameter(f"{target} exists already", param_hint="TARGET")
    part = target.with_name(f"{target.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)


def restore(source: Source, identity: Identity = None, newer: Newer = None) -> None:
    """Restore a backup into an empty database, and erase again whoever was erased since.

    The whole file is read and checked before anything is written. Then `verify-access-log` proves the access log.

    Example: BRIDGE_MONGO_DATABASE=cpd2 cpd-bridge restore cpd.age --identity key.txt --erasures ledger.ndjson
    """
    settings = configured()
    reader = BackupReader(source, identity or settings.backup_identity_file)
    log.info("restored", **asyncio.run(_restore(settings, reader, newer)))


async def _restore(settings: Settings, reader: BackupReader, newer: Path | None) -> RestoreFacts:
    async with wiring.services(settings) as services:
        with progress_bar(None) as progress:
            return await services.backups.restore(reader, _ledger(newer), progress)


async def _ledger(file: Path | None) -> AsyncGenerator[StoredErasure]:
    for line in file.read_bytes().splitlines() if file else ():  # noqa: ASYNC240 - nothing else is going on
        row = orjson.loads(line)
        yield {
            "_id": row["_id"],
            "state": "erased",
            "keys": row["keys"],
            "cause": row["cause"],
            "requested_at": datetime.fromisoformat(row["requested_at"]),
            "erased_at": datetime.fromisoformat(row["erased_at"]),
        }


def erasures() -> None:
    """Print the ledger of erasures as JSON lines, for a later restore; it has tombstones, and names nobody.

    Keep it in another place than the database, as often as you back up: with it, a restored backup knows whom to erase.

    Example: cpd-bridge erasures > ledger.ndjson
    """
    for row in run_with_services(_erasure_rows):
        sys.stdout.buffer.write(orjson.dumps(row) + b"\n")


async def _erasure_rows(services: wiring.Services) -> list[StoredErasure]:
    return [row async for row in services.backups.ledger()]


@contextmanager
def progress_bar(total: int | None) -> Generator[Told]:
    """Give what shows progress on a terminal's standard error, and nothing elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("documents"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("documents", total=total)
        yield lambda count: bar.advance(task, count)
