"""Packages of npm that tests use, fetched once by the ordinary client; nothing of them is in the repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

CACHE = Path(__file__).parents[2] / ".local" / "npm"
WITHIN = 120  # seconds


def npm_package(name: str, version: str) -> Path:
    """Return the folder of a package, as npm unpacks it; skips the test with the reason when it is not to be had."""
    folder = CACHE / f"{name.replace('/', '+')}-{version}"
    if not folder.exists():
        _install(f"{name}@{version}", folder)
    return folder / "node_modules" / name


def _install(spec: str, folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"needs {spec}, and there is no npm here")
    CACHE.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=CACHE) as draft:
        command = [npm, "install", "--silent", "--no-save", "--no-package-lock", "--ignore-scripts", "--prefix", draft]
        ran = subprocess.run([*command, spec], capture_output=True, text=True, timeout=WITHIN, check=False)
        if ran.returncode:
            pytest.skip(f"npm cannot install {spec} here: {(ran.stderr or ran.stdout).strip()[-200:]}")
        shutil.copytree(draft, folder, dirs_exist_ok=True)
