"""Cells of a CSV file that spreadsheets open: what one would take for a formula is guarded, and read back as it was."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable
from typing import Final

FORMULA: Final = frozenset("=+-@\N{MINUS SIGN}")
"""The signs that a formula begins with, in whatever width (OWASP, CSV injection)."""

BREAKS: Final = ("\t", "\r", "\n")
"""What may end the cell before, where a file is opened without its quotes."""


def guarded(text: str) -> str:
    """Return a text as a cell: with an apostrophe before what a spreadsheet might calculate."""
    return f"'{text}" if _might_run(text) else text


def unguarded(cell: str) -> str:
    """Return the text of a cell that ``guarded`` gave."""
    return cell[1:] if cell.startswith("'") and _might_run(cell) else cell


def row(cells: Iterable[str]) -> str:
    """Return a row of a file (RFC 4180), each cell in quotes, so that no separator of any locale splits one."""
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL).writerow(cells)
    return out.getvalue()


def _might_run(text: str) -> bool:
    """Say whether a text begins with a formula's sign or a break, whatever cannot be seen before it.

    Apostrophes before it are passed over, so that a text which looks guarded is guarded once more.
    """
    bare = text.lstrip("'")
    sign = next((character for character in bare if unicodedata.category(character)[0] not in "CZM"), "")
    return bare.startswith(BREAKS) or unicodedata.normalize("NFKC", sign)[:1] in FORMULA
