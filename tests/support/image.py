"""What ``deploy/Dockerfile`` says, instruction by instruction, and its build done without a Docker engine.

``python -m tests.support.image`` (``make image-check``) does what the build stage does in a directory of its own: a
clean virtual environment, every dependency by its hash, the wheel built and installed; then the entry point and the
health check are run from there, far from the repository.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from tests.support.manifests import DEPLOY

REPOSITORY = DEPLOY.parent


@dataclass(frozen=True)
class Instruction:
    """One instruction; ``words`` is its array in the exec form, else its text split at blanks."""

    stage: int
    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """The array, or the words."""
        return json.loads(self.text) if self.text.startswith("[") else self.text.split()


def instructions() -> list[Instruction]:
    """Every instruction of the Dockerfile, its continued lines joined."""
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    commands_text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    build_steps: list[Instruction] = []
    stage = -1
    for line in filter(None, commands_text.splitlines()):
        name, _, text = line.partition(" ")
        stage += name == "FROM"
        build_steps.append(Instruction(stage, name, " ".join(text.split())))
    return build_steps


@dataclass(frozen=True)
class Build:
    """The build stage's file system, under a directory."""

    root: Path

    def run(self) -> None:
        """Copy and run all that the build stage copies and runs."""
        (self.root / "src").mkdir()
        for instruction in instructions():
            if instruction.stage == 0 and instruction.name == "COPY":
                self._copy(instruction.words)
            elif instruction.stage == 0 and instruction.name == "RUN":
                self.call(instruction.words)

    def _copy(self, words: list[str]) -> None:
        *sources, target = words
        for source in (REPOSITORY / word for word in sources):
            if source.is_dir():
                shutil.copytree(source, self.root / "src" / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, self.root / "src" / target)

    def call(self, words: list[str], **options: Any) -> str:
        """Run a command as the image would, its absolute paths under this directory."""
        program, *arguments = [f"{self.root}{word}" if word.startswith(("/opt/", "/dist")) else word for word in words]
        if program == "python":
            # The virtual environment of the tests is not the image's Python.
            program = str(Path(cast("str", sys._base_executable)))  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue, reportPrivateUsage] - typeshed hides it
        process = subprocess.run(
            [program, *arguments],
            cwd=self.root / "src",
            env={"PATH": os.defpath, "HOME": str(self.root), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_QUIET": "1"},
            capture_output=True,
            text=True,
            check=False,
            **options,
        )
        if process.returncode:
            raise SystemExit(f"{words} ended with exit code {process.returncode}:\n{process.stdout}{process.stderr}")
        return process.stdout

    @property
    def size(self) -> float:
        """MiB of what the second stage copies."""
        files = (self.root / "opt" / "cpd-bridge").rglob("*")
        return sum(path.lstat().st_size for path in files if path.is_file()) / 2**20


def main() -> None:
    """Build, run the entry point, and say how large it is."""
    with TemporaryDirectory() as directory:
        build = Build(Path(directory))
        build.run()
        help_text = build.call(["/opt/cpd-bridge/bin/cpd-bridge", "--help"])
        assert "worker" in help_text, help_text
        where = build.call(
            ["/opt/cpd-bridge/bin/python", "-c", "import bridge, deploy.healthcheck; print(bridge.__file__)"]
        )
        assert where.startswith(directory), where
        sys.stdout.write(f"The image's build works here; the service and its dependencies take {build.size:.0f} MiB.\n")


if __name__ == "__main__":
    main()
