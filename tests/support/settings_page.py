"""The page ``docs/settings.md``, made from the fields of the settings."""

from __future__ import annotations

import sys
from typing import Any

from pydantic import SecretStr

from bridge.settings import PREFIX, Settings


def settings_page() -> str:
    """Return the page."""
    lines = [
        "# Settings",
        "",
        "<!-- Made by `make documents`; a test compares. -->",
        "",
        "Environment variables, or a `.env` file. They are checked at start, and every fault is named at once.",
        "A value may be given as a file: `BRIDGE_MONGO_URL_FILE=/run/secrets/mongo`. Lists are comma-separated.",
        "An empty default means that nothing is set.",
        "",
        "| Setting | Default | What it is |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = f"`{_shown(field.default)}`" if _shown(field.default) else ""
        lines.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return "" if value is None else str(value)


if __name__ == "__main__":
    sys.stdout.write(settings_page())
