"""Runs the console script's commands as a person does."""

from __future__ import annotations

import asyncio
import io
import os
from contextlib import redirect_stderr, redirect_stdout
from unittest.mock import patch

import pytest

from bridge.cli import main
from bridge.settings import Settings
from tests.support.log_lines import own_logging
from tests.support.processes import CLI, environment_of


async def run(settings: Settings, *arguments: str) -> tuple[int, str, str]:
    """Run a command to its end; returns exit code, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        CLI,
        *arguments,
        env=environment_of(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def run_here(settings: Settings, *arguments: str) -> tuple[int, str, str]:
    """Run a command to its end in this process, where no loop runs: a process of its own takes a second to begin."""
    out, err = io.StringIO(), io.StringIO()
    with (
        own_logging(),
        patch.dict(os.environ, environment_of(settings), clear=True),
        patch("sys.argv", ["cpd-bridge", *arguments]),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as end,
    ):
        main()
    return int(end.value.code or 0), out.getvalue(), err.getvalue()
