"""Index keys of a statement, and the query by them: each filter of ``GET /statements`` (xAPI-Communication §2.1.3).

A key is 12 bytes of a hash: one index serves every filter, and holds nobody's address in clear.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from bridge.domain.members.identifiers import identifier_key
from bridge.domain.privacy.people import keys_of, named_in
from schemas.xapi import VERBS, NewPart, Part, as_list, is_activity


def hash_key(kind: str, value: str = "") -> bytes:
    """Return the key of one value of a filter; it is the same in every process and release."""
    return hashlib.blake2b(f"{kind}\0{value}".encode(), digest_size=12).digest()


EVERY_STATEMENT = hash_key("every")
"""The key that every statement has."""


def mention_of_agent(agent: Part) -> bytes:
    """Return the key of what mentions an Agent or Group anywhere; raises ``ValueError`` without an identifier."""
    return hash_key("agent", identifier_key(agent))


def mention_of_activity(iri: str) -> bytes:
    """Return the key of what mentions an Activity anywhere."""
    return hash_key("activity", iri)


def verb_key(iri: str) -> bytes:
    """Return the key of the ``verb`` filter."""
    return hash_key("verb", iri)


def registration_key(uuid: str) -> bytes:
    """Return the key of the ``registration`` filter."""
    return hash_key("registration", uuid.lower())


def agent_role(agent: Part) -> bytes:
    """Return the key of what has an Agent or Group as its actor or object."""
    return hash_key("role of agent", identifier_key(agent))


def activity_role(iri: str) -> bytes:
    """Return the key of what has an Activity as its object."""
    return hash_key("role of activity", iri)


def authority_key(authority: Part) -> bytes:
    """Return the key of what was stored with an authority."""
    return hash_key("authority", identifier_key(authority))


def definition_key(iri: str) -> bytes:
    """Return the key of what brings a definition of an Activity."""
    return hash_key("definition", iri)


def agent_mentions(keys: Iterable[str]) -> list[bytes]:
    """Return what the LRS finds statements by that mention somebody with these identifier keys."""
    return [hash_key("agent", key) for key in keys]


def agent_facts(keys: Collection[str]) -> list[bytes]:
    """Return every fact of the LRS that tells of somebody with these identifier keys."""
    kinds = ("agent", "role of agent", "authority")
    return [hash_key(kind, key) for kind in kinds for key in keys]


@dataclass(frozen=True, slots=True)
class IndexKeys:
    """The index keys of a statement; ``mentioned`` and ``roles`` also find the statements that refer to it."""

    mentioned: frozenset[bytes]  # to look up by
    roles: frozenset[bytes]  # to narrow what was found
    held: frozenset[bytes]  # of this one alone
    target: str | None  # the statement that it refers to
    voids: str | None  # the statement that it voids


def extract_keys(statement: Part, authority: Part) -> IndexKeys:
    """Return the index keys of a valid statement that is stored with ``authority``."""
    target = statement["object"]["id"].lower() if statement["object"].get("objectType") == "StatementRef" else None
    return IndexKeys(
        mentioned=frozenset(_mentioned(statement, authority)),
        roles=frozenset(_roles(statement)),
        held=frozenset([authority_key(authority), *_definitions(statement)]),
        target=target,
        voids=target if statement["verb"]["id"] in VERBS["voided"] else None,
    )


def _mentioned(statement: Part, authority: Part) -> Iterator[bytes]:
    yield verb_key(statement["verb"]["id"])
    registration = statement.get("context", {}).get("registration")
    if registration:
        yield registration_key(registration)
    for agent in related_agents(statement):
        yield from (hash_key("agent", identity) for identity in keys_of(agent))
    yield from (hash_key("agent", identity) for identity in _identities(authority))
    for activity in activities(statement):
        yield mention_of_activity(activity["id"])


def _roles(statement: Part) -> Iterator[bytes]:
    for agent in _agents_of(statement):
        yield from (hash_key("role of agent", identity) for identity in _identities(agent))
    if is_activity(statement["object"]):
        yield activity_role(statement["object"]["id"])


def _definitions(statement: Part) -> Iterator[bytes]:
    return (definition_key(activity["id"]) for activity in activities(statement) if activity.get("definition"))


def activities(statement: Part) -> Iterator[NewPart]:
    """Yield every Activity in a statement and in its SubStatement."""
    part = statement["object"]
    if is_activity(part):
        yield part
    elif part["objectType"] == "SubStatement":
        yield from activities(part)
    for related in statement.get("context", {}).get("contextActivities", {}).values():
        yield from as_list(related)


def _agents_of(statement: Part) -> Iterator[NewPart]:
    yield statement["actor"]
    if statement["object"].get("objectType") in ("Agent", "Group"):
        yield statement["object"]


def related_agents(statement: Part) -> Iterator[NewPart]:
    """Yield every Agent and Group in a statement and in its SubStatement; its authority is who the LRS says it is."""
    return (agent for place, agent in named_in(statement) if place[0] != "authority")


def _identities(agent: Part) -> Iterator[str]:
    """Yield the identity of an Agent or Group and of each member: a Group matches what its members match."""
    yield from keys_of(agent)
    for member in agent.get("member", ()):
        yield from _identities(member)


END_OF_TIME: Final = 2**62
"""Microseconds since 1970, as far as the store can count."""


@dataclass(frozen=True, slots=True)
class StatementQuery:
    """Statements with all of ``keys`` and ``roles``, their own or of one they refer to, and all of ``held``."""

    keys: tuple[bytes, ...] = (EVERY_STATEMENT,)  # the first is looked up: the one that the fewest statements have
    roles: tuple[bytes, ...] = ()
    held: tuple[bytes, ...] = ()
    since: int | None = None  # exclusive
    until: int | None = None  # inclusive
    ascending: bool = False
    after: tuple[int, str] | None = None  # the last statement of the page before

    def bounds(self) -> tuple[int, int]:
        """Return the first time stored, and the first one beyond the last."""
        low = 0 if self.since is None else self.since + 1
        high = END_OF_TIME if self.until is None else self.until + 1
        if self.after is not None:
            low, high = (max(low, self.after[0]), high) if self.ascending else (low, min(high, self.after[0] + 1))
        return low, high
