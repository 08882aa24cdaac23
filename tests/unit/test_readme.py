"""What the README and CONTRIBUTING say is what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.settings_page import settings_page

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_settings_page_is_the_code_s() -> None:
    """The page of settings is the one that ``make documents`` makes."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == settings_page(), "run: make documents"


def test_the_readme_is_short_and_leads_somewhere() -> None:
    """The README is read in five minutes, and each of its links is a file."""
    assert len(README.splitlines()) <= 120
    assert [path for path in re.findall(r"\]\(([^):#]+)\)", README) if not (ROOT / path).exists()] == []


def test_each_file_on_the_map_is_there() -> None:
    """A path in CONTRIBUTING is a file or folder; one without a folder is beside the path before it."""
    folder, missing = ROOT, list[str]()
    for path in re.findall(r"`([\w/.]+(?:\.py|\.md|\.json|/))`", CONTRIBUTING):
        folder = (ROOT / path).parent if "/" in path.rstrip("/") else folder
        if not (ROOT / path).exists() and not (folder / path).exists():
            missing.append(path)
    assert not missing


@pytest.mark.parametrize("corridor", re.findall(r"^\| `(\w+)` \|", CONTRIBUTING, re.MULTILINE))
def test_each_corridor_is_on_the_floors(corridor: str) -> None:
    """A corridor of the map is a folder of the services."""
    assert (ROOT / "bridge" / "services" / corridor).is_dir()
