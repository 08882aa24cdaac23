"""Prometheus' own checker of rules and configurations; installed by apt where this is root on Debian."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.dev import apt

_PROMTOOL = Path("/usr/bin/promtool")


def promtool(*arguments: str | Path) -> str:
    """Run it and return what it said; fails the test with its words, and skips where there is none to be had."""
    if shutil.which("promtool") is None and apt.available():
        apt.install("prometheus", _PROMTOOL)
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("there is no promtool: install Debian's package prometheus, or run as root on Debian")
    process = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=300, check=False)
    if process.returncode:
        pytest.fail(f"promtool {arguments[0]}:\n{process.stdout}{process.stderr}")
    return process.stdout
