"""The forms of the record, and whether one is complete (R8-R11, R34-R41, R45, R46)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.errors import NotFound
from schemas.forms import FORMS


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values a field may have, and what a person reads."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class FormField:
    """One field, as ``schemas/forms/form.schema.json`` describes it.

    ``required`` means needed for *complete*, never for saving. ``max_length`` counts characters (of each tag for
    ``tags``) and is ``None`` for what is not text; ``choices`` is empty unless the type is ``choice`` or ``choices``.
    """

    name: str
    label: str
    help: str
    group: str
    type: str
    required: bool
    max_length: int | None
    choices: tuple[Choice, ...]
    order: int


@dataclass(frozen=True, slots=True)
class Form:
    """One version of a form (``log`` or ``plan``), its fields in their order."""

    name: str
    version: str
    title: str
    fields: tuple[FormField, ...]


def _field(data: Mapping[str, Any]) -> FormField:
    choices = tuple(Choice(**choice) for choice in data.get("choices", ()))
    attributes: dict[str, Any] = {"max_length": None, **data, "choices": choices}
    return FormField(**attributes)


def _form(data: Mapping[str, Any]) -> Form:
    fields = sorted(map(_field, data["fields"]), key=lambda field: field.order)
    return Form(data["form"], data["version"], data["title"], tuple(fields))


_FORMS = {key: _form(data) for key, data in FORMS.items()}


def form(name: str, version: str) -> Form:
    """The form of that name and version; raises ``NotFound``."""
    try:
        return _FORMS[name, version]
    except KeyError:
        raise NotFound(f"There is no version {version} of a form named {name}.") from None


def current(name: str) -> Form:
    """The newest version of the form; raises ``NotFound``."""
    versions = [version for form_name, version in _FORMS if form_name == name]
    return form(name, max(versions, key=int, default="1"))


def missing_fields(form: Form, values: Mapping[str, Any]) -> list[str]:
    """The names of the needed fields that are empty, in the form's order; 0 and ``False`` are values (R10, R38)."""
    return [field.name for field in form.fields if field.required and _is_empty(values.get(field.name))]


def is_complete(form: Form, values: Mapping[str, Any], draft: bool) -> bool:
    """Whether the record is finished and nothing needed is missing (R38); a plan item is never a draft."""
    return not draft and not missing_fields(form, values)


def _is_empty(value: object) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())
