"""Each command that a page for operations names is there, with the options that it is shown with."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from bridge.cli import commands

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "docs/runbook.md",
    *(f"docs/guides/{name}.md" for name in ("running-it", "members")),
)
EXAMPLES_OF_COMMANDS = re.compile(r"`cpd-bridge ([a-z][^`…]*)[`…]|^ *cpd-bridge ([a-z][^#\n]*)", re.MULTILINE)


def loaded(name: str) -> Any:
    """A command or a group of them, as the console script has it."""
    (entry,) = [entry for entry in commands() if entry.name == name]
    command: Any = entry.load()
    if not isinstance(command, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command()(command)
        command = app
    return typer.main.get_command(command)


@pytest.mark.parametrize("page", PAGES)
def test_each_command_is_there_with_its_options(page: str) -> None:
    """Neither a command nor an option that was renamed stays on a page."""
    lines = ["".join(match) for match in EXAMPLES_OF_COMMANDS.findall((ROOT / page).read_text(encoding="utf-8"))]
    assert lines
    for line in lines:
        words = shlex.split(line)
        command = loaded(words[0])
        if hasattr(command, "commands"):
            command = command.commands[words[1]]
        options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert {word for word in words if word.startswith("--")} <= options, line
