"""List, show, replay and discard what could not be taken (``cpd-bridge dead-letters``)."""

from __future__ import annotations

import getpass
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any

import orjson
import typer

from bridge import wiring
from bridge.commands.with_services import run_with_services
from bridge.domain.operations import AGE, DeadLetterFilter
from bridge.domain.privacy import Reader
from bridge.domain.statements import DEAD_LETTER_REASONS
from bridge.services.operations.dead_letters import DeadLetterResult, Operations

app = typer.Typer(
    no_args_is_help=True,
    help="List, show, replay and discard what could not be taken.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _checked_reason(value: str | None) -> str | None:
    reasons = sorted(reason.value for reason in DEAD_LETTER_REASONS)
    if value is not None and value not in reasons:
        raise typer.BadParameter(f"one of {', '.join(reasons)}")
    return value


def _checked_age(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(AGE, value):
        raise typer.BadParameter("a number with s, m, h or d, for example 90m or 7d")
    return value


Reason = Annotated[str | None, typer.Option(callback=_checked_reason, help="Why it was refused, such as conflict.")]
Older = Annotated[str | None, typer.Option(callback=_checked_age, help="Failed longer ago than this: 90m, 7d.")]
Younger = Annotated[str | None, typer.Option(callback=_checked_age, help="Failed within this: 90m, 7d.")]
Member = Annotated[str | None, typer.Option(help="About this member.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Ids of letters, as the list shows them.")]
All = Annotated[bool, typer.Option("--all", help="Every letter.")]


@app.command("list")
def list_letters(
    *,
    reason: Reason = None,
    older_than: Older = None,
    younger_than: Younger = None,
    member: Member = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Letters shown, the newest failure first.")] = 50,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON line per letter.")] = False,
) -> None:
    """List dead letters, the newest failure first.

    Example: cpd-bridge dead-letters list --reason conflict --younger-than 2h
    """
    letters = DeadLetterFilter(None, reason, older_than, younger_than, member)
    page = run_with_services(lambda services: services.operations.list(letters, [("failed_at", True)], limit, None))
    if json:
        for letter in page.items:
            typer.echo(orjson.dumps(_facts(letter)))
        return
    typer.echo(f"{page.total} dead {'letter' if page.total == 1 else 'letters'}")
    for letter in page.items:
        typer.echo(_lines(letter))


def _lines(letter: Mapping[str, Any]) -> str:
    """Return a letter as lines that can be copied from, however narrow the screen is."""
    return (
        f"\n{letter['_id']}  {letter['reason']}  {letter['failed_at']}\n  {letter['detail']}\n"
        f"  {letter['routing_key']}, correlation id {letter['correlation_id']}"
    )


def _reader() -> Reader:
    """Return who runs this command, for the access log: an account of this machine, not a token's subject."""
    return Reader(f"account:{getpass.getuser()}", ("ops",), "cpd-bridge dead-letters show", uuid.uuid4().hex)


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(help="Id of the letter.")],
    *,
    reveal: Annotated[bool, typer.Option("--reveal", help="With names; noted in the access log.")] = False,
) -> None:
    """Show one letter as JSON, its names and texts masked.

    Example: cpd-bridge dead-letters show 0b1e9a52-6a63-5b39-9d0c-2f5d4d2f7c11
    """
    reveal_to = _reader() if reveal else None
    letter = run_with_services(lambda services: services.operations.show(letter_id, reveal_to=reveal_to))
    typer.echo(
        orjson.dumps({**_facts(letter), "shown": letter["shown"], "body": letter["body"]}, option=orjson.OPT_INDENT_2)
    )


@app.command()
def replay(
    ids: Ids = None,
    *,
    reason: Reason = None,
    older_than: Older = None,
    younger_than: Younger = None,
    member: Member = None,
    every: All = False,
) -> None:
    """Put letters back where they came from, by id or by filter; doing it twice is harmless.

    Example: cpd-bridge dead-letters replay --reason exhausted --younger-than 2h
    """
    letters = _letter_filter(ids, DeadLetterFilter(None, reason, older_than, younger_than, member), every)
    _settle(lambda operations: operations.replay(letters))


@app.command()
def discard(
    ids: Ids = None,
    *,
    reason: Reason = None,
    older_than: Older = None,
    younger_than: Younger = None,
    member: Member = None,
    every: All = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove letters for good, by id or by filter.

    Example: cpd-bridge dead-letters discard --reason not_json --older-than 30d --yes
    """
    letters = _letter_filter(ids, DeadLetterFilter(None, reason, older_than, younger_than, member), every)
    if not yes:
        typer.confirm("Remove these dead letters for good?", abort=True)
    _settle(lambda operations: operations.discard(letters))


def _letter_filter(ids: list[str] | None, letter_filter: DeadLetterFilter, every: bool) -> DeadLetterFilter:
    if not (ids or every or letter_filter != DeadLetterFilter()):
        raise typer.BadParameter("name ids, or a filter, or --all")
    return replace(letter_filter, ids=tuple(ids)) if ids else letter_filter


def _settle(act: Callable[[Operations], Awaitable[DeadLetterResult]]) -> None:
    """Act until no more is chosen; exit code 1 when a letter was not there or was refused."""

    async def all_of_it(services: wiring.Services) -> bool:
        while True:
            result = await act(services.operations)
            _print_result(result)
            if not result.more or not (result.replayed or result.discarded):
                return not (result.missing or result.refused)

    if not run_with_services(all_of_it):
        raise typer.Exit(1)


def _print_result(result: DeadLetterResult) -> None:
    typer.echo(f"{result.replayed} replayed, {result.discarded} discarded.")
    for letter_id in result.missing:
        typer.echo(f"{letter_id}: there is no such dead letter.", err=True)
    for letter_id in result.refused:
        typer.echo(f"{letter_id}: no queue of ours takes it back; it stays.", err=True)


def _facts(letter: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is shown of a letter beside its body."""
    hidden_fields = {"_id", "about", "owners", "named", "statements", "order", "copies", "mirrored_at", "body", "shown"}
    return {"id": letter["_id"], **{name: value for name, value in letter.items() if name not in hidden_fields}}
