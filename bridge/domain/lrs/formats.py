"""The formats ``ids`` and ``canonical`` of ``GET /statements`` (xAPI-Communication §2.1.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bridge.domain.lrs.index_keys import activities, mention_of_agent, related_agents
from bridge.domain.privacy.people import named_in
from bridge.domain.record import markup
from bridge.domain.statements.completions import ranked
from schemas.xapi import NewPart, Part
from schemas.xapi.people import IDENTIFIERS

_MERGED_MAPS = ("name", "description", "extensions")
_COMPONENTS = ("choices", "scale", "source", "target", "steps")


def reduce_to_ids(statement: NewPart) -> NewPart:
    """Reduce, in place, every Agent, Activity, Verb and Group to what identifies it."""
    for activity in activities(statement):
        _keep(activity, ("id",))
    for _, agent in list(named_in(statement)):
        _identify(agent)
    _keep(statement["verb"], ("id",))
    if statement["object"].get("objectType") == "SubStatement":
        _keep(statement["object"]["verb"], ("id",))
    return statement


def _identify(agent: NewPart) -> None:
    """Keep the identifier of an Agent or Group; an anonymous Group is known by its members."""
    is_identified = any(name in agent for name in IDENTIFIERS)
    _keep(agent, ("objectType", *IDENTIFIERS) if is_identified else ("objectType", "member"))
    for member in agent.get("member", ()):
        _identify(member)


def _keep(part: NewPart, names: Sequence[str]) -> None:
    for name in part.keys() - set(names):
        del part[name]


def make_canonical(statement: NewPart, definitions: Mapping[str, Part], languages: Sequence[str]) -> NewPart:
    """Give each Activity, in place, the definition that the LRS holds, and each language map one language."""
    for activity in activities(statement):
        definition = definitions.get(activity["id"], activity.get("definition"))
        if definition:
            activity["definition"] = _definition_in_language(definition, languages)
    inner = statement["object"] if statement["object"].get("objectType") == "SubStatement" else statement
    for verb in (statement["verb"], inner["verb"]):
        if "display" in verb:
            verb["display"] = _in_language(verb["display"], languages)
    return statement


def _definition_in_language(definition: Part, languages: Sequence[str]) -> NewPart:
    definition_part = dict(definition)
    for name in ("name", "description"):
        if name in definition_part:
            definition_part[name] = _in_language(definition_part[name], languages)
    for name in _COMPONENTS:
        if name in definition_part:
            definition_part[name] = [_component(component, languages) for component in definition_part[name]]
    return definition_part


def _component(component: Part, languages: Sequence[str]) -> NewPart:
    if "description" not in component:
        return {**component}
    return {**component, "description": _in_language(component["description"], languages)}


def _in_language(texts: Mapping[str, str], languages: Sequence[str]) -> dict[str, str]:
    tags = ranked({tag: tag for tag in texts}, languages)
    visible = next((tag for tag in tags if markup.is_visible(markup.readable(texts[tag]))), None)
    return dict(texts) if visible is None else {visible: texts[visible]}


def merge_definitions(definitions: Iterable[Part]) -> NewPart:
    """Put definitions of one Activity together, the oldest first: languages add up, the newest word counts."""
    merged: NewPart = {}
    for definition in definitions:
        for name, value in definition.items():
            merged[name] = {**merged.get(name, {}), **value} if name in _MERGED_MAPS else value
    return merged


def definitions_in(statement: Part) -> dict[str, Part]:
    """Return Activity id → definition for the Activities that a statement defines."""
    return {part["id"]: part["definition"] for part in activities(statement) if part.get("definition")}


def names_of(statement: Part, agent_key: bytes) -> list[str]:
    """Return the names that a statement gives to the Agent whose mentions have this key."""
    return [agent["name"] for agent in related_agents(statement) if "name" in agent and _has_key(agent, agent_key)]


def _has_key(agent: Part, agent_key: bytes) -> bool:
    return any(name in agent for name in IDENTIFIERS) and mention_of_agent(agent) == agent_key
