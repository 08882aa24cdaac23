"""What an erasure makes of a statement: one of the person's own goes whole, another's loses the mention of the person.

What is kept of an erased statement is its id and that it was erased, so that a redelivery is known again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, cast

import orjson

from bridge.domain import agents
from bridge.domain.lrs import facts

NOBODY: Final[Mapping[str, Any]] = {
    "objectType": "Agent",
    "account": {"homePage": "https://cpd-bridge.invalid", "name": "erased"},
}
"""The Agent that stands where an erased person was mentioned (the domain is reserved by RFC 2606)."""


def found_by(keys: Iterable[str]) -> list[bytes]:
    """Return what rows of the ledger are found by that mention somebody with these identifier keys."""
    return [facts.key("agent", key) for key in keys]


def roles_of(keys: Iterable[str]) -> list[bytes]:
    """Return what narrows a search of the LRS to statements of, or on, somebody with these identifier keys."""
    return [facts.key("role of agent", key) for key in keys]


def is_own(raw: bytes, keys: Collection[str]) -> bool:
    """Say whether a statement's actor is the person."""
    return bool(raw) and agents.actor_key(orjson.loads(raw)["actor"]) in keys


def without_mention(raw: bytes, keys: Collection[str]) -> bytes:
    """Return another's statement with ``NOBODY`` wherever it named the person."""
    return orjson.dumps(_redacted(orjson.loads(raw), keys))


def _redacted(value: Any, keys: Collection[str]) -> Any:
    if isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        if _identity(named) in keys:
            return dict(NOBODY)
        return {name: _redacted(part, keys) for name, part in named.items()}
    if isinstance(value, list):
        return [_redacted(part, keys) for part in cast("list[Any]", value)]
    return value


def _identity(value: Mapping[str, Any]) -> str | None:
    """Return the identifier key of what may be an Agent; extensions hold anything, so that nothing is sure."""
    try:
        return agents.identifier_key(value)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
