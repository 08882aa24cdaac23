"""What ``deploy/`` holds for others to run, read as data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from bridge.settings import PREFIX, Settings, load

DEPLOY = Path(__file__).parents[2] / "deploy"

Manifest = dict[str, Any]


def documents(file: Path) -> list[Manifest]:
    """Every document of a YAML file."""
    return [document for document in yaml.safe_load_all(file.read_text(encoding="utf-8")) if document is not None]


def pinned(image: str) -> bool:
    """Whether an image is named with a version of three numbers, which nobody moves, or a digest."""
    return re.search(r"(:v?\d+\.\d+\.\d+(-[a-z0-9.-]+)?|@sha256:[0-9a-f]{64})$", image) is not None


def is_secret(name: str) -> bool:
    """Whether this setting's value must not stand in a file: a variable's name without ``_FILE``."""
    field = Settings.model_fields.get(name.removeprefix(PREFIX).lower())
    return field is not None and SecretStr.__name__ in str(field.annotation)


def settings_of(variables: Mapping[str, str], files: Path, patch: pytest.MonkeyPatch) -> Settings:
    """The settings that a process with these variables reads; raises ``SettingsError``, or names a variable of none.

    What a variable names as a file is made under ``files``, with a value that fits.
    """
    for name, value in variables.items():
        if not name.startswith(PREFIX):
            continue
        setting_name = name.removeprefix(PREFIX).lower()
        assert setting_name in Settings.model_fields or setting_name.removesuffix("_file") in Settings.model_fields, (
            name
        )
        patch.setenv(name, str(_stand_in(files, value)) if name.endswith("_FILE") else value)
    return load(_env_file=None)


def _stand_in(files: Path, value: str) -> Path:
    scheme = "amqp" if "amqp" in value else "mongodb"
    path = files / Path(value).name
    path.write_text(f"{scheme}://user:password@host/\n", encoding="ascii")
    return path


def texts(value: object) -> Iterator[str]:
    """Every string in a document, keys included."""
    if isinstance(value, Mapping):
        for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType] - whatever YAML holds
            yield from texts(key)  # pyright: ignore[reportUnknownArgumentType]
            yield from texts(inner)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list):
        for inner in value:  # pyright: ignore[reportUnknownVariableType] - whatever YAML holds
            yield from texts(inner)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, str):
        yield value


def gives_secret_away(document: object) -> bool:
    """Whether any string in it holds a password in an address, or a private key."""
    return any(re.search(r"://[^/\s:@]*:[^/\s@]+@|PRIVATE KEY", text) for text in texts(document))
