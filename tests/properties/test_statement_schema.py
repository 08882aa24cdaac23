"""Statement validation, for statements nobody thought of: the fast engine against the ``jsonschema`` oracle."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any, cast

from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.xapi import VERBS, compiled_for, explain, is_valid

Json = Any
Strategy = st.SearchStrategy[Json]

WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)
# Lone surrogates (category Cs) are Python's alone: orjson refuses them before validation.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
URLS = st.builds("https://{}.example.org/{}?q={}#{}".format, WORDS, WORDS, WORDS, WORDS)
IRIS = URLS | st.builds("urn:x:{}".format, WORDS)
TAGS = st.sampled_from(["en", "en-GB", "cy", "zh-Hant-TW", "und", "de-CH-1996", "x-house"])
MAPS = st.dictionaries(TAGS, TEXTS, max_size=2)
UUIDS = st.uuids().map(str)
TIMES = st.datetimes().map(lambda moment: moment.isoformat() + "Z")
DURATIONS = st.timedeltas().map(lambda span: f"P{abs(span.days)}DT{span.seconds}.{span.microseconds:06}S")
FREE: Strategy = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
EXTENSIONS = st.dictionaries(IRIS, FREE, max_size=2)
COMPONENT_LISTS = {
    **dict.fromkeys(("true-false", "fill-in", "long-fill-in", "numeric", "other"), ()),
    **dict.fromkeys(("choice", "sequencing"), ("choices",)),
    "likert": ("scale",),
    "matching": ("source", "target"),
    "performance": ("steps",),
}


def shaped(required_fields: dict[str, Strategy], **optional: Strategy) -> Strategy:
    """Return JSON objects with the ``required`` properties and any of the ``optional`` ones."""
    return st.fixed_dictionaries(required_fields, optional=optional)


IDENTIFIERS = st.one_of(
    shaped({"mbox": st.builds("mailto:{}@{}.example.org".format, WORDS, WORDS)}),
    shaped({"mbox_sha1sum": st.binary(min_size=20, max_size=20).map(bytes.hex)}),
    shaped({"openid": IRIS}),
    shaped({"account": shaped({"homePage": IRIS, "name": TEXTS})}),
)


def merged(*parts: Strategy) -> Strategy:
    """Return JSON objects with the properties of all ``parts``."""
    return st.tuples(*parts).map(lambda component: {name: value for part in component for name, value in part.items()})


def typed(name: str) -> Strategy:
    """Return the objectType ``name`` as a part of an object."""
    return st.just({"objectType": name})


NAME_HOLDERS = shaped({}, name=TEXTS)
AGENTS = merged(IDENTIFIERS, NAME_HOLDERS, shaped({}, objectType=st.just("Agent")))
MEMBERS = st.lists(AGENTS, min_size=1, max_size=2)
GROUPS = merged(
    typed("Group"), NAME_HOLDERS, merged(IDENTIFIERS, shaped({}, member=MEMBERS)) | shaped({"member": MEMBERS})
)
ACTORS = AGENTS | GROUPS
VERB_IRIS = st.sampled_from([iri for name, iris in VERBS.items() if name != "voided" for iri in iris])
VERB = shaped({"id": VERB_IRIS | IRIS}, display=MAPS)


@st.composite
def definitions(draw: st.DrawFn) -> Json:
    """An activity definition, with or without an interaction whose component ids differ."""
    definition = draw(shaped({}, name=MAPS, description=MAPS, type=IRIS, moreInfo=IRIS, extensions=EXTENSIONS))
    kind = draw(st.none() | st.sampled_from(sorted(COMPONENT_LISTS)))
    if kind is not None:
        patterns = st.lists(TEXTS, max_size=2)
        definition |= draw(shaped({"interactionType": st.just(kind)}, correctResponsesPattern=patterns))
        component = shaped({"id": TEXTS}, description=MAPS)
        for name in COMPONENT_LISTS[kind]:
            definition[name] = draw(
                st.lists(component, max_size=3, unique_by=lambda component: cast("str", component["id"]))
            )
    return definition


ACTIVITIES = shaped({"id": IRIS}, objectType=st.just("Activity"), definition=definitions())
REFERENCES = merged(typed("StatementRef"), shaped({"id": UUIDS}))
SIMPLE = st.one_of(ACTIVITIES, REFERENCES, merged(AGENTS, typed("Agent")), GROUPS)


@st.composite
def scores(draw: st.DrawFn) -> Json:
    """A score whose raw lies between min and max, with any of the four left out."""
    low, raw, high = sorted(draw(st.lists(st.integers(-1000, 1000), min_size=3, max_size=3, unique=True)))
    return draw(shaped({}, min=st.just(low), raw=st.just(raw), max=st.just(high), scaled=st.floats(-1, 1)))


RESULTS = shaped(
    {},
    score=scores(),
    success=st.booleans(),
    completion=st.booleans(),
    response=TEXTS,
    duration=DURATIONS,
    extensions=EXTENSIONS,
)
RELATED = ACTIVITIES | st.lists(ACTIVITIES, max_size=2)
CONTEXTS = shaped(
    {},
    registration=UUIDS,
    instructor=ACTORS,
    team=GROUPS,
    language=TAGS,
    statement=REFERENCES,
    extensions=EXTENSIONS,
    contextActivities=shaped({}, parent=RELATED, grouping=RELATED, category=RELATED, other=RELATED),
)
TYPED_BY = shaped({}, relevantTypes=st.lists(IRIS, min_size=1, max_size=2))
CONTEXTS_2_0 = merged(
    CONTEXTS,
    shaped(
        {},
        contextAgents=st.lists(merged(typed("contextAgent"), shaped({"agent": AGENTS}), TYPED_BY), max_size=2),
        contextGroups=st.lists(merged(typed("contextGroup"), shaped({"group": GROUPS}), TYPED_BY), max_size=2),
    ),
)
ATTACHMENTS = st.lists(
    shaped(
        {
            "usageType": IRIS,
            "display": MAPS,
            "contentType": st.sampled_from(["application/pdf", "text/plain; charset=utf-8"]),
            "length": st.integers(0, 2**53),
            "sha2": st.binary(min_size=32, max_size=32).map(bytes.hex),
        },
        description=MAPS,
        fileUrl=IRIS,
    ),
    max_size=1,
)


def whole(contexts: Strategy, version: Strategy) -> Strategy:
    """Return statements of one version, about anything that a statement may be about."""
    common = {"result": RESULTS, "context": contexts, "timestamp": TIMES, "attachments": ATTACHMENTS}
    inner = merged(typed("SubStatement"), shaped({"actor": ACTORS, "verb": VERB, "object": SIMPLE}, **common))
    outer = {"actor": ACTORS, "verb": VERB, "object": SIMPLE | inner}
    return merged(version, shaped(outer, **common, id=UUIDS, stored=TIMES, authority=AGENTS))


STATEMENTS = whole(CONTEXTS, shaped({}, version=st.sampled_from(["1.0", "1.0.0", "1.0.3"]))) | whole(
    CONTEXTS_2_0, shaped({"version": st.just("2.0.0")})
)


def places(node: Json) -> Iterator[tuple[Json, Json]]:
    """Yield each place inside ``node``: its holder, and the key or index in it."""
    keys: Json = node.keys() if hasattr(node, "keys") else range(len(node))
    for key in list(keys):
        yield node, key
        if type(node[key]) in {dict, list}:
            yield from places(node[key])


STRAY_NAMES = st.sampled_from(["extra", "objectType", "id", "member", "mbox", "\n"]) | TEXTS
NEAR_MISSES = st.sampled_from(["{}\n", "\n{}", " {}", "{}\u0085", "{}\u2028", "{}.", "{}{}", "{}%", "\u0663{}"])
EXTREMES: list[Json] = [math.inf, -math.inf, 10**400, [], {}, [{}]]


@st.composite
def mutants(draw: st.DrawFn) -> Json:
    """A valid statement with one to three places deleted, replaced, added to, or spoilt by a near miss."""
    statement = copy.deepcopy(draw(STATEMENTS))
    for _ in range(draw(st.integers(1, 3))):
        spots = list(places(statement)) or [(statement, "actor")]
        holder, key = draw(st.sampled_from(spots))
        match draw(st.sampled_from(["delete", "replace", "add", "spoil"])):
            case "delete" if statement:
                del holder[key]
            case "add" if type(holder) is dict:
                holder[draw(STRAY_NAMES)] = draw(FREE)
            case "spoil" if statement and type(holder[key]) is str:
                holder[key] = draw(NEAR_MISSES).replace("{}", holder[key])
            case _:
                # A copy, since a later mutation may reach into it, and must not reach the next example.
                holder[key] = copy.deepcopy(draw(FREE | st.sampled_from(EXTREMES)))
    return statement


@given(STATEMENTS)
def test_every_generated_statement_is_valid(statement: Json) -> None:
    """Whatever the specification allows in combination is accepted, by both engines."""
    assert compiled_for(statement).slow.is_valid(statement)
    assert is_valid(statement)


@given(mutants())
def test_the_fast_engine_agrees_with_the_oracle(statement: Json) -> None:
    """Both engines give one verdict on a mutant, so an explanation exists exactly when a statement is refused."""
    validator = compiled_for(statement)
    assert validator.fast.is_valid(statement) == validator.slow.is_valid(statement)


@given(mutants())
def test_a_refusal_is_explained_by_a_place_in_the_statement(statement: Json) -> None:
    """The pointer of a fault leads to a value, or to where a missing property should be."""
    assume(not is_valid(statement))
    fault = explain(statement)
    assert fault.expected
    *parents, last = fault.pointer.split("/")[1:] or [""]
    holder: Json = statement
    for token in parents:
        holder = holder[int(token) if type(holder) is list else token.replace("~1", "/").replace("~0", "~")]
    assert type(holder) is dict or int(last) < len(holder)
