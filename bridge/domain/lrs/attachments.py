"""Attachments of a request: the data of each, as it comes (xAPI-Communication §1.5.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

HASH_HEADER: Final = "X-Experience-API-Hash"
ATTACHMENTS_CLAUSE: Final = "xAPI-Communication §1.5.2"


@dataclass(frozen=True, slots=True)
class AttachmentPart:
    """A part of a request: the hash that its header names, in lower case, and its data, to be read once."""

    sha2: str
    chunks: AsyncIterator[bytes]
