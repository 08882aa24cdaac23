"""The console script: each command is loaded when it is called, so that help and small commands are quick.

The commands of other packages come by entry point.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from bridge.errors import BridgeError, SettingsError, Unavailable

HELP: Final = "From xAPI completed statements to draft CPD log entries, and the plan/log/audit API that portals call."

GROUP: Final = "cpd_bridge.commands"

OWN: Final[Mapping[str, str]] = {
    "api": "bridge.commands.serving:api",
    "openapi": "bridge.commands.openapi:openapi",
    "asyncapi": "bridge.commands.asyncapi:asyncapi",
    "migrate": "bridge.commands.migrate:migrate",
    "version": "bridge.commands.migrate:version",
    "token": "bridge.commands.token:token",  # nosec B105 - the name of a command
    "emit": "bridge.commands.emit:emit",
    "pull": "bridge.commands.pull:pull",
    "verify-access-log": "bridge.commands.access_log:verify_access_log",
    "reconsider": "bridge.commands.reconsider:reconsider",
    "purge": "bridge.commands.purge:purge",
    "lrs-credential": "bridge.commands.lrs_credential:lrs_credential",
    "backup": "bridge.commands.backup:backup",
    "restore": "bridge.commands.backup:restore",
    "erasures": "bridge.commands.backup:erasures",
    "dead-letters": "bridge.commands.dead_letters:app",
    "members": "bridge.commands.members:app",
}

_typer = partial(typer.Typer, add_completion=False, pretty_exceptions_enable=False)


class DeferredCommand(TyperCommand):
    """A command that is known by its name and summary, and loaded when it is called."""

    def __init__(self, entry: EntryPoint) -> None:
        super().__init__(entry.name, help=summary(entry))
        self._entry = entry

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Load the command, and let it read its arguments."""
        command: Any = self._entry.load()
        if not isinstance(command, typer.Typer):
            single = _typer()
            single.command(self._entry.name)(command)
            command = single
        return typer.main.get_command(command).make_context(info_name, args, parent, **extra)


def summary(entry: EntryPoint) -> str:
    """Return the first line of a command's docstring, or of its module's for a group, read without loading either."""
    spec = find_spec(entry.module)
    assert spec
    assert spec.origin
    module = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    functions = {part.name: part for part in module.body if isinstance(part, ast.FunctionDef)}
    return (ast.get_docstring(functions.get(entry.attr, module)) or "").partition("\n")[0]


def commands() -> list[EntryPoint]:
    """Return every command of the service: its own, and those of the packages above it."""
    return [*(EntryPoint(name, target, GROUP) for name, target in OWN.items()), *entry_points(group=GROUP)]


def main() -> None:
    """Run the console script: exit code 0 when done, 1 when it failed, 2 for wrong usage or wrong settings."""
    deferred_commands = {entry.name: DeferredCommand(entry) for entry in commands()}
    try:
        TyperGroup(name="cpd-bridge", commands={**deferred_commands}, help=HELP, no_args_is_help=True)()
    except SettingsError as error:
        sys.stderr.write(f"cpd-bridge: {error}\n")
        sys.exit(2)
    except BridgeError as error:
        sys.stderr.write(f"cpd-bridge: {error.detail}{_remedy(error)}\n")
        sys.exit(1)


def _remedy(error: BridgeError) -> str:
    """Return why a part cannot be reached, and the setting to look at."""
    if isinstance(error, Unavailable) and error.setting:
        return f" ({error.why}; is {error.setting} right?)"
    return ""


if __name__ == "__main__":
    main()
