"""Entity tags as ``If-Match`` and ``If-None-Match`` carry them (RFC 9110 §8.8.3, §13.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

ANY: Final = "*"
"""What stands for whichever there is; as a tag, in quotes, it is a tag like any other."""

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\U0010ffff]*"'
_LIST = re.compile(rf"\s*{_TAG}(?:\s*,\s*{_TAG})*\s*")


def read_tags(header: str) -> Sequence[str]:
    """The tags of a header, in their quotes and weak ones with ``W/``, or ``ANY`` alone; raises ``ValueError``."""
    if header.strip() == ANY:
        return (ANY,)
    if not _LIST.fullmatch(header):
        raise ValueError("a list of entity tags, or *, was expected")
    return re.findall(_TAG, header)


def matches_strongly(tags: Sequence[str], tag: str | None) -> bool:
    """Whether ``If-Match`` holds for what has this strong ``tag`` (None: for nothing): a weak tag never does."""
    return tag is not None and (ANY in tags or tag in tags)


def matches_weakly(tags: Sequence[str], tag: str | None) -> bool:
    """Whether ``If-None-Match`` names what has this ``tag``: ``W/`` makes no difference."""
    return tag is not None and (ANY in tags or tag in {entry.removeprefix("W/") for entry in tags})
