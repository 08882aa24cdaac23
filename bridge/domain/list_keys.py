"""List keys: what a document has beside its values, so that lists are sorted and searched by an index (R20).

Texts become tokens of letters and digits, and each term of a query is a prefix of one (so it is safe in an anchored
regular expression). Accents, case and width do not matter: compatibility decomposition, case folding, marks dropped
(Unicode §3.13, D145-D147).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TypedDict, cast

from bridge.domain.forms import DEFAULTS, Form, Values


class SortKey(TypedDict):
    """The key that a list is sorted by: ``empty``, so that empty values come last in both directions, then ``key``."""

    empty: bool
    key: str  # without case and accents, 200 characters at most


def order_key(value: object) -> SortKey:
    """Return the sort key of a value; case and accents do not count, as in a printed index."""
    text = "" if value is None else str(value)
    key = (text if text.isascii() else _without_accents(text)).casefold().strip()[:200]
    return {"empty": not key, "key": key}


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


MAX_TOKEN = 40  # characters of a word that are kept and compared

MAX_TOKENS = 20_000
"""Different tokens kept of one record, the first to appear: a long book's vocabulary, and far below 16 MB of BSON."""

WINDOW = 8  # characters kept from every place in a run of a script that puts no space between words

_WORD = re.compile(r"[^\W_]+")
# Thai and Lao, Myanmar, Khmer; ideographic numbers, Hiragana and Katakana; Han with its extensions.
_UNSPACED_SCRIPTS = re.compile(
    r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]+)"
)


def tokens(texts: Iterable[str]) -> list[str]:
    """The sorted, distinct words of the texts, for the store to index; at most ``MAX_TOKENS``.

    A run of Han, Kana, Thai, Lao, Khmer or Myanmar yields the ``WINDOW`` characters from each of its places on, so that
    a word inside it is found.
    """
    text = "\n".join(texts)
    if text.isascii() and len(text) < MAX_TOKENS:  # what the rest comes to, much sooner
        return sorted({word[:MAX_TOKEN] for word in _WORD.findall(text.lower())})
    words: dict[str, None] = {}
    for run, is_unspaced in _runs(text):
        words.update(dict.fromkeys(_windows(run)) if is_unspaced else {run[:MAX_TOKEN]: None})
        if len(words) >= MAX_TOKENS:
            break
    return sorted(list(words)[:MAX_TOKENS])


class Findable(TypedDict):
    """The keys that a record is sorted and found by."""

    order: dict[str, SortKey]
    tokens: list[str]


def findable(form: Form, values: Values, sorts: Sequence[str]) -> Findable:
    """Compute what a record is sorted and found by: ``order`` for each of ``sorts``, and its search ``tokens``."""
    return {
        "order": {name: order_key(values.get(name)) for name in sorts},
        "tokens": tokens(_texts(form, values)),
    }


def _texts(form: Form, values: Values) -> Iterator[str]:
    """What a keyword search looks through: words as people read them, so each label of a choice and no date (R20).

    A choice that the service made by default is left out: it would find nearly every record.
    """
    for field in form.worded:
        value = values.get(field.name)
        if value is None:
            continue
        parts = cast("list[object]", value) if isinstance(value, list) else [value]
        if field.choices:
            default = DEFAULTS[form.name].get(field.name)
            yield from (label for part in parts if part != default for label in field.labels_of(part))
        else:
            yield from (part for part in parts if isinstance(part, str))


def query_terms(q: str) -> list[str]:
    """The distinct terms of a query, in its order; none of one that has neither letter nor digit."""
    terms: dict[str, None] = {}
    for run, is_unspaced in _runs(q):
        terms.update(dict.fromkeys(_chunks(run) if is_unspaced else (run[:MAX_TOKEN],)))
    return list(terms)


def _runs(text: str) -> Iterator[tuple[str, bool]]:
    """The normalised runs of letters and digits, and whether each is of a script without spaces."""
    for word in _WORD.findall(_normal(text)):
        if word.isascii():
            yield word, False
            continue
        for index, run in enumerate(_UNSPACED_SCRIPTS.split(word)):
            if run:
                yield run, index % 2 == 1  # split puts what the group matched at the odd places


def _normal(text: str) -> str:
    if text.isascii():
        return text.lower()  # what the rest comes to, much sooner
    words = "".join(c if c.isalnum() or _is_mark(c) else " " for c in text)  # first, or a trade mark sign becomes "tm"
    folded_text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", words).casefold())
    return "".join(c for c in folded_text if not _is_mark(c))


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


def _windows(run: str) -> Iterator[str]:
    return (run[start : start + WINDOW] for start in range(len(run)))


def _chunks(run: str) -> Iterator[str]:
    return (run[start : start + WINDOW] for start in range(0, len(run), WINDOW))
