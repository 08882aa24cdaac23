"""The fonts of the PDF booklets: where their packages keep them, and which characters they can show between them.

All are under the SIL Open Font License 1.1 and come as installed packages; nothing is downloaded at run time.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import Any

import orjson
from fontTools.ttLib import TTFont  # pyright: ignore[reportMissingTypeStubs] - it has none

IN_MODULES = ("FiraGO_Regular", "FiraGO_Bold", "NotoSans_Regular", "NotoSans_Bold", "NotoSansSymbols2_Regular")
"""Modules of pymupdf-fonts, each with one font as bytes."""

IN_FILES = {
    "justmytype_intl_cjk": tuple(
        f"fonts/ofl/notosans{script}/NotoSans{script.upper()}[wght].ttf" for script in ("sc", "tc", "jp", "kr")
    ),
    "deckr_fonts": ("fonts/NotoEmoji[wght].ttf",),
}
"""Package → font files in it. Emoji are monochrome: a colour font fails PDF/UA-1."""

COVERAGE = "coverage.json"


def install(directory: Path) -> list[Path]:
    """Put every font into ``directory`` (again only when missing), unpacked or as a link; returns the files.

    Several processes may do this at once. Raises ``ModuleNotFoundError`` when a package is not installed.
    """
    return [*map(_unpacked, repeat(directory), IN_MODULES), *(_linked(directory, path) for path in _files())]


def coverage(directory: Path) -> frozenset[int]:
    """Return the code points that at least one font has a glyph for; reckoned once for a directory."""
    path = directory / COVERAGE
    if not path.exists():
        _write(path, orjson.dumps(sorted(set[int]().union(*map(_characters, install(directory))))))
    return frozenset(orjson.loads(path.read_bytes()))


def _unpacked(directory: Path, name: str) -> Path:
    path = directory / f"{name}.ttf"
    if not path.exists():
        module: Any = importlib.import_module(f"pymupdf_fonts.{name}")
        _write(path, module.fontbuffer)
    return path


def _linked(directory: Path, path: Path) -> Path:
    link = directory / path.name
    with suppress(FileExistsError):
        link.symlink_to(path)
    return link


def _files() -> Iterator[Path]:
    for package, names in IN_FILES.items():
        # Found, not imported: the packages' own code looks for fonts all over the machine.
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"The fonts of {package} are not installed: run make install.")
        yield from (Path(spec.origin).parent / name for name in names)


def _characters(path: Path) -> set[int]:
    font: Any = TTFont(path, lazy=True)
    with font:
        return set(font.getBestCmap())


def _write(path: Path, content: bytes) -> None:
    """Write whole or not at all, so that another process never reads half a font."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    os.replace(file.name, path)  # noqa: PTH105 - atomic over an existing file on every system
