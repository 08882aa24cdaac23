"""What we depend on: known, licensed as allowed, listed for others, and audited or said not to be."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.licences import FILE, NOT_SHIPPED, PERMISSIVE, REPOSITORY, canonical, document, licensed, pinned

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def direct(requirements: list[str]) -> set[str]:
    """The names of requirements."""
    return {canonical(re.split(r"[\[<>=~!; ]", requirement)[0]) for requirement in requirements}


def test_the_licence_list_is_current() -> None:
    """``make licences`` would change nothing, on whatever Python and system."""
    assert FILE.read_text() == document(), "run make licences"


def test_every_licence_is_allowed() -> None:
    """Nothing outside the list, but for what is never shipped; that is under just the licence we know of."""
    foreign_licences = {package.name: package.licence for package in licensed() if not package.parts <= PERMISSIVE}
    assert foreign_licences == NOT_SHIPPED
    assert not set(NOT_SHIPPED) & pinned("run.txt")


def test_what_is_not_shipped_is_not_imported() -> None:
    """The GPL's program runs as a process of its own: no module of ours or of the tests imports it."""
    sources = [
        path for name in ("bridge", "consumers", "deploy", "schemas", "tests") for path in Path(name).rglob("*.py")
    ]
    assert len(sources) > 200
    imports = re.compile(r"^\s*(import|from)\s+secantus", re.MULTILINE | re.IGNORECASE)
    assert [path for path in sources if imports.search(path.read_text(encoding="utf-8"))] == []


def test_every_direct_dependency_says_why() -> None:
    """``docs/dependencies.md`` has each one, and none that is gone."""
    text = (REPOSITORY / "docs" / "dependencies.md").read_text()
    packages = {
        canonical(name)
        for cell in re.findall(r"^\| (`[^|]+)\|", text, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", cell)
    }
    assert packages == direct(PROJECT["dependencies"]) | direct(PROJECT["optional-dependencies"]["dev"])


def test_the_bill_of_materials_has_every_pin_with_its_hashes(tmp_path: Path) -> None:
    """CycloneDX, made from the pins as ``make sbom`` does, without a network."""
    bill_path = tmp_path / "sbom.json"
    command = _recipe("sbom", "cyclonedx-py").replace("dist/sbom.json", str(bill_path))
    subprocess.run(["bash", "-c", command], cwd=REPOSITORY, check=True, env=_offline(), timeout=100)
    bill = json.loads(bill_path.read_bytes())
    assert bill["bomFormat"] == "CycloneDX"
    components = {canonical(component["name"]): component for component in bill["components"]}
    assert pinned("run.txt") <= set(components)
    assert all(component["externalReferences"][0]["hashes"] for component in components.values())
    assert bill["metadata"]["component"]["name"] == "cpd-bridge"


def test_an_audit_that_could_not_look_fails() -> None:
    """Without a network, ``make audit`` does not say that all is well."""
    process = subprocess.run(
        ["bash", "-c", _recipe("audit", "pip-audit")], cwd=REPOSITORY, env=_offline(), check=False, timeout=100,
        capture_output=True, text=True,
    )  # fmt: skip
    assert process.returncode != 0
    assert "No known vulnerabilities" not in process.stdout + process.stderr


def _recipe(target: str, program: str) -> str:
    """The command of a Make target, with the programs of this environment."""
    output = subprocess.run(["make", "-n", target], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    (line,) = [line for line in output.replace("\\\n", " ").splitlines() if f"/{program} " in line]
    return line.replace(".venv/bin", str(Path(sys.executable).parent)).replace("2>/dev/null", "")


def _offline() -> dict[str, str]:
    unreachable = "http://127.0.0.1:9"
    return {
        **os.environ,
        "HTTPS_PROXY": unreachable,
        "HTTP_PROXY": unreachable,
        "https_proxy": unreachable,
        "http_proxy": unreachable,
    }
