"""Faults of a statement, described without repeating any of its values (they may be personal text)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: ``pointer`` (RFC 6901) says where, ``expected`` what should have been there, in plain English.

    A missing property is pointed at where it should be. A property that should not be there is pointed at by the object
    that holds it, since a stray name may itself be personal.
    """

    pointer: str
    expected: str


def first_fault(errors: Iterable[ValidationError]) -> Fault | None:
    """Return the fault to report of ``errors``, or None when there is none.

    A wrong objectType comes first, because the other errors may only follow from it; then the outermost; of equals, the
    first in the order of the schema.
    """
    return fault_of(min(errors, key=_rank, default=None))


def pointer(path: Iterable[str | int]) -> str:
    """Return the RFC 6901 JSON Pointer of ``path``."""
    return "".join(f"/{str(token).replace('~', '~0').replace('/', '~1')}" for token in path)


def _rank(error: ValidationError) -> tuple[bool, int]:
    path = error.absolute_path
    return not (path and path[-1] == "objectType"), len(path)


def fault_of(error: ValidationError | None) -> Fault | None:
    """Return the fault to report of an error, if there is one."""
    if error is None:
        return None
    schema = cast("Mapping[str, Any]", error.schema)
    where = pointer(error.absolute_path)
    if missing := _missing(error):
        return Fault(f"{where}/{missing}", f"the property {missing}, which is required here")
    if error.validator == "additionalProperties":
        return Fault(where, f"no other properties than {', '.join(schema['properties'])}")
    if "propertyNames" in error.absolute_schema_path:
        return Fault(where, f"as each key, {schema['title']}")
    return Fault(where, schema["title"])


def _missing(error: ValidationError) -> str | None:
    present = cast("Mapping[str, Any]", error.instance)
    if error.validator == "required":
        return next(name for name in cast("list[str]", error.validator_value) if name not in present)
    if error.validator == "dependentRequired":
        needs = cast("Mapping[str, list[str]]", error.validator_value)
        return next(name for owner in needs if owner in present for name in needs[owner] if name not in present)
    return None
