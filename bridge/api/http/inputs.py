"""Query and body of a request, read into pydantic models; what is wrong is said field by field."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, TypeVar, get_args

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from bridge.api.http import validation_errors
from bridge.domain.fields import is_deep, whole_numbers
from bridge.errors import FieldError, Malformed, TooLarge, UnsupportedMediaType, ValidationFailed
from bridge.texts import Text

M = TypeVar("M", bound=BaseModel)

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(rf"{_WHOLE.pattern}(\.[0-9]{{1,17}})?")
_TRUTH = {"true": True, "false": False}


class InputModel(BaseModel):
    """A body or a query, which takes no unknown fields; by itself, the query of a route without parameters."""

    model_config = ConfigDict(extra="forbid")


def media_types(method: str) -> tuple[str, ...]:
    """The media types of a body that ``method`` takes; the first is the one to use."""
    return (MERGE_PATCH, JSON) if method == "PATCH" else (JSON,)


async def read_body(request: web.Request, model: type[M], answer_fields: frozenset[str] = frozenset()) -> M:
    """The JSON body as ``model``; ``answer_fields`` are read-only when the model has them not.

    Raises ``UnsupportedMediaType``, ``TooLarge``, ``Malformed`` (not strict JSON) or ``ValidationFailed``.
    """
    _check_media_type(request)
    if (request.content_length or 0) > request.client_max_size:
        raise TooLarge(Text("The body may be up to {n} bytes.", n=request.client_max_size))
    data, clean = _strict_json(await _whole_body(request))
    try:
        return model.model_validate_json(clean, strict=True)
    except ValidationError as error:
        raise ValidationFailed(
            Text("See errors for each field."),
            field_errors=validation_errors.of_body(error, data, model, answer_fields),
        ) from None


async def _whole_body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except ConnectionResetError:  # the client has gone: no fault of ours, and nobody is left to tell
        raise Malformed(Text("The body broke off.")) from None


def _strict_json(raw: bytes) -> tuple[Any, bytes]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        message = Text("The body is not JSON (RFC 8259): see line {line}, column {column}.")
        raise Malformed(message.filled(line=error.lineno, column=error.colno)) from None
    if is_deep(value):
        raise Malformed(Text("The body is nested too deeply."))
    data = whole_numbers(value)
    return data, orjson.dumps(data)


def _check_media_type(request: web.Request) -> None:
    types = media_types(request.method)
    if "Content-Type" not in request.headers or request.content_type not in types:
        raise UnsupportedMediaType(Text("Send the body as Content-Type: {types}.", types=types))
    if (request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType(Text("Send the body in UTF-8 (RFC 8259 §8.1)."))


def read_query(request: web.Request, model: type[M]) -> M:
    """The query parameters as ``model``; raises ``ValidationFailed`` naming each that is wrong, unknown or repeated."""
    fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    values: dict[str, Any] = {}
    repetitions: list[FieldError] = []
    for name in dict.fromkeys(request.query):
        texts = request.query.getall(name)
        values[name] = _typed(texts[0], fields.get(name))
        repetitions += [validation_errors.repeated(name, model)] if len(texts) > 1 else []
    parameter_errors = repetitions
    try:
        query = model.model_validate_json(orjson.dumps(values), strict=True)
    except ValidationError as error:
        parameter_errors = [*repetitions, *validation_errors.of_query(error, model)]
    else:
        if not repetitions:
            return query
    raise ValidationFailed(Text("See errors for each parameter."), field_errors=parameter_errors)


def _typed(text: str, annotation: Any) -> Any:
    """The JSON value that ``text`` stands for: a query is all text, so that the field's type has to say."""
    leaves = _leaves(annotation)
    if bool in leaves and text in _TRUTH:
        return _TRUTH[text]
    if int in leaves and _WHOLE.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) and any(isinstance(leaf, type) and issubclass(leaf, date) for leaf in leaves):
        return False  # pydantic would read the number as seconds since 1970
    return text


def _leaves(annotation: Any) -> set[Any]:
    parts = get_args(annotation)
    return set[Any]().union(*(_leaves(part) for part in parts)) if parts else {annotation}
