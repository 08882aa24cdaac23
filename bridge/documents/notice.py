"""The first page of a copy of everything held about a member: what it is, and what UK GDPR art. 15 asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from bridge.domain.record.records import RESTORABLE_DAYS
from bridge.settings import Settings
from bridge.texts import Text, translate

TITLE: Final = Text("A copy of your personal data")

Page = Sequence[tuple[str, Sequence[str]]]
"""A title and lines for each part."""

PARTS: Final[Page] = [
    (title, text.strip().splitlines())
    for title, _, text in (
        part.partition("\n") for part in Path(__file__).with_name("notice.txt").read_text("utf-8").split("# ")[1:]
    )
]
"""The parts of ``notice.txt``; a line of ``{periods}`` is where the periods go."""

PERIODS: Final[Mapping[str, Text]] = {
    "retention_deleted_days": Text("What you deleted: {days} days. You can restore it for the first {restorable}."),
    "retention_left_days": Text("Your record, after you left: {days} days."),
    "retention_statements_days": Text("The messages about completed learning, as they were received: {days} days."),
    "retention_ignored_days": Text("Messages about learning that is not for your log: {days} days."),
    "retention_parked_days": Text("Messages that wait until it is known who they are about: {days} days."),
    "retention_dead_letters_days": Text("Messages that could not be read: {days} days."),
    "retention_lrs_days": Text("What courses note about how far you are in them, after the last change: {days} days."),
    "retention_audit_days": Text("Audit cases with what you submitted, after the case ended: {days} days."),
    "retention_grants_days": Text("Permissions that you gave to the support team, after they ended: {days} days."),
    "retention_notices_days": Text("Which e-mails were sent to you: {days} days."),
}
"""Setting → how long that is kept, for the member's eyes."""


def first_page(settings: Settings) -> Page:
    """Return the parts of the first page, with how long what is kept, and where the privacy notice is (R65)."""
    page: Page = [(Text(title), [*_filled(lines, settings)]) for title, lines in PARTS]
    return [*page, (Text("The privacy notice"), [settings.privacy_url])] if settings.privacy_url else page


def as_text(member: str, made_at: datetime, page: Page, language: str) -> bytes:
    """Return the first page as plain text in a language, in UTF-8."""
    cover = (TITLE, [member, Text("Made on {at}", at=made_at)])
    return "\n\n".join(_part(title, lines, language) for title, lines in [cover, *page]).encode() + b"\n"


def note_lines(page: Page, language: str) -> Iterator[dict[str, dict[str, str]]]:
    """Yield the first page as lines of a booklet, in a language."""
    for title, lines in page:
        text = "\n".join(translate(line, language) for line in lines)
        yield {"note": {"title": translate(title, language), "text": text}}


def _filled(lines: Sequence[str], settings: Settings) -> Iterator[Text]:
    for line in lines:
        if line != "{periods}":
            yield Text(line)
            continue
        for name, text in PERIODS.items():
            if (days := getattr(settings, name)) is not None:
                yield text.filled(days=days, restorable=RESTORABLE_DAYS)


def _part(title: str, lines: Sequence[str], language: str) -> str:
    heading = translate(title, language)
    return "\n".join([heading, "-" * len(heading), *(translate(line, language) for line in lines)])
