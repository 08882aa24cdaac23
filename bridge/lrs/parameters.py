"""Parameters of a request: which there may be, which must be, and the value of each."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from bridge.domain.lrs import parse_time
from bridge.errors import FieldError, Malformed
from schemas.xapi import NewPart, fits_part
from schemas.xapi.people import IDENTIFIERS


def wrong_parameter(name: str, expected: str) -> Malformed:
    """Return the error for a parameter that is not what it should be."""
    fault = FieldError(f"?{name}", name, f"Expected {expected}.")
    return Malformed(f"The parameter {name} must be {expected}.", field_errors=[fault])


def check_names(
    params: Mapping[str, str], known_names: frozenset[str], required_names: frozenset[str] = frozenset()
) -> None:
    """Raise ``Malformed`` for a parameter unknown here, spelt in another case included, or one missing."""
    unknown = sorted(params.keys() - known_names - required_names)
    if unknown:
        names = ", ".join(sorted(known_names | required_names)) or "none"
        raise Malformed(f"A parameter is not known here; there are: {names} (xAPI-Communication §3.2).")
    missing = sorted(required_names - params.keys())
    if missing:
        fault = FieldError(f"?{missing[0]}", missing[0], "This parameter is needed.")
        raise Malformed(f"The parameter {missing[0]} is needed here.", field_errors=[fault])


def read_part(params: Mapping[str, str], name: str, kind: str, expected: str) -> str | None:
    """Return a text parameter that is a ``kind`` of the statement schema; None when it is not given."""
    value = params.get(name)
    if value is not None and not fits_part(kind, value):
        raise wrong_parameter(name, expected)
    return value


def read_iri(params: Mapping[str, str], name: str) -> str | None:
    """Return an IRI."""
    return read_part(params, name, "iri", "an absolute IRI with a scheme")


def read_uuid(params: Mapping[str, str], name: str) -> str | None:
    """Return a UUID, in lower case."""
    value = read_part(params, name, "uuid", "a UUID")
    return value and value.lower()


def read_timestamp(params: Mapping[str, str], name: str) -> int | None:
    """Return an RFC 3339 time as microseconds since 1970."""
    value = read_part(params, name, "timestamp", "an RFC 3339 timestamp with its offset")
    try:
        return None if value is None else parse_time(value)
    except ValueError:
        raise wrong_parameter(name, "a time between the years 1 and 9999") from None


def read_flag(params: Mapping[str, str], name: str) -> bool:
    """Return a boolean; False when it is not given. TinCanPython writes True, so the case does not matter."""
    value = params.get(name, "false").lower()
    if value not in ("true", "false"):
        raise wrong_parameter(name, "true or false")
    return value == "true"


def read_number(params: Mapping[str, str], name: str) -> int:
    """Return a whole number, 0 or more; 0 when it is not given."""
    value = params.get(name, "0")
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise wrong_parameter(name, "a whole number, 0 or more")
    return int(value)


def read_agent(params: Mapping[str, str], name: str = "agent", kind: str = "agent") -> NewPart | None:
    """Return an Agent given as JSON; with ``kind`` actor also a Group that has an identifier."""
    text = params.get(name)
    if text is None:
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise wrong_parameter(name, "an Agent object in JSON") from None
    if not fits_part(kind, value) or not any(identifier in value for identifier in IDENTIFIERS):
        raise wrong_parameter(name, "an Agent with exactly one of mbox, mbox_sha1sum, openid and account")
    return value
