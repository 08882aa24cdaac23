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
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("there is no promtool: install Debian's package prometheus, or run as root on Debian")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.fail(f"promtool {arguments[0]}:\n{done.stdout}{done.stderr}")
    return done.stdout
