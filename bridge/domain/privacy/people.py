"""People named in a statement: in each place that the schema has for a person, or anywhere in any JSON at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, cast

from bridge.domain.members.identifiers import identifier_key
from schemas.xapi import NewPart, Part, pointer
from schemas.xapi.people import EACH, IDENTIFIERS, PLACES, Place

Naming = Callable[[str], bool]
"""Whether an identifier key names the person in question."""

NOBODY: Final[Part] = {
    "objectType": "Agent",
    "account": {"homePage": "https://cpd-bridge.invalid", "name": "erased"},
}
"""The Agent that stands where an erased person was named (the domain is reserved by RFC 2606)."""

MEMBERS_OWN: Final = "identifiers"
"""The property of a message of the membership system that lists identifiers: one that goes leaves no one behind."""


class _Node(dict[str, "_Node"]):
    """The places beyond one property of a statement; ``person`` says that it is a place itself."""

    person = False


def _tree() -> _Node:
    root = _Node()
    for place in PLACES:
        node = root
        for name in place:
            node = node.setdefault(name, _Node())
        node.person = True
    return root


_TREE: Final = _tree()


class NamedPerson(NamedTuple):
    """A person in a document: where (RFC 6901), and as what Agent or Group."""

    pointer: str
    agent: Part


def keys_of(agent: Part) -> Iterator[str]:
    """Yield the identifier keys of what may be an Agent or a Group; a valid one has one at most."""
    for name in IDENTIFIERS:
        if name in agent:
            try:
                yield identifier_key({name: agent[name]})
            except (KeyError, TypeError, ValueError, AttributeError):  # not in the form of an identifier
                continue


def named_in(statement: Part) -> Iterator[tuple[Place, NewPart]]:
    """Yield every Agent and Group of a valid statement, members of Groups included, with its place in the schema."""
    return _named(statement, _TREE, ())


def _named(value: Any, node: _Node, place: Place) -> Iterator[tuple[Place, NewPart]]:
    if node.person and _is_person(value):
        yield place, value
    for name, inner in node.items():
        if name == EACH:
            for part in value:
                yield from _named(part, inner, (*place, EACH))
        elif name in value:
            yield from _named(value[name], inner, (*place, name))


def _is_person(value: Part) -> bool:
    """Say whether what stands in a place for people is one: an object may be something else."""
    kind = value.get("objectType")
    return kind in {"Agent", "Group"} or (kind is None and any(name in value for name in IDENTIFIERS))


def people(statement: Part) -> Iterator[str]:
    """Yield the identifier key of every Agent and Group that a valid statement names."""
    for _, agent in named_in(statement):
        yield from keys_of(agent)


def anybody_in(value: Any) -> Iterator[NamedPerson]:
    """Yield whatever in decoded JSON has an identifier, wherever it stands: what is no statement names people too."""
    queue: list[tuple[tuple[str | int, ...], Any]] = [((), value)]  # it may be nested more deeply than Python calls
    while queue:
        place, part = queue.pop()
        if isinstance(part, dict):
            item = cast("dict[str, Any]", part)
            if any(name in item for name in IDENTIFIERS):
                yield NamedPerson(pointer(place), item)
            queue += [((*place, name), inner) for name, inner in item.items()]
        elif isinstance(part, list):
            queue += [((*place, number), inner) for number, inner in enumerate(cast("list[Any]", part))]


def alone(agent: Part) -> NewPart:
    """Return an Agent or a Group without its members, who are others."""
    return {name: value for name, value in agent.items() if name != "member"}


def everybody(statement: Part, *also: Part) -> set[str]:
    """Return the identifier keys of whomever a valid statement names, and of further Agents and Groups."""
    keys = (key for agent in also for person in anybody_in(agent) for key in keys_of(person.agent))
    return {*people(statement), *keys}


def without(value: Any, is_theirs: Naming) -> Any:
    """Return decoded JSON with ``NOBODY`` wherever it names a person; a Group stays a Group, with its other members."""
    if isinstance(value, dict):
        parts = {
            name: _listed(part, is_theirs) if name == MEMBERS_OWN else without(part, is_theirs)
            for name, part in cast("dict[str, Any]", value).items()
        }
        return _anonymous(parts) if _is_named(cast("Part", value), is_theirs) else parts
    if isinstance(value, list):
        return [without(part, is_theirs) for part in cast("list[Any]", value)]
    return value


def _listed(value: Any, is_theirs: Naming) -> Any:
    if not isinstance(value, list):
        return without(value, is_theirs)
    parts = cast("list[Any]", value)
    return [without(part, is_theirs) for part in parts if not (isinstance(part, dict) and _is_named(part, is_theirs))]


def _is_named(value: Any, is_theirs: Naming) -> bool:
    return any(is_theirs(key) for key in keys_of(value))


def _anonymous(agent: Part) -> NewPart:
    structure = {name: agent[name] for name in ("objectType", "member") if name in agent}
    return {**NOBODY, **(structure if agent.get("objectType") == "Group" else {})}
