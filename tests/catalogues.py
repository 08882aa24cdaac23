"""The catalogues of ``schemas/languages``, made again from what the code, the forms and the models say to members.

``make languages`` writes ``messages.pot`` and brings each ``<language>.po`` in line with it: translations stay, new
messages come without one, and those that are gone go.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from bridge.api.http import validation_errors
from bridge.documents.notice import PARTS
from bridge.domain.forms import STANDARD
from bridge.serve import resources
from schemas.audit import DECLARATIONS
from schemas.forms import FORMS
from schemas.languages import HERE
from schemas.notices import TEMPLATES

ROOT = Path(__file__).parents[1]
KEYWORDS: dict[str, Any] = {"Text": None, "counted": (1, 2)}
"""What a message is written in; ``counted`` has a singular and a plural."""

IDLE = tuple(
    f'"{name}:'
    for name in (
        "POT-Creation-Date",
        "PO-Revision-Date",
        "Generated-By",
        "Report-Msgid-Bugs-To",
        "Last-Translator",
        "Language-Team",
        "Project-Id-Version",
    )
)
"""Lines of a header that are left out."""

HEADER = "# Messages of cpd-bridge that a member may read. make languages brings this file in line with the code."


def template() -> Catalog:
    """Return every message, in the order of where it stands."""
    catalog = Catalog(header_comment=HEADER, fuzzy=False)
    for place, message in (*in_code(), *in_forms(), *in_data(), *in_models()):
        catalog.add(message, locations=[(place, 0)])
    return catalog


def in_code() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    """Give the messages of the code, each with its file."""
    for folder in ("bridge", "consumers"):
        rows = extract_from_dir(ROOT / folder, [("**.py", "python")], keywords=KEYWORDS)
        for path, _, message, *_ in sorted(rows, key=lambda row: row[:2]):
            yield f"{folder}/{path}", message


def in_forms() -> Iterator[tuple[str, str]]:
    """Give what the forms say: titles, labels, help and choices."""
    for (name, version), form in FORMS.items():
        place = f"schemas/forms/{name}-{version}.json"
        yield place, form["title"]
        for field in form["fields"]:
            yield from ((place, field[key]) for key in ("label", "help"))
            yield from ((place, choice["label"]) for choice in field.get("choices", ()))


def in_data() -> Iterator[tuple[str, str]]:
    """Give the paragraphs of the notices, the declarations, and the first page of a copy of everything."""
    for name, paragraphs in TEMPLATES.items():
        yield from ((f"schemas/notices/{name}.txt", paragraph) for paragraph in paragraphs)
    yield from (("schemas/audit/declarations.json", text) for text in DECLARATIONS.values() if isinstance(text, str))
    lines = (line for part in PARTS for line in (part[0], *part[1]) if line != "{periods}")
    yield from (("bridge/documents/notice.txt", line) for line in lines)


def in_models() -> Iterator[tuple[str, str]]:
    """Give what the fields are called in bodies and queries that a member's portal sends."""
    for routes in resources(STANDARD):
        for route in routes.table():
            if route.roles is None or "member" in route.roles:
                for model in filter(None, (route.body, route.query)):
                    yield from (("bridge/api", label) for label in validation_errors.labels(model))


def translations(path: Path) -> list[Message]:
    """Return the messages of a file, without its header."""
    with path.open(encoding="utf-8") as file:
        return [message for message in read_po(file, locale=path.stem.replace("-", "_")) if message.id]


def strings(message: Message) -> list[str]:
    """Return each form of the translation."""
    return [message.string] if isinstance(message.string, str) else [*(message.string or ())]


def untranslated(path: Path) -> list[Message]:
    """Return the messages that a language has no whole translation of, so that members read them in English."""
    return [message for message in translations(path) if not all(strings(message))]


def as_text(catalog: Catalog) -> str:
    """Return a catalogue as a file."""
    file = io.BytesIO()
    write_po(file, catalog, width=120, omit_header=False, include_lineno=False, ignore_obsolete=True)
    return "".join(line for line in file.getvalue().decode().splitlines(keepends=True) if not _is_idle(line))


def updated(path: Path, messages: Catalog) -> str:
    """Return the file of a language, in line with the messages."""
    with path.open(encoding="utf-8") as file:
        catalog = read_po(file, locale=path.stem.replace("-", "_"))
    catalog.update(messages, no_fuzzy_matching=True)
    return as_text(catalog)


def languages() -> Iterable[Path]:
    """Return the file of each language."""
    return sorted(HERE.glob("*.po"))


def _is_idle(line: str) -> bool:
    """Whether a line of the header says when, by whom and with what: git says so better."""
    return line.startswith(IDLE)


def main() -> None:
    """Write every file again, and say how much of each is still to do."""
    messages = template()
    (HERE / "messages.pot").write_text(as_text(messages), encoding="utf-8")
    for path in languages():
        path.write_text(updated(path, messages), encoding="utf-8")
        progress = f"{len(untranslated(path))} of {len(messages)} messages have no translation yet"
        sys.stdout.write(f"{path.name}: {progress}.\n")


if __name__ == "__main__":
    main()
