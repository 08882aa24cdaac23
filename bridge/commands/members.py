"""Bring members from a file (``cpd-bridge members``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TypeVar

import orjson
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bridge.api.http import validation_errors
from bridge.commands.with_services import run_with_services
from bridge.domain.csv_rows import Row, template
from bridge.domain.members.files import COLUMNS, ID, fault_of_row, faults_of_id, is_unreadable, read_members
from bridge.domain.members.messages import MemberIn
from bridge.errors import FieldError, ValidationFailed
from bridge.services.members.imports import AT_ONCE, FileIndex, ImportOutcome, MemberImports, NumberedMember

R = TypeVar("R")

app = typer.Typer(
    no_args_is_help=True,
    help="Bring members from a file.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command("import")
def import_members(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV by the template, or NDJSON.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: a line for each fault, or the report.")] = False,
) -> None:
    """Create or change the members of a file, as PUT /v1/members/{id} does for each, with a progress bar.

    Every row is checked before any is written; with a fault, nothing is. A member who is stored just so already is left
    alone, so an import that was stopped is run again. What waited for a newcomer is recorded by the worker.

    Example: cpd-bridge members import members.csv
    """
    raw = file.read_bytes()
    try:
        counts = run_with_services(lambda services: import_file(services.member_imports, raw))
    except ValidationFailed as error:
        _print_faults(error, json=json)
        raise typer.Exit(1) from None
    _print_report(counts, json=json)


@app.command("template")
def print_template() -> None:
    """Print the header row of a CSV file of members; docs/guides/members.md explains the columns.

    Example: cpd-bridge members template > members.csv
    """
    typer.echo(template(COLUMNS), nl=False)


async def import_file(imports: MemberImports, raw: bytes) -> Counter[ImportOutcome]:
    """Check a file whole, then write it; returns what became of how many. Raises ``BridgeError`` with each fault."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        number = await _check(imports, raw, progress)
        return await _write(imports, raw, progress, number)


async def _check(imports: MemberImports, raw: bytes, progress: Progress) -> int:
    """Return the number of rows; raises ``ValidationFailed`` that names each fault of each."""
    task = progress.add_task("Checking", total=None)
    index, faults, number = FileIndex(), list[FieldError](), 0
    for rows in _batches(read_members(raw)):
        members = [_member_of(row) for row in rows]
        faults += [fault for member in members if not isinstance(member, NumberedMember) for fault in member]
        faults += await imports.check([member for member in members if isinstance(member, NumberedMember)], index)
        number += len(rows)
        progress.advance(task, len(rows))
    progress.update(task, total=number)
    if faults:
        count = "1 fault was" if len(faults) == 1 else f"{len(faults)} faults were"
        raise ValidationFailed(f"{count} found, and nothing was imported.", field_errors=faults)
    return number


async def _write(imports: MemberImports, raw: bytes, progress: Progress, number: int) -> Counter[ImportOutcome]:
    """Write the rows of a file that was checked, batch by batch; returns what became of how many."""
    task = progress.add_task("Writing", total=number)
    counts: Counter[ImportOutcome] = Counter()
    members = (member for row in read_members(raw) if isinstance(member := _member_of(row), NumberedMember))
    for rows in _batches(members):
        counts += await imports.write(rows)
        progress.advance(task, len(rows))
    return counts


def _batches(rows: Iterator[R]) -> Iterator[list[R]]:
    return iter(lambda: list(islice(rows, AT_ONCE)), [])


def _member_of(row: Row) -> NumberedMember | Sequence[FieldError]:
    """Return the member that a row has, or what is wrong with it."""
    if is_unreadable(row):
        return row.faults
    faults = [*faults_of_id(row), *row.faults]
    body = {name: value for name, value in row.values.items() if name != ID}
    try:
        member = MemberIn.model_validate_json(orjson.dumps(body), strict=True)
    except ValidationError as error:
        return [*faults, *_faults_of_body(row, body, error)]
    return faults or NumberedMember(row.number, row.values[ID], member)


def _faults_of_body(row: Row, body: dict[str, Any], error: ValidationError) -> Iterable[FieldError]:
    """Yield the faults of a body, but for cells that could not be read."""
    unread = {fault.pointer for fault in row.faults}
    for fault in validation_errors.of_body(error, body, MemberIn, frozenset()):
        in_file = fault_of_row(row.number, fault.pointer, fault.message)
        if in_file.pointer not in unread:
            yield in_file


def _print_faults(error: ValidationFailed, *, json: bool) -> None:
    for fault in error.field_errors:
        if json:
            typer.echo(orjson.dumps({"pointer": fault.pointer, "label": fault.label, "message": fault.message}))
        else:
            typer.echo(f"{fault.label}: {fault.message}", err=True)
    typer.echo(f"cpd-bridge: {error.detail}", err=True)


def _print_report(counts: Counter[ImportOutcome], *, json: bool) -> None:
    report: dict[str, Any] = {outcome.name.lower(): counts[outcome] for outcome in ImportOutcome}
    typer.echo(orjson.dumps(report) if json else ", ".join(f"{counts[o]:,} {o.value}" for o in ImportOutcome) + ".")
