"""CPU seconds of small commands, and of a process until it is ready: the least of some tries, of the child alone."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

from bridge.settings import PREFIX
from deploy.dev.client import is_ready
from deploy.dev.ports import free_port
from tests.benchmarks.measured import Child
from tests.benchmarks.world import World
from tests.support.processes import CLI, environment_of

TRIES = 5
COMMANDS = (("--help",), ("token", "--sub", "m-1", "--role", "member"), ("openapi",))
LOOK_EVERY = 0.05  # seconds


def command_cpu(arguments: tuple[str, ...], directory: Path) -> float:
    """Return the CPU seconds, user and system, that a command takes from its start to its end."""
    environment = {**os.environ, f"{PREFIX}LOCAL_DIR": str(directory)}
    return min(_run(arguments, environment) for _ in range(TRIES))


def _run(arguments: tuple[str, ...], environment: dict[str, str]) -> float:
    process = subprocess.Popen([CLI, *arguments], env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return usage.ru_utime + usage.ru_stime


async def ready_cpu(world: World, command: str) -> float:
    """Return the CPU seconds that ``api`` or ``worker`` takes until it says that it is ready."""
    return min([await _start(world, command) for _ in range(TRIES)])


async def _start(world: World, command: str) -> float:
    port = free_port()
    ports = {f"{PREFIX}{name}_PORT": str(port) for name in ("HTTP", "METRICS")}
    environment = environment_of(world.settings, **ports, **{f"{PREFIX}LOG_LEVEL": "warning"})
    child = Child(subprocess.Popen([CLI, command], env=environment), port)
    try:
        while not await asyncio.to_thread(is_ready, f"http://127.0.0.1:{port}"):
            assert child.process.poll() is None, command
            await asyncio.sleep(LOOK_EVERY)
        return child.cpu
    finally:
        child.process.terminate()
        await asyncio.to_thread(child.process.wait, 60)
