"""What the README says is what the code has."""

from __future__ import annotations

import re
from pathlib import Path

from bridge.settings import settings_table

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_settings_table_is_the_code_s() -> None:
    """The table of settings is the one that `python -m bridge.settings` prints."""
    found = re.search(r"<!-- settings:.*?-->\n(.*?)\n<!-- end of settings -->", README, re.DOTALL)
    assert found is not None
    assert found.group(1) == settings_table()
