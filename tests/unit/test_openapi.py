"""The OpenAPI document that a portal's team reads in the repository is the one that the service gives."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from bridge.api.app import pattern
from bridge.api.resources import reference
from bridge.domain.forms import STANDARD
from bridge.settings import PREFIX
from tests.support.processes import CLI

DOCUMENT_FILE = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_committed_document_is_the_code_s() -> None:
    """A changed API shows as changed lines in a review: ``make documents`` writes them."""
    assert DOCUMENT_FILE.read_bytes() == reference(STANDARD), "run: make documents"


@pytest.mark.parametrize("public_url", [None, "https://cpd.example.org"])
def test_the_command_prints_the_document_of_the_settings(public_url: str | None) -> None:
    """What comes with the package is printed for the standard settings; else the document is made."""
    setting = {} if public_url is None else {f"{PREFIX}PUBLIC_URL": public_url}
    process = subprocess.run([CLI, "openapi"], env={**os.environ, **setting}, capture_output=True, check=True)
    assert process.stdout == reference(STANDARD, public_url)


def test_schemas_have_plain_names() -> None:
    """A typed client's classes are called as people would: no module path, no brackets of a generic."""
    names = json.loads(DOCUMENT_FILE.read_bytes())["components"]["schemas"]
    assert [name for name in names if not name.isalpha() or not name[0].isupper()] == []


def test_a_change_has_no_defaults() -> None:
    """A generated client would send a default of a ``PATCH``, and make a draft of what was finished."""
    schemas = json.loads(DOCUMENT_FILE.read_bytes())["components"]["schemas"]
    changes = {name: schema["properties"] for name, schema in schemas.items() if name.endswith("Patch")}
    assert changes.keys() == {"LogEntryPatch", "PlanItemPatch"}
    assert [field for fields in changes.values() for field in fields.values() if "default" in field] == []


def test_a_parameter_leaves_room_for_words() -> None:
    """A parameter never takes the place of a word that another path has there (OpenAPI 3.1, Path Templating)."""
    paths = ["/a/{id}", "/a/all", "/a/new.txt", "/a/{id}/all", "/b/{id}/c"]
    assert pattern("/a/{id}", paths) == r"/a/{id:(?!(?:all|new\.txt)$)[^{}/]+}"
    assert [pattern(path, paths) for path in paths[1:]] == paths[1:]
