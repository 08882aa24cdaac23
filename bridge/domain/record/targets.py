"""Targets of a membership year: what the body asks for, and how far a member is (guidance alone: R57, R79)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, TypedDict, cast

from bridge.domain.forms import Forms
from bridge.domain.members.members import ONE_DAY, LeaveDays, MembershipYear, StoredMember
from bridge.domain.record.counts import EntryGroup
from bridge.texts import Text, TextByLanguage, counted
from schemas.targets import TargetDefinition

Unit = Literal["minutes", "entries"]
"""What a target counts of complete entries."""

_TYPES: Final = {"minutes": "integer", "participatory": "boolean"}
"""Fields of the log's form that a target may need, with their types."""


@dataclass(frozen=True, slots=True)
class Target:
    """A target for a whole year; ``label`` is by language, ``types`` are those that count, all when empty."""

    id: str
    label: Mapping[str, str]
    unit: Unit
    amount: int
    types: frozenset[str]
    participatory: bool
    pro_rata: bool

    def counts(self, group: EntryGroup) -> bool:
        """Say whether entries count: complete ones, of the types and the kind that the target names."""
        fits_type = not self.types or group.type in self.types
        return group.state == "complete" and fits_type and (group.participatory is True or not self.participatory)


class TargetProgress(TypedDict):
    """How far a member is with a target; ``text`` says it in words."""

    id: str
    label: Text
    unit: Unit
    target: int
    done: int
    text: Text


def targets_from(definitions: Iterable[TargetDefinition], forms: Forms) -> tuple[Target, ...]:
    """Make targets of what a file says; raises ``ValueError`` that names each fault beside the log's forms."""
    targets = tuple(map(_target, definitions))
    faults = [fault for target in targets for fault in _faults(target, forms)]
    if faults:
        raise ValueError("; ".join(faults))
    return targets


def target_progress(
    targets: Iterable[Target], groups: Sequence[EntryGroup], year: MembershipYear, member: StoredMember
) -> list[TargetProgress]:
    """Return how far a member is in a year with each target; ``groups`` are the year's entries."""
    away = days_away(year, member["registered_since"], member.get("leave") or ())
    return [_progress(target, groups, year, away) for target in targets]


def days_away(year: MembershipYear, registered_since: str | None, leave: Iterable[LeaveDays]) -> int:
    """Return the number of days of a year before the member was registered, or on leave; no day counts twice."""
    spans = [(date.fromisoformat(away["from"]), date.fromisoformat(away["to"])) for away in leave]
    if registered_since and (since := date.fromisoformat(registered_since)) > year.start:
        spans.append((year.start, since - ONE_DAY))
    days, last_counted = 0, year.start.toordinal() - 1
    for first, last in sorted(spans):
        start = max(first.toordinal(), last_counted + 1)
        end = min(last.toordinal(), year.end.toordinal())
        days += max(end - start + 1, 0)
        last_counted = max(last_counted, end)
    return days


def pro_rata(amount: int, days_total: int, days_away: int) -> int:
    """Return the share of a year's amount for the days not away, rounded up; in whole numbers alone."""
    return -(-amount * (days_total - days_away) // days_total)


def _progress(target: Target, groups: Iterable[EntryGroup], year: MembershipYear, away: int) -> TargetProgress:
    days_total = (year.end - year.start).days + 1
    amount = pro_rata(target.amount, days_total, away) if target.pro_rata else target.amount
    amount_done = sum(getattr(group, target.unit) for group in groups if target.counts(group))
    return {
        "id": target.id,
        "label": TextByLanguage(target.label),
        "unit": target.unit,
        "target": amount,
        "done": amount_done,
        "text": _in_words(target.unit, amount, amount_done),
    }


def _in_words(unit: Unit, target: int, amount: int) -> Text:
    if unit == "minutes":
        return counted("{amount} of {n} minute", "{amount} of {n} minutes", target, amount=amount)
    return counted("{amount} of {n} entry", "{amount} of {n} entries", target, amount=amount)


def _target(definition: TargetDefinition) -> Target:
    return Target(
        definition["id"],
        definition["label"],
        cast("Unit", definition["unit"]),
        int(definition["target"]),  # 600.0 is a whole number too
        frozenset(definition.get("types", ())),
        definition.get("participatory", False),
        definition.get("pro_rata", False),
    )


def _faults(target: Target, forms: Forms) -> Iterator[str]:
    """Yield what a target asks for that the log's form does not have; types of an earlier version count too."""
    for name in _fields_of(target):
        field = forms.current("log").field(name)
        if field is None or field.type != _TYPES[name]:
            yield f"target {target.id}: the log's form has no field {name} of type {_TYPES[name]}"
    type_fields = [form.field("type") for form in forms.versions("log")]
    choices = {choice.value for field in type_fields if field for choice in field.choices}
    if unknown := target.types - choices:
        yield f"target {target.id}: no such type: {', '.join(sorted(unknown))}; there are {', '.join(sorted(choices))}"


def _fields_of(target: Target) -> list[str]:
    minutes = ["minutes"] if target.unit == "minutes" else []
    return [*minutes, "participatory"] if target.participatory else minutes
