"""Jars of Maven that tests use, fetched once by the ordinary client; nothing of them is in the repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

CACHE = Path(__file__).parents[2] / ".local" / "maven"
WITHIN = 240  # seconds
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tests</groupId><artifactId>tests</artifactId><version>1</version>
<dependencies><dependency><groupId>{0}</groupId><artifactId>{1}</artifactId><version>{2}</version></dependency>
</dependencies></project>"""


def jars(group: str, artifact: str, version: str) -> str:
    """Return the class path of an artifact and what it needs; skips the test with the reason when there is none."""
    folder = CACHE / f"{artifact}-{version}"
    if not folder.exists():
        _fetch(POM.format(group, artifact, version), folder)
    return f"{folder}/*"


def _fetch(pom: str, folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        pytest.skip(f"needs {folder.name}, and there is no mvn here")
    CACHE.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=CACHE) as draft:
        (Path(draft) / "pom.xml").write_text(pom, encoding="utf-8")
        command = [maven, "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={draft}/jars"]
        ran = subprocess.run(command, cwd=draft, capture_output=True, text=True, timeout=WITHIN, check=False)
        if ran.returncode:
            pytest.skip(f"mvn cannot fetch {folder.name} here: {ran.stdout.strip()[-200:]}")
        shutil.move(f"{draft}/jars", folder)
