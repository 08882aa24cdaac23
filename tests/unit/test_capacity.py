"""The tables of docs/guides/capacity.md are what the benchmark's arithmetic makes of the bytes in it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.benchmarks.capacity import Footprint, member_table, size_table

PAGE = (Path(__file__).parents[2] / "docs" / "guides" / "capacity.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([\w.]+)` \| ([\d.]+) \| ([\d,]+) \| ([\d,]+) \|$", re.MULTILINE)


def test_the_totals_follow_from_the_bytes() -> None:
    """A table that was pasted without the other would be found."""
    year = {
        name: Footprint(float(documents), *(float(text.replace(",", "")) for text in sizes))
        for name, documents, *sizes in ROW.findall(PAGE)
    }
    assert "\n".join(member_table(year)) in PAGE
    for line in size_table(year):
        assert line in PAGE
