"""Validation errors for people, made of pydantic's: which field, what is wrong, how to mend it.

The words are ours. Pydantic's may quote the input, and what a member wrote is not repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bridge.domain.forms import FormField, choose_one
from bridge.errors import FieldError
from bridge.texts import Text

_OTHER_FAULT = Text("This value does not fit here; the API description (/docs) says what does.")
_NAME_LENGTH = 100  # characters of an unknown field's name that are repeated

# By pydantic's error type, or by its first word.
_WORDS: Mapping[str, Text] = {
    "missing": Text("This is needed: fill it in."),
    "extra_forbidden": Text("There is no such field here: leave it out, or check its spelling."),
    "string_type": Text("Write this as text."),
    "string_too_short": Text("Write at least {min_length} character(s)."),
    "string_too_long": Text("Write at most {max_length} characters."),
    "string_pattern_mismatch": Text("This is not in the form asked for here; the API description (/docs) says which."),
    "int": Text("Give a whole number."),
    "float": Text("Give a number."),
    "decimal": Text("Give a number."),
    "finite": Text("Give a finite number."),
    "bool": Text("Give true or false."),
    "greater_than": Text("Give a number above {gt}."),
    "greater_than_equal": Text("Give a number of at least {ge}."),
    "less_than": Text("Give a number below {lt}."),
    "less_than_equal": Text("Give a number of at most {le}."),
    "multiple_of": Text("Give a multiple of {multiple_of}."),
    "literal_error": Text("Choose one of: {expected}."),
    "enum": Text("Choose one of: {expected}."),
    "date": Text("Give a date as YYYY-MM-DD, for example 2026-03-31."),
    "datetime": Text("Give a time as in RFC 3339, for example 2026-03-31T09:30:00Z."),
    "timezone": Text("Give the time with its offset, for example 2026-03-31T09:30:00Z."),
    "list": Text("Give a list."),
    "tuple": Text("Give a list."),
    "set": Text("Give a list."),
    "too_long": Text("Give at most {max_length}."),
    "too_short": Text("Give at least {min_length}."),
    "dict": Text("Give an object."),
    "model": Text("Give an object."),
    "uuid": Text("Give a UUID."),
    "url": Text("Give a full web address, starting with https://."),
    "none": Text("Leave this out or give null."),
    "json": Text("This is nested too deeply to be read."),
}
_READ_ONLY = Text("This is read-only: leave it out.")
_REPEATED_FAULT = Text("Give this parameter once.")
_ADDRESS = Text("Give a full web address that begins with http:// or https://, without spaces.")


def of_body(
    error: ValidationError, data: Any, model: type[BaseModel], answer_fields: frozenset[str]
) -> list[FieldError]:
    """Faults in a JSON body ``data``; ``answer_fields`` are the fields that answers have and a body may lack."""
    return list(dict.fromkeys(_body_fault(detail, data, model, answer_fields) for detail in _details(error)))


def of_query(error: ValidationError, model: type[BaseModel]) -> list[FieldError]:
    """Faults in query parameters; each is named ``?name``."""
    return list(dict.fromkeys(_query_fault(detail, model) for detail in _details(error)))


def repeated(name: str, model: type[BaseModel]) -> FieldError:
    """The fault of a parameter that is given twice and taken once."""
    return FieldError(f"?{name}", _label(_field_at(model, [name]), [name]), _REPEATED_FAULT)


def labels(model: type[BaseModel]) -> Iterator[str]:
    """Every label that faults in a model may have, for the catalogues."""
    yield _label(None, [])
    for name, field in model.model_fields.items():
        yield _label(field, [field.alias or name])
        for part in _models(field.annotation):
            yield from labels(part)


def _details(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_input=False)


def _body_fault(detail: ErrorDetails, data: Any, model: type[BaseModel], answer_fields: frozenset[str]) -> FieldError:
    place = _place(detail, data)
    read_only = detail["type"] == "extra_forbidden" and len(place) == 1 and place[0] in answer_fields
    pointer = "".join(f"/{_escaped(part)}" for part in place)
    field = _field_at(model, place)
    return FieldError(pointer, _label(field, place), _READ_ONLY if read_only else _message(detail, field))


def _query_fault(detail: ErrorDetails, model: type[BaseModel]) -> FieldError:
    name = str(detail["loc"][0])[:_NAME_LENGTH] if detail["loc"] else ""
    field = _field_at(model, [name])
    return FieldError(f"?{name}", _label(field, [name]), _message(detail, field))


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


def _message(detail: ErrorDetails, field: FieldInfo | None) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return _own_words(context.get("error"))
    form_field = next((part for part in field.metadata if isinstance(part, FormField)), None) if field else None
    if form_field is not None and kind == "literal_error":
        return choose_one(form_field)
    if form_field is not None and kind == "string_pattern_mismatch" and form_field.type == "url":
        return _ADDRESS
    template = _WORDS.get(kind) or _WORDS.get(kind.partition("_")[0], _OTHER_FAULT)
    return template.filled(**{name: value if isinstance(value, int) else str(value) for name, value in context.items()})


def _own_words(error: object) -> str:
    """What a validator of ours wrote for the person."""
    return str(error) if not isinstance(error, ValueError) or not isinstance(error.args[0], Text) else error.args[0]


def _label(field: FieldInfo | None, place: list[str] | list[str | int]) -> str:
    """The title of the field at ``place``, or its name made readable; ``Body`` for the whole."""
    names = [part for part in place if isinstance(part, str)]
    if not names:
        return Text("Body")
    title = field.title if field else None
    return title or Text(names[-1][:_NAME_LENGTH].replace("_", " ").capitalize())


def _field_at(model: type[BaseModel], place: list[str] | list[str | int]) -> FieldInfo | None:
    """The field at ``place``, through the models that fields hold."""
    field: FieldInfo | None = None
    models = [model]
    for name in (part for part in place if isinstance(part, str)):
        field = next((match for candidate in models if (match := _field(candidate, name))), None)
        models = list(_models(field.annotation)) if field else []
    return field


def _field(model: type[BaseModel], name: str) -> FieldInfo | None:
    return next((field for key, field in model.model_fields.items() if name in {key, field.alias}), None)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
