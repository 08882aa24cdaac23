"""The forms of the record, and whether values fit one and complete it (R8-R11, R33-R41, R45, R46)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from bridge.errors import FieldError, NotFound, SettingsError
from bridge.texts import Text, data_text
from schemas.forms import DEFAULT_LOG_TYPE, FORMS, load_all
from schemas.languages import LANGUAGES

Values = Mapping[str, Any]
"""Fields of a form by name: which there are, its definition says."""

CORE: Mapping[str, Mapping[str, str]] = {
    "log": {"title": "text", "type": "choice", "date": "date", "description": "long_text"},
    "plan": {"title": "text", "start_date": "date", "completion_date": "date", "status": "choice"},
}
"""Fields that rules speak of, with their types: every version of a form has them, whoever wrote it."""

PlanStatus = Literal["planned", "in_progress", "done", "not_pursued", "carried_forward"]
STATUSES: Final[tuple[PlanStatus, ...]] = get_args(PlanStatus)
"""What the status of a plan item may be (R14); the contract names them, so every form offers them."""

DEFAULTS: Mapping[str, Mapping[str, str]] = {"log": {"type": DEFAULT_LOG_TYPE}, "plan": {"status": "planned"}}
"""Choices that the service makes where nobody did, by form and field."""

WRITTEN = frozenset({"string", "text", "long_text", "url", "tags"})
"""Types of fields that hold words of the member's own."""

RESERVED = frozenset(
    (
        *("_id", "id", "member_id", "source", "draft", "complete", "missing_fields", "form_version", "version"),
        *("period_id", "period_ids", "plan_ids", "log_ids", "evidence", "provenance", "frozen", "frozen_since"),
        *("created_at", "updated_at", "finished_at", "touched_at", "deleted_at", "withdrawn_at"),
        *("merge_keys", "order", "tokens", "listed", "linked", "span", "carried_to", "carried_from", "carried_into"),
    )
)
"""What a record says of itself, and no field of a form may be called."""


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """A value that a field may have, and what a person reads for it: the label, and its words in every language."""

    value: str
    label: Text
    words: tuple[str, ...]

    @classmethod
    def of(cls, value: str, label: Text) -> FieldChoice:
        """Make a choice; its words are put together once, since a search asks for them with every entry."""
        return cls(value, label, tuple(dict.fromkeys(label.to(language) for language in LANGUAGES)))


@dataclass(frozen=True)
class FormField:
    """A field, as ``schemas/forms/form.schema.json`` describes it."""

    name: str
    label: Text
    help: Text
    group: str
    type: str
    required: bool = False  # for *complete*, never for saving
    max_length: int | None = None  # characters (of each tag for ``tags``); None for what is not text
    choices: tuple[FieldChoice, ...] = ()  # none unless the type is ``choice`` or ``choices``
    order: int = 0

    @cached_property
    def _choices(self) -> Mapping[object, FieldChoice]:
        return {choice.value: choice for choice in self.choices}

    def label_of(self, value: object) -> str:
        """What a person reads for one of the choices; empty for what is none."""
        return self._choices[value].label if value in self._choices else ""

    def labels_of(self, value: object) -> tuple[str, ...]:
        """What people read for one of the choices, in every language; nothing for what is none."""
        return self._choices[value].words if value in self._choices else ()

    def value_of(self, words: str) -> str:
        """The choice that a person calls so, in any language and case; the words themselves for none."""
        values = {label.casefold(): choice.value for choice in self.choices for label in choice.words}
        return values.get(words.casefold(), words)


@dataclass(frozen=True)
class Form:
    """A version of a form (``log`` or ``plan``), its fields in their order."""

    name: str
    version: str
    title: Text
    fields: tuple[FormField, ...]

    @cached_property
    def _by_name(self) -> Mapping[str, FormField]:
        return {field.name: field for field in self.fields}

    @cached_property
    def required(self) -> list[FormField]:
        """The fields that a complete record needs."""
        return [field for field in self.fields if field.required]

    @cached_property
    def worded(self) -> list[FormField]:
        """The fields that a person reads words in: their own, or the labels of choices."""
        return [field for field in self.fields if field.choices or field.type in WRITTEN]

    def to(self, language: str) -> Form:
        """The same form in a language, for a reader who has no catalogue."""
        return replace(
            self, title=_said(self.title, language), fields=tuple(_field_in(field, language) for field in self.fields)
        )

    def texts(self) -> Iterator[Text]:
        """Everything that a person reads of it."""
        yield self.title
        for field in self.fields:
            yield from (field.label, field.help, *(choice.label for choice in field.choices))

    def field(self, name: str) -> FormField | None:
        """The field of that name, or ``None``."""
        return self._by_name.get(name)


class Forms:
    """Every version of both forms: the standard ones, or another body's own.

    Raises ``ValueError`` that names each fault when a form or a field that rules speak of is not there.
    """

    def __init__(self, definitions: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
        self._forms = {key: _form(data) for key, data in definitions.items()}
        faults = list(self._faults())
        if faults:
            raise ValueError("; ".join(faults))

    def form(self, name: str, version: str) -> Form:
        """The form of that name and version; raises ``NotFound``."""
        try:
            return self._forms[name, version]
        except KeyError:
            message = Text("There is no version {version} of a form named {name}.", version=version, name=name)
            raise NotFound(message) from None

    def current(self, name: str) -> Form:
        """The newest version of the form; raises ``NotFound``."""
        return self.form(name, max((form.version for form in self.versions(name)), key=int, default="1"))

    def versions(self, name: str) -> list[Form]:
        """Every version of the form, newest first."""
        forms = [form for (form_name, _), form in self._forms.items() if form_name == name]
        return sorted(forms, key=lambda form: int(form.version), reverse=True)

    def _faults(self) -> Iterator[str]:
        for name, fields in CORE.items():
            versions = self.versions(name)
            if not versions:
                yield f"there is no {name} form: add {name}-1.json"
            for form in versions:
                yield from _core_faults(form, fields)
                for field in form.fields:
                    if field.name in RESERVED:
                        yield f"{name}-{form.version}.json: {field.name} is taken, call the field something else"


def _core_faults(form: Form, core_fields: Mapping[str, str]) -> Iterator[str]:
    for name, kind in core_fields.items():
        field = form.field(name)
        if field is None or field.type != kind:
            yield f"{form.name}-{form.version}.json needs a field {name} of type {kind}"
    status = form.field("status") if form.name == "plan" else None
    if status is not None and not set(STATUSES) <= {choice.value for choice in status.choices}:
        yield f"{form.name}-{form.version}.json: status needs the choices {', '.join(STATUSES)}"


def _field(data: Mapping[str, Any]) -> FormField:
    choices = tuple(FieldChoice.of(choice["value"], data_text(choice["label"])) for choice in data.get("choices", ()))
    words = {name: data_text(data[name]) for name in ("label", "help")}
    attributes: dict[str, Any] = {**data, **words, "choices": choices}
    return FormField(**attributes)


def _field_in(field: FormField, language: str) -> FormField:
    choices = tuple(replace(choice, label=_said(choice.label, language)) for choice in field.choices)
    return replace(field, label=_said(field.label, language), help=_said(field.help, language), choices=choices)


def _said(text: Text, language: str) -> Text:
    return Text(text.to(language))


def _form(data: Mapping[str, Any]) -> Form:
    fields = sorted(map(_field, data["fields"]), key=lambda field: field.order)
    return Form(data["form"], data["version"], data_text(data["title"]), tuple(fields))


STANDARD = Forms(FORMS)
"""The forms that come with the service."""


def configured_forms(directory: Path | None) -> Forms:
    """The forms of a body's own directory, or the standard ones; raises ``SettingsError`` with every fault."""
    if directory is None:
        return STANDARD
    try:
        return Forms(load_all(directory))
    except ValueError as error:
        raise SettingsError(f"These settings are wrong:\n  BRIDGE_FORMS_DIR: {error}") from None


def missing_fields(form: Form, values: Values) -> list[str]:
    """The names of the needed fields that are empty, in the form's order; 0 and ``False`` are values (R10, R38)."""
    return [field.name for field in form.required if _is_empty(values.get(field.name))]


def is_complete(form: Form, values: Values, draft: bool) -> bool:
    """Whether the record is finished and nothing needed is missing (R38); a plan item is never a draft."""
    return not draft and not missing_fields(form, values)


def _is_empty(value: object) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def values_of(form: Form, record: Values) -> dict[str, Any]:
    """Return the fields of the form that a record has."""
    return {field.name: record[field.name] for field in form.fields if field.name in record}


def patched(record: Values, changes: Values) -> dict[str, Any]:
    """Return the record after a merge patch (RFC 7396): None takes a field away, a list replaces a list."""
    removed_names = {name for name, value in changes.items() if value is None}
    return {name: value for name, value in {**record, **changes}.items() if name not in removed_names}


def misfits(form: Form, changes: Values) -> list[FieldError]:
    """Return what the record's own version of the form does not take: newer fields, and newer choices."""
    fields = {field.name: field for field in form.fields}
    return [fault for name, value in changes.items() if (fault := _misfit(fields.get(name), name, value))]


def _misfit(field: FormField | None, name: str, value: object) -> FieldError | None:
    if field is None:
        message = Text("This record was made with an earlier form, which has no such field: leave it out.")
        return FieldError(f"/{name}", name, message)
    offered_values = [choice.value for choice in field.choices]
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    if value is None or not offered_values or all(choice in offered_values for choice in values):
        return None
    return FieldError(f"/{name}", field.label, choose_one(field))


def choose_one(field: FormField) -> Text:
    """Say which choices a field has, by their labels."""
    return Text("Choose one of: {choices}.", choices=tuple(choice.label for choice in field.choices))


def out_of_order(form: Form, values: Values, changes: Iterable[str], earlier: str, later: str) -> list[FieldError]:
    """Return the fault of two dates that are the wrong way round, when a change has touched either."""
    first, last = values.get(earlier), values.get(later)
    if not {earlier, later} & set(changes) or not first or not last or first <= last:
        return []
    name = later if later in set(changes) else earlier
    start, end = label(form, earlier), label(form, later)
    message = Text(
        "“{end}” cannot be before “{start}” ({day}): change one of the two.",
        end=end,
        start=start,
        day=date.fromisoformat(first),
    )
    return [FieldError(f"/{name}", label(form, name), message)]


def in_future(form: Form, values: Values, name: str, today: date) -> list[FieldError]:
    """Return the fault of a day that is still to come."""
    day = values.get(name)
    if not day or day <= today.isoformat():
        return []
    title = label(form, name)
    message = Text(
        "“{field}” cannot be in the future: give {day} or an earlier day, or leave it out.", field=title, day=today
    )
    return [FieldError(f"/{name}", title, message)]


def label(form: Form, name: str) -> str:
    """Return what a person calls a field."""
    field = form.field(name)
    return field.label if field else name
