"""Runs the console script's commands as a person does."""

from __future__ import annotations

import asyncio

from bridge.settings import Settings
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
