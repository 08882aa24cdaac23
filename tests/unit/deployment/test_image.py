"""``deploy/Dockerfile`` and the wheel it is made of; the whole build without an engine is ``make image-check``."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

from consumers.health import health
from deploy.healthcheck import ready
from tests.support.image import REPOSITORY, instructions
from tests.support.manifests import pinned

INSTRUCTIONS = instructions()
LAST = {instruction.name: instruction for instruction in INSTRUCTIONS if instruction.stage == 1}


def test_it_has_two_stages_of_one_pinned_image() -> None:
    """Both stages run the same Python, of a version that nobody moves; the compiler's side stays behind."""
    images = [instruction.words[0] for instruction in INSTRUCTIONS if instruction.name == "FROM"]
    assert len(images) == 2
    assert images[0] == images[1]
    assert pinned(images[0])


def test_the_process_is_nobody_and_is_told_to_stop() -> None:
    """A numbered user that is not root, so that Kubernetes can see it; SIGTERM reaches the process itself."""
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", LAST["USER"].text)
    assert LAST["STOPSIGNAL"].text == "SIGTERM"
    assert LAST["ENTRYPOINT"].words == ["cpd-bridge"]
    assert LAST["CMD"].words == ["api"]
    order = [instruction.name for instruction in INSTRUCTIONS if instruction.stage == 1]
    assert "RUN" not in order[order.index("USER") :]


def test_every_command_is_in_the_exec_form() -> None:
    """No shell is needed, and none stands between a signal and the process."""
    commands = [instruction for instruction in INSTRUCTIONS if instruction.name in {"RUN", "CMD", "ENTRYPOINT"}]
    assert [command.text for command in commands if not command.text.startswith("[")] == []
    assert re.search(r'CMD \["python", "-m", "deploy\.healthcheck"\]$', LAST["HEALTHCHECK"].text)


def test_what_is_installed_comes_by_its_hash_alone() -> None:
    """Every pip that reaches an index demands hashes and wheels; the pins have them, and what builds is pinned too."""
    for instruction in (
        instruction
        for instruction in INSTRUCTIONS
        if instruction.name == "RUN" and "install" in instruction.words and "pip" in instruction.text
    ):
        by_hash = {"--require-hashes", "--only-binary", ":all:"} <= set(instruction.words)
        assert by_hash or {"--no-index", "--no-deps"} <= set(instruction.words), instruction.text
    for name in ("run.txt", "build.txt"):
        pins = (REPOSITORY / "deploy" / "requirements" / name).read_text()
        assert len(re.findall(r"^[a-z0-9._-]+==", pins, re.MULTILINE | re.IGNORECASE)) > 3
        assert pins.count("--hash=sha256:") >= pins.count("==")


def test_every_source_is_there_and_reaches_the_builder() -> None:
    """What COPY names exists, and .dockerignore lets it through; nothing else is sent, secrets least of all."""
    ignore = (REPOSITORY / ".dockerignore").read_text().splitlines()
    context_files = {line.removeprefix("!").rstrip("/") for line in ignore if line.startswith("!")}
    assert "*" in ignore
    sources = [
        word
        for instruction in INSTRUCTIONS
        if instruction.name == "COPY" and instruction.stage == 0
        for word in instruction.words[:-1]
    ]
    assert [source for source in sources if not (REPOSITORY / source).exists()] == []
    assert {source.split("/")[0] for source in sources} == context_files
    packages = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(packages["packages"]) < context_files


async def test_the_health_check_asks_the_process_itself() -> None:
    """Zero for a process that can work, one for one that cannot, that is another's, or that is not there."""

    async def away() -> None:
        raise ConnectionError

    async def answer(port: int) -> bool:
        return await asyncio.to_thread(ready, {"BRIDGE_METRICS_PORT": str(port)})

    async with health("127.0.0.1", 0, {}) as port:
        assert await answer(port) is True
    assert await answer(port) is False
    async with health("127.0.0.1", 0, {"store": away}) as port:
        assert await answer(port) is False


@pytest.mark.timeout(240)
def test_the_wheel_works_outside_the_repository(tmp_path: Path) -> None:
    """Built and installed in an environment of its own, it finds its commands, schemas and data."""
    python = Path(sys.executable)
    environment = {**os.environ, "PYTHONPATH": ""}
    subprocess.run(
        [python.with_name("hatchling"), "build", "-t", "wheel", "-d", tmp_path],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        env=environment,
    )
    venv.create(tmp_path / "app", with_pip=False)
    interpreter = tmp_path / "app" / "bin" / "python"
    pip = [
        python,
        "-m",
        "pip",
        "--python",
        interpreter,
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--find-links",
        tmp_path,
    ]
    subprocess.run([*pip, "cpd-bridge"], check=True, capture_output=True, env=environment)
    (site,) = (tmp_path / "app").glob("lib/python*/site-packages")
    (dependencies,) = python.parents[1].glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(f"{dependencies}\n")  # already installed here by the same hashes
    help_text = subprocess.run(
        [interpreter.with_name("cpd-bridge"), "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert {"worker", "migrate", "dead-letters"} <= set(help_text.stdout.split())
    loads = "import bridge, schemas.xapi, schemas.forms, bridge.serve, deploy.passwords; print(bridge.__file__)"
    output = subprocess.run(
        [interpreter, "-c", loads], cwd=tmp_path, capture_output=True, text=True, check=True, env=environment
    )
    assert output.stdout.startswith(str(tmp_path))
