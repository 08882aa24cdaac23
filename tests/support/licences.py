"""The licence list, ``docs/licences.md``, of all that is pinned: made by ``make licences``, compared by a test.

pip-licenses reads each package's own words; this file only gives different words for one licence the same name. A
Python or a system installs some of the pins: the licences of the others are kept as another one has read them.
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

PERMISSIVE = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MPL-2.0", "OFL-1.1",
        "PSF-2.0", "Unlicense", "Zlib",
    }
)  # fmt: skip
"""What a dependency may be under: permissive, or copyleft by the file alone (MPL-2.0)."""

NOT_SHIPPED = {"secantusdb": "GPL-2.0-only AND CC-BY-4.0"}
"""Under another licence, and never part of what is shipped: a process of its own in development and tests."""

_SYNONYMS = {
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

UNREAD = "to be read where it is installed"
"""Stands for the licence of a new pin for another Python or system: ``make licences`` there reads it."""


_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


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


def pins(file: str) -> list[tuple[str, str]]:
    """The name and version of each pin, for whatever Python and system, by name."""
    text = (REPOSITORY / "deploy" / "requirements" / file).read_text()
    return sorted((canonical(name), version) for name, version in _PIN.findall(text))


def pinned(file: str) -> set[str]:
    """The names that a file of pins holds."""
    return {name for name, _ in pins(file)}


def licensed() -> list[Licensed]:
    """Every pin with its licence; what else lies in the environment is not ours to list."""
    licences = _listed() | _installed()
    return [Licensed(*pin, licences.get(pin, UNREAD)) for pin in pins("dev.txt")]


def _listed() -> dict[tuple[str, str], str]:
    """The licences that the list has."""
    rows = re.findall(r"^\| (\S+) \| (\S+) \| (.+) \|$", FILE.read_text(), re.MULTILINE)
    return {(name, version): licence for name, version, licence in rows}


def _installed() -> dict[tuple[str, str], str]:
    """The licences of what is installed."""
    argv = [sys.executable, "-m", "piplicenses", "--from=mixed", "--format=json", "--with-system"]
    packages = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    return {
        (name := canonical(package["Name"]), package["Version"]): _expression(name, package["License"])
        for package in packages
    }


def _expression(name: str, text: str) -> str:
    if name in _READ:
        return _READ[name]
    licences = [licence for licence in text.split("; ") if licence != "DFSG approved"]
    return " OR ".join(_SYNONYMS.get(licence, licence) for licence in licences)


def document() -> str:
    """The whole of ``docs/licences.md``."""
    shipped_names = pinned("run.txt")
    packages = licensed()
    return "\n".join(
        [
            "# Licences",
            "",
            "Made by `make licences`; a test compares it with the pins and what is installed, and refuses a licence",
            "that is not on the list in `tests/support/licences.py`. Of two versions of a package, one is for newer",
            "Pythons. The fonts that three packages bring (`deckr-fonts`, `justmytype-intl-cjk`, `pymupdf-fonts`) are",
            "under the SIL Open Font License 1.1. `colorama` and `pywin32` are pinned for Windows alone.",
            "",
            "## In the image",
            "",
            *_table([package for package in packages if package.name in shipped_names]),
            "",
            "## For development and tests alone",
            "",
            "SecantusDB is under the GPL: a program of its own, never imported and never shipped.",
            "",
            *_table([package for package in packages if package.name not in shipped_names]),
            "",
        ]
    )


def _table(rows: list[Licensed]) -> list[str]:
    lines = [f"| {package.name} | {package.version} | {package.licence} |" for package in rows]
    return ["| Package | Version | Licence |", "|---|---|---|", *lines]


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
