"""Clauses of the specification that an error cites, so that it can be looked up."""

from __future__ import annotations

from typing import Literal

Version = Literal["1.0.3", "2.0.0"]

_OF_PART: dict[str, tuple[str, str]] = {
    "id": ("2.4.1", "4.2.4.2"),
    "actor": ("2.4.2", "4.2.2.1"),
    "verb": ("2.4.3", "4.2.2.2"),
    "object": ("2.4.4", "4.2.2.3"),
    "result": ("2.4.5", "4.2.2.4"),
    "context": ("2.4.6", "4.2.2.5"),
    "timestamp": ("2.4.7", "4.2.4.2"),
    "stored": ("2.4.8", "4.2.4.2"),
    "authority": ("2.4.9", "4.2.4.2"),
    "version": ("2.4.10", "4.2.4.3"),
    "attachments": ("2.4.11", "4.2.2.6"),
    "": ("2.2", "4.2.1"),
}


def cite_data(pointer: str, version: Version) -> str:
    """Return the clause about the part of a statement that an RFC 6901 pointer leads to."""
    first = pointer.split("/")[1] if "/" in pointer else ""
    old, new = _OF_PART.get(first, _OF_PART[""])
    return f"xAPI-Data §{old}" if version == "1.0.3" else f"IEEE 9274.1.1 §{new}"


def cite_communication(old: str, new: str, version: Version) -> str:
    """Return the clause about the protocol, in the version that was spoken."""
    return f"xAPI-Communication §{old}" if version == "1.0.3" else f"IEEE 9274.1.1 §{new}"
