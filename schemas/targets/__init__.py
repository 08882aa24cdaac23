"""Targets of a membership year as data: what a body asks for, in a file that ``targets.schema.json`` describes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import NotRequired, TypedDict

from schemas import violations

SCHEMA = json.loads((Path(__file__).parent / "targets.schema.json").read_text(encoding="utf-8"))
"""JSON Schema of the file."""


class TargetDefinition(TypedDict):
    """A target as the file has it."""

    id: str
    label: dict[str, str]
    unit: str
    target: int
    types: NotRequired[list[str]]
    participatory: NotRequired[bool]
    pro_rata: NotRequired[bool]


def load(path: Path) -> list[TargetDefinition]:
    """Read and check a file of targets; raises ``ValueError`` that names the file and each fault."""
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path.name} is not JSON: {error}") from error
    faults = violations(SCHEMA, document) or _repeated(document["targets"])
    if faults:
        raise ValueError(f"{path.name} is not a file of targets: " + "; ".join(faults))
    return document["targets"]


def _repeated(targets: list[TargetDefinition]) -> list[str]:
    counts = Counter(target["id"] for target in targets)
    return [f"$.targets: id {target_id} is there twice" for target_id, number in counts.items() if number > 1]
