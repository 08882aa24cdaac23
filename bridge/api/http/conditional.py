"""Conditional requests (RFC 9110 §13) and merge patch (RFC 7396): versions in, versions out.

A resource's version is a whole number; its entity tag is that number in quotes, always strong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from bridge.domain.entity_tags import ANY, matches_weakly, read_tags
from bridge.errors import Malformed, PreconditionRequired, StaleVersion

Expected = frozenset[int] | None
"""The versions a client would accept to change; ``None`` is ``*``: whichever there is."""

_VERSION = re.compile(r'"(0|[1-9][0-9]{0,17})"')


def etag(version: int) -> str:
    """The strong entity tag of a version: ``"3"``."""
    return f'"{version}"'


def expected_versions(if_match: str | None) -> Expected:
    """Read ``If-Match``: ``"3"``, a list, or ``*``.

    Raises ``PreconditionRequired`` without one, ``Malformed`` when it is no list of entity tags, and ``StaleVersion``
    when no tag in it can ever match (weak tags never do, RFC 9110 §13.1.1).
    """
    if if_match is None:
        raise PreconditionRequired('Send If-Match with the ETag you last read, for example If-Match: "3".')
    try:
        tags = read_tags(if_match)
    except ValueError:
        raise Malformed('If-Match is not a list of entity tags; write it as If-Match: "3".') from None
    if ANY in tags:
        return None
    versions = frozenset(int(match[1]) for tag in tags if (match := _VERSION.fullmatch(tag)))
    if not versions:
        raise StaleVersion("If-Match names no version of this; read it again and use the ETag you get.")
    return versions


def check_version(expected: Expected, current: int) -> None:
    """Raise ``StaleVersion`` unless ``current`` is a version the client would accept to change."""
    if expected is not None and current not in expected:
        raise StaleVersion("Someone changed this since you read it; read it again, then send your change once more.")


def not_modified(if_none_match: str | None, tag: str) -> bool:
    """Whether the client has it already: ``If-None-Match`` is ``*`` or names ``tag``; what is no list is ignored."""
    try:
        return if_none_match is not None and matches_weakly(read_tags(if_none_match), tag)
    except ValueError:
        return False


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396 §2: a new value; ``null`` removes a member, an object merges, anything else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    changes = cast("Mapping[str, Any]", patch)
    merged: dict[str, Any] = dict(cast("Mapping[str, Any]", target)) if isinstance(target, Mapping) else {}
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
