"""Conditional requests on documents: ``If-Match`` and ``If-None-Match`` (RFC 9110 §13, xAPI-Communication §3.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bridge.errors import Malformed
from bridge.services.lrs.documents import Precondition

_TAG = re.compile(r'(?:W/)?"([^"]*)"')


def precondition(headers: Mapping[str, str]) -> Precondition:
    """Return what the headers expect; raises ``Malformed``."""
    return Precondition(_tags(headers, "If-Match"), _tags(headers, "If-None-Match"))


def _tags(headers: Mapping[str, str], name: str) -> frozenset[str] | None:
    value = headers.get(name)
    if value is None:
        return None
    if value.strip() == "*":
        return frozenset({"*"})
    found = frozenset(_TAG.findall(value))
    # A bare tag, without the quotes that the grammar asks for, is what some clients send.
    bare = value.strip()
    if not found and re.fullmatch(r"[0-9A-Za-z]+", bare):
        return frozenset({bare})
    if not found:
        raise Malformed(f'{name} must hold entity tags such as "abc", or * (RFC 9110 §13.1).')
    return found
