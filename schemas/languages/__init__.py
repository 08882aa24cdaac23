"""Catalogues of what members read: a gettext file (``<language>.po``, BCP 47) for each language beside English."""

from __future__ import annotations

import io
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

HERE: Final = Path(__file__).parent

SOURCE: Final = "en"
"""The language that messages are written in."""

LANGUAGES: Final[tuple[str, ...]] = (SOURCE, *sorted(path.stem for path in HERE.glob("*.po")))
"""The tag of every language that there is."""


@cache
def catalogue(language: str) -> NullTranslations:
    """Return a language's catalogue, read once; English, which needs none, for a language that has no file."""
    path = HERE / f"{language}.po"
    if not path.exists():
        return NullTranslations()
    mo_file = io.BytesIO()
    with path.open(encoding="utf-8") as file:
        write_mo(mo_file, read_po(file, locale=language.replace("-", "_")))
    mo_file.seek(0)
    return GNUTranslations(mo_file)
