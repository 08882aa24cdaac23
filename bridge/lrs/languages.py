"""The languages that a reader prefers, from ``Accept-Language`` (RFC 9110 §12.5.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping

_RANGE = re.compile(r"\s*([A-Za-z0-9-]{1,35}|\*)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?))?\s*")


def preferred(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return language tags, best first; what cannot be read is left out."""
    found = [match for part in headers.get("Accept-Language", "").split(",")[:20] if (match := _RANGE.fullmatch(part))]
    weighed = [(float(match[2] or 1), match[1]) for match in found]
    ranked = sorted(weighed, key=lambda one: -one[0])
    return tuple(tag for weight, tag in ranked if weight > 0 and tag != "*")
