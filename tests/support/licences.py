"""The licence list, ``docs/licences.md``: made from what is installed (``make licences``), compared by a test.

pip-licenses reads each package's own words; this file only gives different words for one licence the same name.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
FILE = REPOSITORY / "docs" / "licences.md"

ALLOWED = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MPL-2.0", "OFL-1.1",
        "PSF-2.0", "Unlicense", "Zlib",
    }
)  # fmt: skip
"""What a dependency may be under: permissive, or copyleft by the file alone (MPL-2.0)."""

NOT_SHIPPED = {"SecantusDB": "GPL-2.0-only AND CC-BY-4.0"}
"""Under another licence, and never part of what is shipped: a process of its own in development and tests."""

_SAME = {
    "The Unlicense (Unlicense)": "Unlicense",
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",  # the classifier says no more; their files are the 3-clause text, but for ``_READ``
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "SIL OFL V1.1": "OFL-1.1",
}

_READ = {
    "axe-playwright-python": "MIT",
    "grimp": "BSD-2-Clause",
    "import-linter": "BSD-2-Clause",
    "pyrage": "MIT",
}
"""Packages whose metadata name no licence, or not which, by the licence file that they carry."""

_OTHER_PLATFORMS = frozenset({"colorama"})
"""Pinned for Windows alone, so not installed where this runs: BSD-3-Clause by its project's word."""


@dataclass(frozen=True, order=True)
class Licensed:
    """A package, its version, and its licence as an SPDX expression."""

    name: str
    version: str
    licence: str

    @property
    def parts(self) -> set[str]:
        """The licences that the expression names."""
        return set(re.split(r" AND | OR |[()]", self.licence)) - {""}


def canonical(name: str) -> str:
    """A package's name as an index knows it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(file: str) -> set[str]:
    """The names that a file of pins holds."""
    text = (REPOSITORY / "deploy" / "requirements" / file).read_text()
    return {canonical(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)} - _OTHER_PLATFORMS


def installed() -> list[Licensed]:
    """Every pinned package, by name; what else lies in the environment is not ours to list."""
    argv = [sys.executable, "-m", "piplicenses", "--from=mixed", "--format=json", "--with-system"]
    found = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    wanted = pinned("dev.txt")
    return sorted(
        (Licensed(one["Name"], one["Version"], _expression(one["Name"], one["License"])) for one in found
         if canonical(one["Name"]) in wanted),
        key=lambda one: canonical(one.name),
    )  # fmt: skip


def _expression(name: str, told: str) -> str:
    if name in _READ:
        return _READ[name]
    several = [one for one in told.split("; ") if one != "DFSG approved"]
    return " OR ".join(_SAME.get(one, one) for one in several)


def document() -> str:
    """The whole of ``docs/licences.md``."""
    shipped = pinned("run.txt")
    everything = installed()
    return "\n".join(
        [
            "# Licences",
            "",
            "Made by `make licences`; a test compares it with what is installed, and refuses a licence that is not on",
            "the list in `tests/support/licences.py`. The fonts that three packages bring (`deckr-fonts`,",
            "`justmytype-intl-cjk`, `pymupdf-fonts`) are under the SIL Open Font License 1.1. `colorama`",
            "(BSD-3-Clause) is pinned for Windows alone.",
            "",
            "## In the image",
            "",
            *_table([one for one in everything if canonical(one.name) in shipped]),
            "",
            "## For development and tests alone",
            "",
            "SecantusDB is under the GPL: a program of its own, never imported and never shipped.",
            "",
            *_table([one for one in everything if canonical(one.name) not in shipped]),
            "",
        ]
    )


def _table(rows: list[Licensed]) -> list[str]:
    lines = [f"| {one.name} | {one.version} | {one.licence} |" for one in rows]
    return ["| Package | Version | Licence |", "|---|---|---|", *lines]


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
