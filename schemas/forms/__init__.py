"""The two forms of the record as versioned data, and which log type an xAPI activity type becomes.

A version is a file, ``<form>-<version>.json``. A field's ``choices`` may name a list under ``choices/``, for forms that
share it; that file is versioned in the same way.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas import violations

_HERE = Path(__file__).parent


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


_SCHEMA = _read(_HERE / "form.schema.json")


def load(path: Path) -> dict[str, Any]:
    """Read and check one form; raises ``ValueError`` that names the file, each fault and where it is."""
    form = _read(path)
    for field in form.get("fields", ()):
        if isinstance(field.get("choices"), str):
            field["choices"] = _choices(path.parent, field["choices"])
    faults = violations(_SCHEMA, form) or [*_repeated(form), *_misnamed(path, form)]
    if faults:
        raise ValueError(f"{path.name} is not a form: " + "; ".join(faults))
    return form


def _choices(directory: Path, name: str) -> Any:
    """Return a list of choices from beside the form; another body may use the standard lists too."""
    custom = directory / "choices" / name
    return _read(custom if custom.exists() else _HERE / "choices" / name)


def _repeated(form: dict[str, Any]) -> list[str]:
    """What a schema cannot say: a name, and a place in the order, belongs to one field; a value to one choice."""
    fields = form["fields"]
    counts = {
        "name": Counter(field["name"] for field in fields),
        "order": Counter(field["order"] for field in fields),
        "choice": Counter((field["name"], choice["value"]) for field in fields for choice in field.get("choices", ())),
    }
    return [f"$.fields: {kind} {value} is there twice" for kind, c in counts.items() for value, n in c.items() if n > 1]


def _misnamed(path: Path, form: dict[str, Any]) -> list[str]:
    """Two files that say the same version would be one form, and nobody would see which."""
    name = f"{form['form']}-{form['version']}"
    return [] if path.stem == name else [f"its form and version are those of {name}.json: change them, or its name"]


def load_all(directory: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Read every form of a directory by its name and version; raises ``ValueError`` that names each fault."""
    forms: dict[tuple[str, str], dict[str, Any]] = {}
    faults: list[str] = []
    for path in sorted(directory.glob("*-[0-9]*.json")):
        try:
            form = load(path)
            forms[form["form"], form["version"]] = form
        except json.JSONDecodeError as error:
            faults.append(f"{path.name} is not JSON: {error}")
        except (ValueError, OSError) as error:
            faults.append(str(error))
    if faults:
        raise ValueError("; ".join(faults))
    return forms


FORMS: Mapping[tuple[str, str], dict[str, Any]] = load_all(_HERE)
"""Every form by its name (``log``, ``plan``) and version; the fields are those that ``form.schema.json`` describes."""

_TYPES = _read(_HERE / "activity-types.json")
DEFAULT_LOG_TYPE: str = _TYPES["default"]
"""The log type of a completion whose activity type says nothing."""
ACTIVITY_TYPES: Mapping[str, str] = _TYPES["types"]
"""The IRI of an xAPI activity type to the log type that it becomes."""
