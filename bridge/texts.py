"""Texts for members: written in English where they arise, and put into the reader's language where they leave.

A ``Text`` is its English, and remembers message and values, by which ``translate`` finds the same in a catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final, Self, cast

from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_decimal
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function, str_schema

from schemas.languages import LANGUAGES, SOURCE, catalogue

_TAGS: Final[Mapping[str, str]] = {language.lower(): language for language in LANGUAGES}
_LOCALES: Final[Mapping[str, str]] = {SOURCE: "en_GB"}
"""The country whose dates a language without one takes."""

_RANGE = re.compile(r"\s*([A-Za-z0-9-]{1,35}|\*)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?))?\s*")


class Text(str):
    """A message of the catalogues, with values by the names of its places (``{name}``).

    Values are put into the reader's language too: days, times (UTC), numbers, texts, and tuples of texts ("a, b or c").
    """

    __slots__ = ("_message", "_plural", "_values")

    def __new__(cls, message: str, plural: str | None = None, /, **values: object) -> Self:
        """Make the text; ``counted`` makes one with a plural."""
        return super().__new__(cls, _filled(message, plural, values, SOURCE))

    def __init__(self, message: str, plural: str | None = None, /, **values: object) -> None:
        super().__init__()
        self._message, self._plural, self._values = message, plural, values

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: object) -> CoreSchema:
        """Read one from JSON as any text."""
        return no_info_after_validator_function(Text, str_schema())

    def filled(self, **values: object) -> Text:
        """Return the text with values in the places of its message."""
        return Text(self._message, **values)

    def to(self, language: str) -> str:
        """Return the text in a language."""
        return _filled(self._message, self._plural, self._values, language)


def counted(singular: str, plural: str, /, n: int, **values: object) -> Text:
    """Make the text of a message that changes with a number, its value ``n``."""
    return Text(singular, plural, n=n, **values)


class TextByLanguage(Text):
    """A text that comes in several languages at once, as a body writes them into its own forms."""

    __slots__ = ("_texts",)

    def __new__(cls, texts: Mapping[str, str], /) -> Self:
        """Make the text of language tag → text; English, or else the first, stands where a language is missing."""
        return super().__new__(cls, _fallback(texts))

    def __init__(self, texts: Mapping[str, str], /) -> None:
        super().__init__(_fallback(texts))
        self._texts = texts

    def __reduce__(self) -> tuple[type[TextByLanguage], tuple[Mapping[str, str]]]:
        """Copy with every language."""
        return TextByLanguage, (self._texts,)

    def to(self, language: str) -> str:
        """Return the text in a language."""
        return self._texts.get(language) or super().to(language)


def data_text(words: str | Mapping[str, str]) -> Text:
    """Make the text of data: a message of the catalogues, or the same by language, as a body may write it."""
    return Text(words) if isinstance(words, str) else TextByLanguage(words)


def _fallback(texts: Mapping[str, str]) -> str:
    return texts.get(SOURCE) or next(iter(texts.values()))


def translate(text: str, language: str) -> str:
    """Return a text in a language; what is no ``Text`` stays as it is."""
    return text.to(language) if isinstance(text, Text) else text


def accepted(header: str) -> tuple[str, ...]:
    """Return the tags of ``Accept-Language`` (RFC 9110 §12.5.4), best first; what cannot be read is left out."""
    ranges = [(float(match[2] or 1), match[1]) for part in header.split(",")[:20] if (match := _RANGE.fullmatch(part))]
    best_first = sorted(ranges, key=lambda pair: -pair[0])
    return tuple(tag for weight, tag in best_first if weight > 0 and tag != "*")


def match(tags: Iterable[str]) -> str:
    """Return the language of ours that fits tags (BCP 47) best, the best first: by RFC 4647 lookup, else English."""
    for tag in tags:
        part = tag.lower().replace("_", "-")
        while part:
            if part in _TAGS:
                return _TAGS[part]
            part = part.rpartition("-")[0]
    return SOURCE


def format_day(day: date, language: str) -> str:
    """Return a day in words, such as "1 April 2026"."""
    return format_date(day, "long", locale=_locale(language))


def format_time(at: datetime, language: str) -> str:
    """Return a time in UTC, such as "1 April 2026, 14:30 UTC"."""
    return f"{format_day(at.date(), language)}, {at:%H:%M} UTC"


def _filled(message: str, plural: str | None, values: Mapping[str, object], language: str) -> str:
    if not message:  # the empty message of a catalogue is its header
        return ""
    words = catalogue(language)
    number = cast("int", values["n"]) if plural is not None else 0
    template = words.gettext(message) if plural is None else words.ngettext(message, plural, number)
    places = {name: _shown(value, language) for name, value in values.items()}
    return template.format_map(places) if places else template


def _shown(value: Any, language: str) -> str:
    if isinstance(value, str):
        return translate(value, language)
    if isinstance(value, datetime):
        return format_time(value, language)
    if isinstance(value, date):
        return format_day(value, language)
    if isinstance(value, tuple):
        parts = [_shown(part, language) for part in cast("tuple[object, ...]", value)]
        return format_list(parts, style="or", locale=_locale(language))
    return format_decimal(value, locale=_locale(language))


def _locale(language: str) -> str:
    return _LOCALES.get(language, language.replace("-", "_"))
