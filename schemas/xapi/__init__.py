"""xAPI statements as data: strict validation of 1.0.3 and 2.0, and the names of the verbs.

``is_valid`` decides, fast; ``explain`` says what is wrong with a statement it refused. The shape is in the JSON Schemas
beside this file, what they cannot say in ``rules``.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any, cast

from schemas import property_names
from schemas.xapi.compiled import compiled_for, first_error, fits_part, is_long, part_schema, read
from schemas.xapi.faults import Fault, fault_of, first_fault, pointer
from schemas.xapi.rules import broken

__all__ = [
    "PROPERTIES",
    "VERBS",
    "Fault",
    "explain",
    "fits_part",
    "is_valid",
    "part_schema",
    "pointer",
    "verb_name",
]

VERBS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: tuple(iris) for name, iris in read("verbs.json").items()}
)
"""Verb name to the IRIs that mean it, the canonical one first."""

PROPERTIES = frozenset(property_names(read("definitions.json")))
"""Every name that the specification gives to a property of a statement or of one of its parts."""

MOST_FAULTS = 1000
"""Faults of which the one to tell of is chosen."""

_NOT_JSON = Fault("", "JSON alone: no lone surrogate in a text, no NaN, and text as every property name")
_NAMES = {iri: name for name, iris in VERBS.items() for iri in iris}


def verb_name(iri: str) -> str | None:
    """Return the name of the verb that ``iri`` means, or None when it is not one of ``VERBS``."""
    return _NAMES.get(iri)


def is_valid(statement: object, spoken: str | None = None) -> bool:
    """Say whether ``statement`` (decoded JSON) is a valid xAPI statement of the version it claims, by default 1.0.3.

    ``spoken`` is the version of the request that brought it, if any: see ``compiled.compiled_for``.
    """
    try:
        fits = compiled_for(statement, spoken).fast.is_valid(statement)
    except ValueError:  # text with a lone surrogate, or a key that is not text: Python has them, JSON does not
        return False
    return fits and broken(cast("Mapping[str, Any]", statement)) is None


def explain(statement: object, spoken: str | None = None) -> Fault:
    """Return what is wrong with ``statement``, for which ``is_valid`` said no; ``ValueError`` when nothing is.

    Of a long statement it is the first fault that comes, not the most telling one: the time that takes is bounded.
    """
    if is_valid(statement, spoken):
        raise ValueError("the statement is valid: there is nothing to explain")
    compiled = compiled_for(statement, spoken)
    try:
        fault = (
            fault_of(first_error(compiled, statement))
            if is_long(statement)
            else first_fault(islice(compiled.slow.iter_errors(statement), MOST_FAULTS))
        )
    except ValueError:  # as in ``is_valid``
        return _NOT_JSON
    return fault or broken(cast("Mapping[str, Any]", statement)) or _NOT_JSON
