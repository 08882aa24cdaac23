"""Validation errors for people, made of pydantic's: which field, what is wrong, how to mend it.

The words are ours. Pydantic's may quote the input, and what a member wrote is not repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bridge.errors import FieldError

_OTHER = "This value does not fit here; the API description (/docs) says what does."
_NAME_LENGTH = 100  # characters of an unknown field's name that are repeated

# By pydantic's error type, or by its first word.
_WORDS: Mapping[str, str] = {
    "missing": "This is needed: fill it in.",
    "extra_forbidden": "There is no such field here: leave it out, or check its spelling.",
    "string_type": "Write this as text.",
    "string_too_short": "Write at least {min_length} character(s).",
    "string_too_long": "Write at most {max_length} characters.",
    "string_pattern_mismatch": "This is not in the form asked for; it has to match {pattern}.",
    "int": "Give a whole number.",
    "float": "Give a number.",
    "decimal": "Give a number.",
    "finite": "Give a finite number.",
    "bool": "Give true or false.",
    "greater_than": "Give a number above {gt}.",
    "greater_than_equal": "Give a number of at least {ge}.",
    "less_than": "Give a number below {lt}.",
    "less_than_equal": "Give a number of at most {le}.",
    "multiple_of": "Give a multiple of {multiple_of}.",
    "literal_error": "Choose one of: {expected}.",
    "enum": "Choose one of: {expected}.",
    "date": "Give a date as YYYY-MM-DD, for example 2026-03-31.",
    "datetime": "Give a time as in RFC 3339, for example 2026-03-31T09:30:00Z.",
    "timezone": "Give the time with its offset, for example 2026-03-31T09:30:00Z.",
    "list": "Give a list.",
    "tuple": "Give a list.",
    "set": "Give a list.",
    "too_long": "Give at most {max_length}.",
    "too_short": "Give at least {min_length}.",
    "dict": "Give an object.",
    "model": "Give an object.",
    "uuid": "Give a UUID.",
    "url": "Give a full web address, starting with https://.",
    "none": "Leave this out or give null.",
    "json": "This is nested too deeply to be read.",
}
_READ_ONLY = "This is read-only: leave it out."
_REPEATED = "Give this parameter once."


def of_body(error: ValidationError, data: Any, model: type[BaseModel], answered: frozenset[str]) -> list[FieldError]:
    """Faults in a JSON body ``data``; ``answered`` are the fields that answers have and a body may lack."""
    return list(_unique(_body_fault(detail, data, model, answered) for detail in _details(error)))


def of_query(error: ValidationError, model: type[BaseModel]) -> list[FieldError]:
    """Faults in query parameters; each is named ``?name``."""
    return list(_unique(_query_fault(detail, model) for detail in _details(error)))


def repeated(name: str, model: type[BaseModel]) -> FieldError:
    """The fault of a parameter that is given twice and taken once."""
    return FieldError(f"?{name}", _label(model, [name]), _REPEATED)


def _details(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_input=False)


def _unique(errors: Iterable[FieldError]) -> Iterator[FieldError]:
    return iter(dict.fromkeys(errors))


def _body_fault(detail: ErrorDetails, data: Any, model: type[BaseModel], answered: frozenset[str]) -> FieldError:
    place = _place(detail, data)
    read_only = detail["type"] == "extra_forbidden" and len(place) == 1 and place[0] in answered
    pointer = "".join(f"/{_escaped(part)}" for part in place)
    return FieldError(pointer, _label(model, place), _READ_ONLY if read_only else _message(detail))


def _query_fault(detail: ErrorDetails, model: type[BaseModel]) -> FieldError:
    name = str(detail["loc"][0])[:_NAME_LENGTH] if detail["loc"] else ""
    return FieldError(f"?{name}", _label(model, [name]), _message(detail))


def _place(detail: ErrorDetails, data: Any) -> list[str | int]:
    """Where in ``data`` the fault is: pydantic's ``loc`` without the union branches it names on the way."""
    place: list[str | int] = []
    for part in detail["loc"]:
        if isinstance(data, Mapping) and part in data:
            data = cast("Mapping[Any, Any]", data)[part]
        elif isinstance(data, list) and isinstance(part, int) and part < len(cast("list[Any]", data)):
            data = cast("list[Any]", data)[part]
        else:
            continue
        place.append(part)
    return [*place, detail["loc"][-1]] if detail["type"] == "missing" else place


def _escaped(part: str | int) -> str:
    return str(part)[:_NAME_LENGTH].replace("~", "~0").replace("/", "~1")


def _message(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context.get("error", _OTHER))  # a validator of ours wrote it for the person
    template = _WORDS.get(kind) or _WORDS.get(kind.partition("_")[0], _OTHER)
    return template.format_map({name: str(value) for name, value in context.items()})


def _label(model: type[BaseModel], place: list[str] | list[str | int]) -> str:
    """The title of the field at ``place``, or its name made readable; ``Body`` for the whole."""
    names = [part for part in place if isinstance(part, str)]
    if not names:
        return "Body"
    field: FieldInfo | None = None
    models = [model]
    for name in names:
        field = next((match for each in models if (match := _field(each, name))), None)
        models = list(_models(field.annotation)) if field else []
    return (field.title if field else None) or names[-1][:_NAME_LENGTH].replace("_", " ").capitalize()


def _field(model: type[BaseModel], name: str) -> FieldInfo | None:
    return next((field for key, field in model.model_fields.items() if name in {key, field.alias}), None)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
