"""Statement validation: what is valid, what a single change breaks, and where the fault is said to be.

The samples are in the JSON file beside this one: ``valid`` statements; ``lawful`` values, which keep ``cmi5`` valid;
``unlawful`` ones, each the fault where it is put; and ``changes`` to a statement (a deletion when there is no value),
each with the pointer of its ``fault``.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from schemas import xapi
from schemas.xapi import VERBS, compiled_for, explain, is_valid, read, verb_name
from schemas.xapi.faults import fault_of, pointer

PUBLISHED = Path(__file__).parents[2].parent / "shared" / "statements"
SAMPLES: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_bytes())
KIND = "/object/definition/interactionType"
MISSING = object()


def question(kind: str, *lists: str) -> dict[str, Any]:
    """Return a statement about a question of ``kind`` with the component ``lists``."""
    components = {name: [{"id": "a", "description": {"en": "A"}}, {"id": "b"}] for name in lists}
    definition = {"interactionType": kind, "correctResponsesPattern": ["a"], **components}
    minimal: dict[str, Any] = SAMPLES["valid"]["minimal"]
    return {**minimal, "object": {**minimal["object"], "definition": definition}}


INTERACTIONS = {
    **dict.fromkeys(("true-false", "fill-in", "long-fill-in", "numeric", "other"), ()),
    **dict.fromkeys(("choice", "sequencing"), ("choices",)),
    "likert": ("scale",),
    "matching": ("source", "target"),
    "performance": ("steps",),
}
LISTS = sorted({name for lists in INTERACTIONS.values() for name in lists})
VALID: dict[str, Any] = {
    **SAMPLES["valid"],
    **{kind: question(kind, *lists) for kind, lists in INTERACTIONS.items()},
}
LAWFUL = [(kind["at"], value) for kind in SAMPLES["lawful"] for value in kind["values"]]
MUTATIONS: list[tuple[str, str, object, str]] = [
    *[("cmi5", at, None, at) for kind in SAMPLES["unlawful"] for at in kind["at"]],
    *[("cmi5", at, value, at) for kind in SAMPLES["unlawful"] for at in kind["at"] for value in kind["values"]],
    *[(change["to"], change["at"], change.get("value", MISSING), change["fault"]) for change in SAMPLES["changes"]],
    *[(kind, KIND, value, KIND) for kind in INTERACTIONS for value in (MISSING, None, kind.upper())],
    *[
        (kind, f"/object/definition/{name}", cast("object", []), KIND)
        for kind, lists in INTERACTIONS.items()
        for name in LISTS
        if name not in lists
    ],
]
# Where engines are known to differ: $ before a final line feed, what \d and white space are, and what a number is.
ENGINES_DIFFER = [
    *[(at, VALID["cmi5"][at[1:]] + "\n") for at in ("/id", "/timestamp", "/stored", "/version")],
    ("/verb/id", "urn:x\n"),
    ("/object/id", "urn:\u0085x"),
    ("/object/id", "urn:\ufeffx"),
    ("/result/duration", "PT1S\n"),
    ("/result/duration", "PT\u0663S"),
    ("/context/language", "en\n"),
    ("/verb/display", {"en\n": "x"}),
    ("/context/extensions", {"urn:x\n": 1}),
    ("/attachments/0/sha2", "a" * 64 + "\n"),
    ("/attachments/0/contentType", "a/b\n"),
    ("/actor", {"mbox": "mailto:a@b.org\n"}),
    ("/actor", {"mbox_sha1sum": "a" * 40 + "\n"}),
    *[
        (f"/result/score/{name}", value)
        for name in ("scaled", "raw", "min", "max")
        for value in (math.inf, -math.inf, 10**400, -(10**400))
    ],
]


def changed(base: str, at: str, value: object) -> Any:
    """Return a copy of the valid statement ``base`` with ``value`` (or nothing, for MISSING) at the pointer ``at``."""
    statement = copy.deepcopy(VALID[base])
    *parents, last = at.split("/")[1:]
    holder: Any = statement
    for token in parents:
        holder = holder[int(token) if token.isdigit() else token]
    key = int(last) if last.isdigit() else last
    if value is MISSING:
        del holder[key]
    else:
        holder[key] = value
    return statement


@pytest.mark.parametrize("base", VALID)
def test_our_statements_are_valid(base: str) -> None:
    """Statements such as real emitters send, and every interaction type, are valid in the oracle's eyes too."""
    assert is_valid(VALID[base])
    assert compiled_for(VALID[base]).slow.is_valid(VALID[base])


@pytest.mark.parametrize(("at", "value"), LAWFUL)
def test_what_the_specification_allows_is_valid(at: str, value: object) -> None:
    """Each unusual but lawful form is accepted: strict is not narrow."""
    assert is_valid(changed("cmi5", at, value))


@pytest.mark.parametrize(("base", "at", "value", "fault"), MUTATIONS)
def test_one_change_breaks_a_statement(base: str, at: str, value: object, fault: str) -> None:
    """Each single change makes a valid statement invalid, and the fault is where the change is."""
    statement = changed(base, at, value)
    assert not is_valid(statement)
    assert explain(statement).pointer == fault


@pytest.mark.parametrize(("base", "at", "value", "fault"), MUTATIONS)
def test_a_long_statement_is_explained_alike(
    base: str, at: str, value: object, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is told of a statement that counts as long is one of its faults, in the same words."""
    statement = changed(base, at, value)
    explanation = explain(statement)
    assert explanation.pointer == fault
    monkeypatch.setattr(xapi, "LONG", 0)
    assert explain(statement) in [explanation, *map(fault_of, compiled_for(statement).slow.iter_errors(statement))]


@pytest.mark.parametrize(
    ("related", "fault"),
    [
        ([1] * 500_000, "/context/contextActivities/other/0"),
        ([*[{"id": f"a:{n:x}"} for n in range(100_000)], {"id": 1}], "/context/contextActivities/other/100000/id"),
        ({"id": "x" * 2_000_000}, "/context/contextActivities/other/id"),
    ],
)
def test_a_fault_of_a_long_statement_is_soon_told(related: object, fault: str) -> None:
    """Many faults, one after much that is right, and a long text: none costs more than a moment."""
    start = time.monotonic()
    assert explain({**VALID["minimal"], "context": {"contextActivities": {"other": related}}}).pointer == fault
    assert time.monotonic() - start < 1


@pytest.mark.parametrize(("at", "value"), ENGINES_DIFFER)
def test_both_engines_refuse_what_they_are_known_to_see_differently(at: str, value: object) -> None:
    """The schema is written so that neither engine's own reading of $, digits or numbers lets a value through."""
    statement = changed("cmi5", at, value)
    assert not compiled_for(statement).fast.is_valid(statement)
    assert not compiled_for(statement).slow.is_valid(statement)


def test_the_version_chooses_the_schema() -> None:
    """A version that begins with 2. is held to xAPI 2.0, everything else to 1.0.3."""
    assert is_valid({**VALID["minimal"], "version": "2.0.0"})
    assert not is_valid({**VALID["minimal"], "version": 2.0})
    assert not is_valid({**VALID["v2"], "version": "1.0.3"})


@pytest.mark.parametrize("iri", VERBS["voided"])
def test_every_spelling_of_voided_needs_a_reference(iri: str) -> None:
    """What the service reads as voiding can never reach it without the statement to be voided."""
    assert explain({**VALID["minimal"], "verb": {"id": iri}}).pointer == "/object/objectType"


@pytest.mark.parametrize("value", [None, 1, "x", True, [], [VALID["minimal"]], {}, math.nan])
def test_what_is_no_statement_is_explained(value: object) -> None:
    """Any JSON value is answered with a fault at the root or at what is missing, not with an exception."""
    assert not is_valid(value)
    assert explain(value).pointer in {"", "/actor"}


@pytest.mark.parametrize(
    ("pointer", "value"), [("/verb/id", "urn:\ud800"), ("/result/score/raw", math.nan), ("/result/score", {1: 2})]
)
def test_what_python_has_and_json_has_not_is_refused(pointer: str, value: object) -> None:
    """A lone surrogate, NaN or a key that is no text is refused and explained, not raised."""
    statement = changed("cmi5", pointer, value)
    assert not is_valid(statement)
    assert explain(statement).expected


def test_deep_extensions_are_no_reason_to_refuse() -> None:
    """An extension nested to the JSON decoder's own limit is valid, since its value is free (clause 4.1)."""
    deep: list[Any] = []
    for _ in range(1000):
        deep = [deep]
    assert is_valid({**VALID["minimal"], "context": {"extensions": {"urn:x:deep": deep}}})


def test_a_valid_statement_has_nothing_to_explain() -> None:
    """Explaining a valid statement is a mistake of the caller."""
    with pytest.raises(ValueError, match="nothing to explain"):
        explain(VALID["minimal"])


def test_a_pointer_escapes_its_tokens() -> None:
    """A slash and a tilde in a token are escaped (RFC 6901 section 3)."""
    assert pointer(["a/b", "m~n", 0]) == "/a~1b/m~0n/0"


def test_no_fault_repeats_a_value() -> None:
    """Neither pointer nor expectation holds what the statement held, be it a value or a stray name."""
    secret = "Asha Rao was bereaved"
    places = [at for kind in SAMPLES["unlawful"] for at in kind["at"]]
    for at in [*places, "/actor/" + secret, "/verb/display/" + secret, "/result/extensions/" + secret, "/" + secret]:
        for value in (secret, {secret: secret}, [secret]):
            statement = changed("cmi5", at, value)
            if not is_valid(statement):
                assert secret not in repr(explain(statement))


def _nodes(node: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, list):
        for index, item in enumerate(cast("list[Any]", node)):
            yield from _nodes(item, f"{where}/{index}")
    elif isinstance(node, dict):
        yield where, cast("dict[str, Any]", node)
        for name, item in cast("dict[str, Any]", node).items():
            if name not in {"if", "oneOf", "contains", "not"}:  # these fail as a whole, by the title of their holder
                yield from _nodes(item, f"{where}/{name}")


@pytest.mark.parametrize("name", ["definitions.json", "statement-1.0.3.json", "statement-2.0.json"])
def test_every_part_that_can_fail_has_a_title(name: str) -> None:
    """Each schema node with an assertion says in its title what it expects, so that every rejection is explained."""
    assertions = {"type", "pattern", "not", "const", "enum", "oneOf", "minimum", "maximum", "minItems", "contains"}
    schema: dict[str, Any] = read(name)
    untitled_names = [
        where
        for where, node in _nodes(schema)
        if not where.endswith("/properties") and assertions & node.keys() and not isinstance(node.get("title"), str)
    ]
    assert untitled_names == []


def test_a_verb_iri_has_one_name() -> None:
    """The table of verbs is a function from IRI to name, every IRI is valid, and an unknown one has no name."""
    iris = [iri for spellings in VERBS.values() for iri in spellings]
    assert len(set(iris)) == len(iris)
    assert all(verb_name(iri) == name for name, spellings in VERBS.items() for iri in spellings)
    assert all(is_valid({**VALID["voiding"], "verb": {"id": iri}}) for iri in iris)
    assert verb_name("http://activitystrea.ms/schema/1.0/complete") == "completed"
    assert verb_name("https://w3id.org/xapi/adl/verbs/satisfied") == "satisfied"
    assert verb_name("http://adlnet.gov/expapi/verbs/Completed") is None


# The published statements that are truly invalid, with the first fault that we name and the reason.
INVALID = {
    "activitystreams_complete_typo_display": "/verb",  # "dispay" is not a property of a verb
    "jisc_quiz_completed_template": "/timestamp",  # an unfilled template, placeholders for times, IRIs and numbers
    "lrsql_reaction_template_completed": "/actor/mbox",  # a reaction template: an object where a mailto IRI belongs
    "spec_legacy_person_completed": "/actor/objectType",  # xAPI 0.9: Person, lists of mbox, a verb that is text
}


def _published() -> list[Any]:
    files = sorted(PUBLISHED.glob("*.json"))
    return [pytest.param(path, id=path.stem) for path in files] or [
        pytest.param(PUBLISHED, marks=pytest.mark.skip(reason="the published statements are not beside this checkout"))
    ]


@pytest.mark.parametrize("path", _published())
def test_published_statements(path: Path) -> None:
    """What real systems publish is valid but for those named above (an extension key with ``&46;`` is a lawful IRI)."""
    statement = json.loads(path.read_bytes())
    assert is_valid(statement) is (path.stem not in INVALID)
    if path.stem in INVALID:
        assert explain(statement).pointer == INVALID[path.stem]
