"""Packages of npm and jars of Maven that tests use, fetched once by the ordinary clients; none is in the repository."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

CACHE = Path(__file__).parents[2] / ".local"
WITHIN = 100  # seconds: a slow registry skips a test, rather than let it run out of time
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tests</groupId><artifactId>tests</artifactId><version>1</version>
<dependencies><dependency><groupId>{0}</groupId><artifactId>{1}</artifactId><version>{2}</version></dependency>
</dependencies></project>"""


def npm_package(name: str, version: str) -> Path:
    """Return the folder of a package, as npm unpacks it; skips the test with the reason when it is not to be had."""
    folder = CACHE / "npm" / f"{name.replace('/', '+')}-{version}"
    options = ("--silent", "--no-save", "--no-package-lock", "--ignore-scripts", "--prefix", ".")
    _fetch(folder, ["npm", "install", *options, f"{name}@{version}"], {})
    return folder / "node_modules" / name


def jars(group: str, artifact: str, version: str) -> str:
    """Return the class path of an artifact and what it needs; skips the test with the reason when there is none."""
    folder = CACHE / "maven" / f"{artifact}-{version}"
    command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=."]
    _fetch(folder, command, {"pom.xml": POM.format(group, artifact, version)})
    return f"{folder}/*"


def _fetch(folder: Path, command: Sequence[str], files: dict[str, str]) -> None:
    """Run a client in a folder with these files, and keep the folder once it has ended well."""
    if folder.exists():
        return
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {folder.name}, and there is no {command[0]} here")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as draft:
        for name, text in files.items():
            (Path(draft) / name).write_text(text, encoding="utf-8")
        try:
            ran = subprocess.run(command, cwd=draft, capture_output=True, text=True, timeout=WITHIN, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"{command[0]} did not fetch {folder.name} within {WITHIN} s")
        if ran.returncode:
            pytest.skip(f"{command[0]} cannot fetch {folder.name} here: {(ran.stderr or ran.stdout).strip()[-200:]}")
        shutil.copytree(draft, folder, dirs_exist_ok=True)
