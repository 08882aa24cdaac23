"""The service's own processes, started as operations start them."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from bridge.settings import PREFIX, Settings
from deploy.dev.client import is_ready
from deploy.dev.ports import free_port
from deploy.dev.processes import Process

CLI = Path(sys.executable).parent / "cpd-bridge"
START_WITHIN = 60.0


def environment_of(settings: Settings, **extra: str) -> dict[str, str]:
    """The environment that makes a process read these settings."""
    fields = {name: getattr(settings, name) for name in settings.model_fields_set}
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(PREFIX)},
        **{f"{PREFIX}{name.upper()}": _text(value) for name, value in fields.items() if value is not None},
        **extra,
    }


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


@dataclass
class Running:
    """One of the service's processes, with a port for its health."""

    process: Process
    port: int

    def start(self, *, wait: bool = True) -> None:
        """Start it and, unless told otherwise, wait until it is ready."""
        url = f"http://127.0.0.1:{self.port}"
        self.process.start((lambda: is_ready(url)) if wait else (lambda: True), START_WITHIN)

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self.process.kill()

    def stop(self) -> None:
        """Stop it with SIGTERM and wait for its end."""
        self.process.stop()


def api_process(settings: Settings, directory: Path, **extra: str) -> Running:
    """An API, not started yet; its log goes to ``directory``, ``extra`` is added to its environment."""
    port = free_port()
    environment = environment_of(settings, **{f"{PREFIX}HTTP_PORT": str(port)}, **extra)
    return Running(Process("api", [CLI, "api"], directory / "api.log", environment, grace=30), port)


def worker_process(settings: Settings, directory: Path, name: str = "worker", **extra: str) -> Running:
    """A worker, not started yet; its log goes to ``directory``, ``extra`` is added to its environment."""
    port = free_port()
    environment = environment_of(settings, **{f"{PREFIX}METRICS_PORT": str(port)}, **extra)
    return Running(Process(name, [CLI, "worker"], directory / f"{name}.log", environment, grace=30), port)
