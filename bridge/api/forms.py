"""``/v1/forms``: the forms of the record, and the models of bodies and answers that are made from them at start."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, create_model

from bridge.api import log, plan
from bridge.api.http.context import ROLES, Call
from bridge.api.http.inputs import InputModel
from bridge.api.http.languages import Words, language_of
from bridge.api.http.routing import Answer, Routes
from bridge.api.http.schemas import OneOf
from bridge.api.http.service_keys import FORMS
from bridge.domain.fields import Day
from bridge.domain.forms import Form, FormField, Forms

routes = Routes("Forms", "The fields of the plan and of the log, as versioned data.")

MAX_TAGS = 100
MAX_INTEGER = 2**31 - 1
MINIMA: Mapping[str, int] = {"part": 1}
"""The least of a whole number, by the field's name; nothing else is below 0."""

Group = Literal["factual", "reflective"]


class Choice(BaseModel):
    """One of the values a field may have."""

    value: str
    label: Words = Field(description="What a person reads.")


class FormFieldOut(BaseModel):
    """One field of a form."""

    name: str
    label: Words
    help: Words = Field(description="A prompt to reflect, shown beside the field.")
    group: Group = Field(description="Facts can be filled in first, reflections later (R36).")
    type: str = Field(
        description="`string` a code, `text` one line, `long_text` paragraphs, `url`, `tags` words of the member's "
        "own, `date`, `integer`, `boolean`, `choice` one of choices, `choices` any of them."
    )
    required: bool = Field(description="Needed for *complete*, marked by an asterisk; never needed for saving.")
    max_length: int | None = Field(description="Characters; of each tag for `tags`.")
    choices: list[Choice]
    order: int


class FormOut(BaseModel):
    """A version of a form."""

    form: str = Field(validation_alias="name")
    version: str
    title: Words
    fields: list[FormFieldOut]


class FormQuery(InputModel):
    """Which version of a form."""

    version: str | None = Field(
        None, pattern=r"^[1-9][0-9]{0,5}$", description="The newest unless given; a record names its own."
    )


@routes.get(
    "/v1/forms/{form}",
    roles=ROLES,
    query=FormQuery,
    answer=FormOut,
    etag=True,
    worded=True,
    description="`form` is `plan` or `log`. A record is complete by the version of the form that it was made with. The "
    "`ETag` changes with the words, so that each language has its own.",
)
async def get_form(call: Call, query: FormQuery) -> Answer:
    """A form of the record (R8, R9, R34, R39-R41)."""
    forms, name = call.service(FORMS), call.path["form"]
    form = forms.form(name, query.version) if query.version else forms.current(name)
    return Answer(form, headers={"ETag": _tag(form, await language_of(call.request))})


def _tag(form: Form, language: str) -> str:
    """The entity tag of a form in a language (RFC 9110 §8.8.3): of its version and its words."""
    words = "\0".join(text.to(language) for text in form.texts())
    return f'"{form.version}-{hashlib.sha256(words.encode()).hexdigest()[:16]}"'


@cache
def models_of(forms: Forms) -> Mapping[type[BaseModel], type[BaseModel]]:
    """Return the model with a form's fields for each that a route of the plan or the log is declared with."""
    return {
        plan.PlanItemIn: with_fields(plan.PlanItemIn, forms, "plan", plan.EXAMPLE),
        plan.PlanItemPatch: with_fields(plan.PlanItemPatch, forms, "plan", plan.EXAMPLE_PATCH),
        plan.PlanItem: showing_fields(plan.PlanItem, forms, "plan"),
        log.LogEntryIn: with_fields(log.LogEntryIn, forms, "log", log.EXAMPLE),
        log.LogEntryPatch: with_fields(log.LogEntryPatch, forms, "log", log.EXAMPLE_PATCH),
        log.LogEntry: showing_fields(log.LogEntry, forms, "log"),
    }


def with_fields(base: type[BaseModel], forms: Forms, name: str, example: Mapping[str, Any]) -> type[BaseModel]:
    """Return a subclass of a body's model with a field for each of the form's, in any version of it.

    Nothing is needed for saving (R10, R35): every field may be absent, and null empties it. ``example`` is shown as far
    as the form has its fields.
    """
    model = _make_model(base, _fields(forms, name), _body_type)
    examples = {field: value for field, value in example.items() if field in model.model_fields}
    model.model_config = {**model.model_config, "json_schema_extra": {"examples": [examples]}}
    return model


def showing_fields(base: type[BaseModel], forms: Forms, name: str) -> type[BaseModel]:
    """Return a subclass of an answer's model with a field for each of the form's, null when it is empty."""
    fields = [field for field in _fields(forms, name) if field.name not in base.model_fields]
    return _make_model(base, fields, _answer_type)


def _fields(forms: Forms, name: str) -> list[FormField]:
    newest_last = [field for form in reversed(forms.versions(name)) for field in form.fields]
    return list({field.name: field for field in newest_last}.values())


def _make_model(
    base: type[BaseModel], fields: Sequence[FormField], annotation_of: Callable[[FormField], Any]
) -> type[BaseModel]:
    definitions: dict[str, Any] = {
        field.name: (
            Annotated[annotation_of(field) | None, field],
            Field(None, title=field.label, description=field.help),
        )
        for field in fields
    }
    return create_model(base.__name__, __base__=base, __module__=base.__module__, __doc__=base.__doc__, **definitions)


def _body_type(field: FormField) -> Any:
    """The type of a field in a body."""
    text = Annotated[str, Field(max_length=field.max_length)]
    choice_type: Any = Annotated[str, OneOf(choice.value for choice in field.choices)] if field.choices else str
    types: dict[str, Any] = {
        "url": Annotated[str, Field(max_length=field.max_length, pattern=r"^(https?://\S+)?$")],
        "tags": Annotated[
            list[Annotated[str, Field(min_length=1, max_length=field.max_length)]], Field(max_length=MAX_TAGS)
        ],
        "date": Day,
        "integer": Annotated[int, Field(ge=MINIMA.get(field.name, 0), le=MAX_INTEGER)],
        "boolean": bool,
        "choice": choice_type,
        "choices": Annotated[list[choice_type], Field(max_length=len(field.choices))],
    }
    return types.get(field.type, text)


def _answer_type(field: FormField) -> Any:
    """The type of a field in an answer; an older choice is shown as it is."""
    types: dict[str, Any] = {
        "tags": list[str],
        "choices": list[str],
        "date": date,
        "integer": int,
        "boolean": bool,
    }
    return types.get(field.type, str)
