"""Headers of a request: preconditions (RFC 9110 §13, xAPI-Communication §3.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from multidict import CIMultiDict

from bridge.domain.entity_tags import read_tags
from bridge.domain.lrs.documents import Precondition
from bridge.errors import Malformed

_BARE = re.compile(r"\s*([0-9A-Za-z]+)\s*")
"""A tag without the quotes that the grammar asks for, which some clients send."""


def read_precondition(headers: CIMultiDict[str]) -> Precondition:
    """Return what the headers expect; raises ``Malformed``."""
    return Precondition(_tags(headers, "If-Match"), _tags(headers, "If-None-Match"))


def _tags(headers: CIMultiDict[str], name: str) -> Sequence[str] | None:
    if name not in headers:
        return None
    header = ", ".join(headers.getall(name))
    if bare := _BARE.fullmatch(header):
        return [f'"{bare[1]}"']
    try:
        return read_tags(header)
    except ValueError:
        raise Malformed(f'{name} must hold entity tags such as "abc", or * (RFC 9110 §13.1).') from None
