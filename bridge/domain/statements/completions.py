"""The meaning of a valid statement for a CPD log: a completion with its draft, a voiding, or nothing.

R27-R31, decisions 8, 9, 15.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, cast
from urllib.parse import unquote

import isodate  # pyright: ignore[reportMissingTypeStubs] - it ships no types

from bridge.domain.forms import Form, Values
from bridge.domain.members import identifiers
from bridge.domain.members.members import MembershipCalendar
from bridge.domain.record import markup
from bridge.domain.record.entries import StoredEntry, entry_id, listed
from bridge.domain.statements.dispositions import Outcome, Reason
from schemas.forms import ACTIVITY_TYPES, DEFAULT_LOG_TYPE
from schemas.xapi import VERBS, Statement

LanguageMap = Mapping[str, str]
"""Language tag → text (xAPI-Data §4.2)."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that decide what counts, in the domain's own terms."""

    verbs: frozenset[str]
    voiding_verbs: frozenset[str]
    prefixes: tuple[str, ...]
    types: frozenset[str]
    zone: tzinfo
    go_live: datetime | None
    skew: timedelta
    languages: tuple[str, ...]

    def has(self, activity: Statement) -> bool:
        """Say whether an Activity is in the catalogue; an empty list of prefixes or types takes any."""
        in_prefix = not self.prefixes or str(activity["id"]).startswith(self.prefixes)
        return in_prefix and (not self.types or activity.get("definition", {}).get("type") in self.types)


def verb_iris(names: tuple[str, ...]) -> frozenset[str]:
    """Turn the names or IRIs of ``BRIDGE_VERBS`` into verb IRIs; an unknown name raises ``ValueError``."""
    unknown = [name for name in names if name not in VERBS and ":" not in name]
    if unknown:
        raise ValueError(f"unknown verb {', '.join(unknown)}; use one of {', '.join(sorted(VERBS))}, or an IRI")
    return frozenset(iri for name in names for iri in VERBS.get(name, (name,)))


@dataclass(frozen=True, slots=True)
class Completion:
    """A completed activity: the facts that an automatic draft is made of."""

    actor_key: str
    activity_id: str
    activity_type: str | None
    title: str  # in the body's languages
    description: str  # likewise
    day: date
    minutes: int | None
    registration: str | None
    names: LanguageMap = field(default_factory=dict[str, str])  # the titles in each language that there is
    descriptions: LanguageMap = field(default_factory=dict[str, str])

    def in_language(self, language: str | None) -> Completion:
        """Return it as a member reads it: title and description in a language (BCP 47) where they are there in it."""
        if not language:
            return self
        title = _words(_of_language(self.names, language), (language,))
        description = _words(_of_language(self.descriptions, language), (language,))
        return replace(self, title=title or self.title, description=description or self.description)

    @property
    def merge_keys(self) -> list[str]:
        """Two completions of one member that share a key are one entry (decision 7)."""
        keys = [f"day:{self.day.isoformat()}:{self.activity_id}"]
        return keys if self.registration is None else [f"registration:{self.registration}:{self.activity_id}", *keys]


@dataclass(frozen=True, slots=True)
class Voiding:
    """A statement that voids another (xAPI-Data §2.3.2)."""

    target: str


Meaning = Completion | Voiding | Outcome


def meaning(statement: Statement, received_at: datetime, rules: Rules) -> Meaning:
    """Decide what a statement means; an ``Outcome`` settles it at once."""
    if statement["verb"]["id"] in rules.voiding_verbs:
        return Voiding(str(statement["object"]["id"]).lower())
    try:
        when = happened_at(statement, received_at).astimezone(rules.zone)
    except (ValueError, OverflowError):  # valid, but beyond the years 1 to 9999 in UTC or here
        return Outcome.dead(Reason.INVALID_STATEMENT, "/timestamp: a time between the years 1 and 9999 was expected")
    return (
        _not_completed(statement, rules)
        or _not_catalogue(statement, rules)
        or _out_of_time(when, received_at, rules)
        or _completion(statement, when, rules)
    )


def _not_completed(statement: Statement, rules: Rules) -> Outcome | None:
    if statement["verb"]["id"] not in rules.verbs:
        return Outcome.ignored(Reason.VERB)
    a_group = statement["actor"].get("objectType") == "Group"  # no member's own completion
    unfinished = statement.get("result", {}).get("completion") is False
    return Outcome.ignored(Reason.NOT_COMPLETED) if a_group or unfinished else None


def _not_catalogue(statement: Statement, rules: Rules) -> Outcome | None:
    if statement["object"].get("objectType", "Activity") != "Activity" or not rules.has(statement["object"]):
        return Outcome.ignored(Reason.NOT_CATALOGUE)
    if any(rules.has(parent) for parent in _other_parents(statement)):
        return Outcome.ignored(Reason.SUB_ACTIVITY)
    return None


def _out_of_time(when: datetime, received_at: datetime, rules: Rules) -> Outcome | None:
    if when > received_at + rules.skew:
        skew = int(rules.skew.total_seconds())
        return Outcome.dead(Reason.FUTURE_TIMESTAMP, f"/timestamp: at most {skew} s ahead was expected")
    if rules.go_live is not None and when < rules.go_live:
        return Outcome.ignored(Reason.BEFORE_GO_LIVE)
    return None


def _other_parents(statement: Statement) -> list[Statement]:
    parent: Any = statement.get("context", {}).get("contextActivities", {}).get("parent", [])
    parents = cast("list[Statement]", parent if isinstance(parent, list) else [parent])
    return [parent for parent in parents if parent["id"] != statement["object"]["id"]]


def happened_at(statement: Statement, received_at: datetime) -> datetime:
    """Return the statement's ``timestamp``, else ``stored``, else when it was received (decision 9)."""
    text = statement.get("timestamp") or statement.get("stored")
    if text is None:
        return received_at
    return datetime.fromisoformat(text.replace(",", ".")).astimezone(UTC)


def _completion(statement: Statement, when: datetime, rules: Rules) -> Completion:
    activity = statement["object"]
    definition = activity.get("definition", {})
    names: LanguageMap = definition.get("name") or {}
    descriptions: LanguageMap = definition.get("description") or {}
    context = statement.get("context", {})
    duration = statement.get("result", {}).get("duration")
    actor_key = identifiers.actor_key(statement["actor"])
    assert actor_key is not None  # _not_completed has settled Groups
    return Completion(
        actor_key=actor_key,
        activity_id=activity["id"],
        activity_type=definition.get("type"),
        title=_words(names, rules.languages) or last_segment(activity["id"]),
        description=_words(descriptions, rules.languages),
        day=when.date(),
        minutes=None if duration is None else minutes(duration),
        registration=context["registration"].lower() if "registration" in context else None,
        names=names,
        descriptions=descriptions,
    )


def _words(language_map: LanguageMap, languages: Sequence[str]) -> str:
    """Return the best text that shows something once its markup is gone; "" without one (decision 12)."""
    texts = map(markup.readable, ranked(language_map, languages))
    return next(filter(markup.is_visible, texts), "")


def _of_language(language_map: LanguageMap, language: str) -> LanguageMap:
    """Return the texts of every variety of a language."""
    wanted_language = _language(_normal(language))
    return {tag: text for tag, text in language_map.items() if _language(_normal(tag)) == wanted_language}


def last_segment(iri: str) -> str:
    """Return the last segment of an IRI's path that shows something, decoded: a title without a name (decision 12).

    Query and fragment are no part of it (RFC 3986 §3.3). Without such a segment it is the host, or else the scheme.
    """
    parts = _IRI.match(iri)
    assert parts is not None  # it takes any text
    segments = [markup.readable(_unescaped(part)) for part in parts["path"].split("/") if part not in _DOTS]
    host = (parts["authority"] or "").rpartition("@")[2]
    return next(filter(markup.is_visible, (*reversed(segments), host)), parts["scheme"])


_IRI = re.compile(r"(?P<scheme>[^:/?#]*:?)(?://(?P<authority>[^/?#]*))?(?P<path>[^?#]*)")  # RFC 3986, appendix B
_DOTS = ("", ".", "..")


def _unescaped(segment: str) -> str:
    """Return a segment with its percent escapes undone, or as it is when they are not UTF-8."""
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        return segment


def ranked(language_map: Mapping[str, str], preferred_languages: Sequence[str]) -> Iterator[str]:
    """Every text, from the best for a reader of the preferred languages on.

    Per language: each tag, shortened from the right (RFC 4647 §3.4), then any other variety of that language. Then
    ``und``, then the others as they come. Case does not matter, nor an underscore for the hyphen.
    """
    texts: dict[str, list[str]] = {}
    for tag, text in language_map.items():
        texts.setdefault(_normal(tag), []).append(text)
    return (text for tag in _ranking(tuple(texts), tuple(preferred_languages)) for text in texts[tag])


@lru_cache(maxsize=1024)
def _ranking(available: tuple[str, ...], preferred_languages: tuple[str, ...]) -> tuple[str, ...]:
    """Rank tags: the maps of one catalogue have the same few."""
    candidates = dict.fromkeys(_candidates([_normal(tag) for tag in preferred_languages], available))
    return tuple(tag for tag in candidates if tag in available)


def _candidates(preferred_languages: Sequence[str], available: Iterable[str]) -> Iterator[str]:
    for language in dict.fromkeys(map(_language, preferred_languages)):
        for tag in preferred_languages:
            if _language(tag) == language:
                yield from _shortened(tag)
        yield from (tag for tag in available if _language(tag) == language)
    yield "und"
    yield from available


def _shortened(tag: str) -> Iterator[str]:
    """The tag without its last subtag, again and again; a single-letter subtag goes with what it introduces."""
    subtags = tag.split("-")
    while subtags:
        yield "-".join(subtags)
        subtags.pop()
        if subtags and len(subtags[-1]) == 1:
            subtags.pop()


def _normal(tag: str) -> str:
    return tag.lower().replace("_", "-")


def _language(tag: str) -> str:
    return tag.partition("-")[0]


_NUMBER = r"\d{1,12}"
_LAST = r"(?:[.,]\d{1,20}(?=[YMWDHS]\Z))?"  # only the last component may have a fraction


def _component(designator: str) -> str:
    return rf"(?:{_NUMBER}{_LAST}{designator})?"


# isodate alone takes more than the standard does: signs, and parts in another format after the T.
_DURATION = re.compile(
    rf"P(?:{_NUMBER}{_LAST}W"
    rf"|(?=\d|T\d){_component('Y')}{_component('M')}{_component('D')}"
    rf"(?:T(?=\d){_component('H')}{_component('M')}{_component('S')})?)\Z",
    re.ASCII,
)
LONGEST = timedelta(days=366)


def minutes(duration: str) -> int | None:
    """The nearest whole number of minutes (a half goes up), and at least 1 when any time was spent.

    ``None`` for what is not an ISO 8601 duration, for no time at all (less than a microsecond), for years and months,
    which have no fixed length, and for more than 366 days, which nobody spent on one activity.
    """
    if not _DURATION.match(duration):
        return None
    try:
        time_spent = cast("object", isodate.parse_duration(duration))  # pyright: ignore[reportUnknownMemberType] - likewise
    except OverflowError:  # too many days for a timedelta, so more than 366
        return None
    if not isinstance(time_spent, timedelta) or not timedelta(0) < time_spent <= LONGEST:
        return None
    return max(1, (time_spent + timedelta(seconds=30)) // timedelta(minutes=1))


def automatic_draft(
    completion: Completion,
    member_id: str,
    calendar: MembershipCalendar,
    statement_id: str,
    received_at: datetime,
    form: Form,
    number: int,
) -> StoredEntry:
    """Make the draft entry of a completion (R27-R30), without reflections; ``number`` is the next of the log (R48)."""
    values = _fitting(
        form,
        {
            "title": completion.title,
            "description": completion.description,
            "type": log_type(completion.activity_type),
            "date": completion.day.isoformat(),
            "minutes": completion.minutes,
        },
    )
    provenance = {
        "statement_ids": [statement_id],
        "activity_id": completion.activity_id,
        "registration": completion.registration,
        "actor_key": completion.actor_key,
        "received_at": received_at,
        "original_title": values["title"],
        "original_description": values["description"],
    }
    draft = {
        "_id": entry_id(member_id, statement_id),
        "member_id": member_id,
        "reference": f"L{number}",
        **values,
        "source": "learning_centre",
        "draft": True,
        "form_version": form.version,
        "plan_ids": [],
        "provenance": provenance,
        "merge_keys": completion.merge_keys,
        "version": 1,
        "created_at": received_at,
        "updated_at": received_at,
    }
    return listed(draft, form, calendar)


def log_type(activity_type_iri: str | None) -> str:
    """Return the log type of an xAPI activity type; the default for a type that is not listed, or none (R27)."""
    return _LOG_TYPES.get(_without_scheme(activity_type_iri or ""), DEFAULT_LOG_TYPE)


def _without_scheme(iri: str) -> str:
    """``http`` and ``https``, and a slash at the end or none, are mixed up in the wild: the same type."""
    return iri.partition("://")[2].rstrip("/") or iri


_LOG_TYPES = {_without_scheme(iri): value for iri, value in ACTIVITY_TYPES.items()}


def _fitting(form: Form, values: Values) -> dict[str, Any]:
    """Keep what the form has room for, cut to what a member could save; the ledger keeps the whole."""
    fitting: dict[str, Any] = {}
    for name, value in values.items():
        field = form.field(name)
        if field is not None and value is not None and (not field.choices or field.label_of(value)):
            fitting[name] = value[: field.max_length] if isinstance(value, str) else value
    return fitting
