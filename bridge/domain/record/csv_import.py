"""Log entries from CSV: which columns the template has, and how many rows a file may have."""

from __future__ import annotations

from itertools import islice
from typing import Final

from bridge.domain.csv_rows import Row, read_rows
from bridge.domain.forms import Form, FormField
from bridge.errors import TooLarge
from bridge.texts import Text

DRAFT: Final = FormField("draft", Text("Draft"), Text("Say no once it is finished."), "factual", "boolean")
"""Not of the form, but writable like its fields: ``no`` says that an entry is finished (R37)."""


def columns(form: Form) -> list[FormField]:
    """The columns of the template, in its order."""
    return [*form.fields, DRAFT]


def read(raw: bytes, form: Form, max_rows: int) -> list[Row]:
    """Read a file of entries; raises what ``read_rows`` does, and ``TooLarge`` for more than ``max_rows`` rows."""
    rows = list(islice(read_rows(raw, columns(form)), max_rows + 1))
    if len(rows) > max_rows:
        raise TooLarge(Text("A file may have up to {n} rows beside the header; split it.", n=max_rows))
    return rows
