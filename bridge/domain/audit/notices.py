"""E-mail notices of the Register Audit: which there are, and their words in the member's language (R53).

A notice says what happened and until when something is due, never what is in a record.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from string import Template
from typing import Final, Literal, NotRequired, TypedDict

from bridge.domain.audit.cases import AWAITED, State, StoredCase
from bridge.domain.list_keys import SortKey
from bridge.texts import Text
from schemas.notices import FRAME, TEMPLATES

NoticeState = Literal[
    "pending", "sending", "sent", "refused", "bounced", "failed", "uncertain", "no_address", "superseded"
]
PENDING: Final = "pending"
SENDING: Final = "sending"
SENT: Final = "sent"
UNCERTAIN: Final = "uncertain"
FINAL: Final[frozenset[NoticeState]] = frozenset({UNCERTAIN, "refused", "failed", "bounced", "no_address"})
"""States of a notice that did not arrive, as far as is known, and is not tried again by itself."""

GIVE_UP_AFTER: Final = timedelta(days=4)
"""How long a mail server may refuse for the time being (RFC 5321 §4.5.4.1 says 4 to 5 days)."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=4)

TOLD: Final = ("audit.selected", "audit.submitted", "audit.returned", "audit.closed", "audit.due")
"""The events that a member gets a notice of."""


class NoticeFacts(TypedDict):
    """The data of a notice's event: ids, states and dates."""

    case_id: str
    state: NotRequired[str]
    due_date: NotRequired[str]
    days: NotRequired[int]  # left until the due date
    receipt: NotRequired[str | None]


NOTICE_FACTS: Final = ("case_id", "state", "due_date", "days", "receipt")


class StoredNotice(TypedDict):
    """A document of ``notices``."""

    _id: str  # the id of the event that it tells of
    kind: str  # that event's type
    member_id: str
    state: NoticeState
    attempts: int
    told: NoticeFacts
    created_at: datetime
    next_at: datetime  # not tried before
    status: str | None  # an SMTP code or a word, never a server's sentence
    order: dict[str, SortKey]  # ``created_at``
    claimed_at: NotRequired[datetime]
    claimed_until: NotRequired[datetime]
    sent_at: NotRequired[datetime]
    message_id: NotRequired[str]
    bounced_at: NotRequired[datetime]


@dataclass(frozen=True, slots=True)
class NoticeLetter:
    """A notice in words; ``language`` is the one it is written in."""

    subject: str
    text: str
    html: str
    language: str


@dataclass(frozen=True, slots=True)
class ClaimedNotice:
    """A notice to hand over now: to which address, and in which words."""

    notice: StoredNotice
    address: str
    letter: NoticeLetter


def template_of(kind: str, state: str) -> str:
    """Return the name of the template that tells of an event: a case may end in several ways."""
    return state if kind == "audit.closed" else kind.removeprefix("audit.")


def is_stale(kind: str, facts: NoticeFacts, case: StoredCase) -> bool:
    """Whether a notice that waited asks for what is no longer asked: the case, or its due date, has moved on since."""
    asks = {"audit.selected": (State.SELECTED,), "audit.returned": (State.RETURNED,), "audit.due": tuple(AWAITED)}
    has_moved = kind == "audit.due" and facts.get("due_date") != case["due_date"]
    return has_moved or (kind in asks and case["state"] not in asks[kind])


def letter(name: str, language: str, values: Mapping[str, object], link: str | None) -> NoticeLetter:
    """Write a notice; ``values`` are the names, dates and numbers that its template has places for."""
    title, *paragraphs = [Text(part).filled(**values).to(language) for part in TEMPLATES[name]]
    texts = [*paragraphs[:-1], *([link] if link else []), paragraphs[-1]]
    markup_text = "\n".join(_marked(part, link) for part in texts)
    whole = Template(FRAME).substitute(language=language, title=html.escape(title), paragraphs=markup_text)
    return NoticeLetter(title, "\n\n".join(texts) + "\n", whole, language)


def _marked(paragraph: str, link: str | None) -> str:
    text = html.escape(paragraph)
    return f'<p><a href="{text}">{text}</a></p>' if paragraph == link else f"<p>{text}</p>"


def next_try(attempts: int, created_at: datetime, at: datetime) -> datetime | None:
    """Return when to try again after a refusal for the time being: later each time; None to give up."""
    pause = min(FIRST_PAUSE * 2 ** min(attempts - 1, 10), LONGEST_PAUSE)
    return None if at + pause > created_at + GIVE_UP_AFTER else at + pause


def message_id(notice_id: str, domain: str) -> str:
    """Return the Message-ID of a notice (RFC 5322 §3.6.4): the same at every try, so that a repeat can be told."""
    return f"<{hashlib.sha256(notice_id.encode()).hexdigest()[:32]}@{domain}>"
