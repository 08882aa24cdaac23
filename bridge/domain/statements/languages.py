"""Choosing one text from an xAPI language map (xAPI-Data §4.2) by RFC 4647 lookup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache


def pick(language_map: Mapping[str, str], preferred: Sequence[str]) -> str | None:
    """The text for a reader of the preferred languages (best first), or ``None`` when every text is blank."""
    return next(ranked({tag: text for tag, text in language_map.items() if text.strip()}, preferred), None)


def ranked(language_map: Mapping[str, str], preferred: Sequence[str]) -> Iterator[str]:
    """Every text, from the best for a reader of the preferred languages on.

    Per language: each tag, shortened from the right (RFC 4647 §3.4), then any other variety of that language. Then
    ``und``, then the others as they come. Case does not matter, nor an underscore for the hyphen.
    """
    texts: dict[str, list[str]] = {}
    for tag, text in language_map.items():
        texts.setdefault(_normal(tag), []).append(text)
    return (text for tag in _ranking(tuple(texts), tuple(preferred)) for text in texts[tag])


@lru_cache(maxsize=1024)
def _ranking(available: tuple[str, ...], preferred: tuple[str, ...]) -> tuple[str, ...]:
    """Rank tags: the maps of one catalogue have the same few."""
    candidates = dict.fromkeys(_candidates([_normal(tag) for tag in preferred], available))
    return tuple(tag for tag in candidates if tag in available)


def _candidates(preferred: Sequence[str], available: Iterable[str]) -> Iterator[str]:
    for language in dict.fromkeys(map(_language, preferred)):
        for tag in preferred:
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
