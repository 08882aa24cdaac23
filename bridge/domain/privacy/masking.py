"""Masking: the structure of a message with every personal text masked, so that nobody is recognised by it.

What may be read is listed, not what may not: an unknown property is masked. Readable are numbers, truth values, web
addresses, times, durations and ids, and the words under the properties of ``READABLE``; an e-mail address never is.
"""

from __future__ import annotations

import re
from typing import Any, cast

from schemas.xapi.people import IDENTIFIERS, PROPERTIES

MASK = "•••"

READABLE = frozenset(
    {
        *("id", "objectType", "version", "timestamp", "stored", "registration", "duration", "type", "interactionType"),
        *("homePage", "language", "platform", "usageType", "contentType", "sha2", "fileUrl", "moreInfo"),
        *("member_id", "revision", "renewal_date", "registered_since", "start", "end"),
    }
)
"""Properties whose text says what, when or where, never who."""

HIDDEN = frozenset(
    {"name", "description", "display", "mbox", "mbox_sha1sum", "openid", "email", "response", "extensions"}
)
"""Properties masked with all that is in them, whatever it looks like."""

_TELLS_NOBODY = re.compile(
    r"https?://[^\s@]+"  # an IRI without a user
    r"|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"  # a UUID
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+(Z|[+-][0-9:]+)?)?"  # a date or a time
    r"|P[0-9.YMWDTHS]+"  # a duration
)


def masked(value: Any, *, readable: bool = False) -> Any:
    """Return decoded JSON with the texts masked; ``readable`` says that the property above may be read."""
    if isinstance(value, dict):
        return {_key(key): _property(key, item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [masked(item, readable=readable) for item in cast("list[Any]", value)]
    if isinstance(value, str):
        return value if "@" not in value and (readable or _TELLS_NOBODY.fullmatch(value)) else MASK
    return value


def _property(key: str, value: Any) -> Any:
    if key in HIDDEN:
        return hidden(value)
    is_person = key in PROPERTIES and not (key == "object" and _is_thing(value))
    return _person(value) if is_person else masked(value, readable=key in READABLE)


def _is_thing(value: Any) -> bool:
    """Say whether a statement's object is something else than a person, such as an Activity."""
    if not isinstance(value, dict):
        return False
    json_object = cast("dict[str, Any]", value)
    kind = json_object.get("objectType", "Activity" if "id" in json_object else "Agent")
    return kind in {"Activity", "StatementRef", "SubStatement"} and not any(name in json_object for name in IDENTIFIERS)


def _person(value: Any) -> Any:
    """Mask whoever is named, in whatever form: of an Agent or a Group only its type and where its account is show."""
    if isinstance(value, dict):
        return {_key(key): _of_person(key, part) for key, part in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_person(part) for part in cast("list[Any]", value)]
    return hidden(value)


def _of_person(key: str, value: Any) -> Any:
    is_type = key == "objectType" and value in ("Agent", "Group")
    if is_type or key == "homePage":
        return masked(value, readable=is_type)
    return _person(value) if key in {"account", *PROPERTIES} else hidden(value)


def hidden(value: Any) -> Any:
    """Return decoded JSON with every text and number masked; only the structure is left."""
    if isinstance(value, dict):
        return {_key(key): hidden(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [hidden(item) for item in cast("list[Any]", value)]
    return value if value is None or isinstance(value, bool) else MASK


def _key(key: str) -> str:
    """A property's name is structure, unless it holds an address or a sentence."""
    return MASK if "@" in key or " " in key else key
