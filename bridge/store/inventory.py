"""The inventory of data: every collection, what it holds of whom, why, how long, and what an erasure does to it.

``docs/data-inventory.md`` is written from here (``python -m bridge.store.inventory``), and so is what an erasure
removes by member id; a test finds a collection that is not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bridge.settings import PREFIX, Settings


class Personal(StrEnum):
    """Whether a collection holds personal data."""

    YES = "personal"
    PSEUDONYMOUS = "pseudonymous"
    NO = "not personal"


class Erasure(StrEnum):
    """What an erasure does to a collection."""

    BY_MEMBER = "the member's documents are removed"
    TEXT = "the person's statements lose all but their id; those of others lose the mention"
    FILES = "the member's files are removed, with their chunks"
    PERSON = "what is filed under the person's identifiers is removed"
    LETTERS = "the person's own go, in the queue too; those of others lose the mention"
    LAST = "the member is removed, last of all"
    KEYED = "nothing: it names the member by a keyed tombstone, as the ledger of erasures does"
    ALIAS = "an alias stands in the member's place"
    TOMBSTONE = "a tombstone is added"
    NONE = "nothing: it holds nothing of anybody"


@dataclass(frozen=True, slots=True)
class Kept:
    """What a collection is for; ``days`` names the setting that bounds it, and ``until`` says from when it counts."""

    holds: str
    purpose: str
    basis: str
    until: str
    erasure: Erasure
    personal: Personal = Personal.YES
    days: str | None = None


RECORD: Final = "keeping the member's CPD record"
RECORDING: Final = "recording what was completed, once"
AUDIT: Final = "the Register Audit"
RUNNING: Final = "running the service"

CONTRACT: Final = "contract of membership (art. 6(1)(b))"
INTEREST: Final = "legitimate interest (art. 6(1)(f))"
DUTY: Final = "legal duty (art. 6(1)(c))"
PUBLIC: Final = "legitimate interest in a trustworthy Register (art. 6(1)(f))"
CONSENT: Final = "the member's own permission (art. 6(1)(a))"
NO_BASIS: Final = "none needed"

MEMBERSHIP: Final = "the member has left"
WITH_RECORD: Final = "with the record"

_record = (RECORD, CONTRACT, MEMBERSHIP)

INVENTORY: Final[Mapping[str, Kept]] = {
    "members": Kept(
        "name, e-mail address, language, identifiers (former ones as keyed hashes), membership year, registration",
        *_record, Erasure.LAST, days="retention_left_days",
    ),
    "departures": Kept("ids of members who left before they were known", RUNNING, INTEREST, "the member is known",
                       Erasure.PERSON, Personal.PSEUDONYMOUS),
    "plan_items": Kept("planned activities, free text", *_record, Erasure.BY_MEMBER, days="retention_left_days"),
    "log_entries": Kept("completed activities, free text", *_record, Erasure.BY_MEMBER, days="retention_left_days"),
    "comments": Kept("supporting information, free text", *_record, Erasure.BY_MEMBER, days="retention_left_days"),
    "identifiers": Kept("which identifier is whose, and identifiers that a parked statement waits for", RECORDING,
                        CONTRACT, MEMBERSHIP, Erasure.PERSON, days="retention_left_days"),
    "follow_ups": Kept("ids of members whose record is being brought up to date", RECORDING, CONTRACT,
                       "the work is done", Erasure.BY_MEMBER, Personal.PSEUDONYMOUS),
    "evidence.files": Kept("names and facts of files", *_record, Erasure.FILES, days="retention_left_days"),
    "evidence.chunks": Kept("contents of files", *_record, Erasure.FILES, days="retention_left_days"),
    "evidence.loose": Kept("uploads under way", RECORD, CONTRACT, "an hour after it began", Erasure.FILES),
    "idempotency": Kept("answers to repeated requests", RUNNING, CONTRACT, "24 hours", Erasure.BY_MEMBER),
    "support_grants": Kept("permissions to the support team, with the reason", "helping the member", CONSENT,
                           "the permission ended", Erasure.BY_MEMBER, days="retention_grants_days"),
    "audit_cases": Kept("cases, extensions asked for, feedback, outcome", AUDIT, PUBLIC, "the case ended",
                        Erasure.BY_MEMBER, days="retention_audit_days"),
    "submissions": Kept("receipts, digests and counts", AUDIT, PUBLIC, "the case ended",
                        Erasure.BY_MEMBER, days="retention_audit_days"),
    "submission_pieces": Kept("snapshots of what was submitted", AUDIT, PUBLIC, "the case ended",
                              Erasure.BY_MEMBER, days="retention_audit_days"),
    "audit_samples": Kept("ids of those who might have been, and who were, selected", AUDIT, PUBLIC,
                          "the sample was drawn", Erasure.ALIAS, Personal.PSEUDONYMOUS, days="retention_audit_days"),
    "notices": Kept("which e-mail was sent when, and what became of it; neither address nor text", AUDIT, PUBLIC,
                    "it was made", Erasure.BY_MEMBER, Personal.PSEUDONYMOUS, days="retention_notices_days"),
    "statements": Kept("xAPI statements as received, and what became of each", RECORDING, CONTRACT,
                       "it was received", Erasure.TEXT, days="retention_statements_days"),
    "held": Kept("ids of statements that wait for a freeze to end", RECORDING, CONTRACT, "the freeze ends",
                 Erasure.BY_MEMBER, Personal.PSEUDONYMOUS),
    "parked": Kept("ids of statements that wait for their actor to be known, with the identifier", RECORDING,
                   INTEREST, "it was parked", Erasure.PERSON, days="retention_parked_days"),
    "dead_letters": Kept("what could not be taken: reason and place", RUNNING, INTEREST, "it failed",
                         Erasure.LETTERS, days="retention_dead_letters_days"),
    "dead_letter_bodies": Kept("what could not be taken: the message", RUNNING, INTEREST, "it failed",
                               Erasure.LETTERS, days="retention_dead_letters_days"),
    "lrs_documents": Kept("state and profile documents of content", "running content", CONTRACT,
                          "it was changed last", Erasure.PERSON, days="retention_lrs_days"),
    "lrs_references": Kept("ids of statements that refer to others", RECORDING, NO_BASIS, "always", Erasure.NONE,
                           Personal.NO),
    "lrs_unsent": Kept("ids of statements on their way to the broker", RECORDING, NO_BASIS, "the broker has them",
                       Erasure.NONE, Personal.NO),
    "lrs_attachments.files": Kept("facts of files attached to statements", RECORDING, CONTRACT,
                                  "no statement has it any more", Erasure.TEXT),
    "lrs_attachments.chunks": Kept("contents of files attached to statements", RECORDING, CONTRACT,
                                   "no statement has it any more", Erasure.TEXT),
    "outbox": Kept("events: ids, states and dates", RUNNING, CONTRACT, "7 days after delivery",
                   Erasure.BY_MEMBER, Personal.PSEUDONYMOUS),
    "access_log": Kept("who read whose record, by which right: staff by id, members by tombstone; of a refused call "
                       "nothing that was typed", "proof of who looked", DUTY,
                       "never: it only grows", Erasure.KEYED, Personal.PSEUDONYMOUS),
    "erasures": Kept("tombstones of erased members", "keeping erased what was erased", DUTY,
                     "never: backups may be restored", Erasure.TOMBSTONE, Personal.PSEUDONYMOUS),
    "access_heads": Kept("where each chain of the access log ends", "proof of who looked", NO_BASIS, "always",
                         Erasure.NONE, Personal.NO),
    "meta": Kept("versions, the last backup, the key of the tombstones", RUNNING, NO_BASIS, "always", Erasure.NONE,
                 Personal.NO),
    "pulls": Kept("how far each pull from another LRS has come", RUNNING, NO_BASIS, "always", Erasure.NONE,
                  Personal.NO),
    "schedules": Kept("which daily task was done when", RUNNING, NO_BASIS, "always", Erasure.NONE, Personal.NO),
}  # fmt: skip
"""Collection → what it is for."""

BY_MEMBER: Final = tuple(name for name, kept in INVENTORY.items() if kept.erasure is Erasure.BY_MEMBER)
"""What an erasure removes by member id."""


def retention(kept: Kept) -> str:
    """Return how long a collection's documents are kept, in words."""
    if kept.days is None:
        return kept.until
    default = Settings.model_fields[kept.days].default
    setting = f"`{PREFIX}{kept.days.upper()}`"
    return f"{setting} days after {kept.until} ({'unset: kept' if default is None else f'default {default}'})"


def in_words(settings: Settings) -> str:
    """Return the periods of these settings for the member's eyes, a sentence for each that is set."""
    first = {kept.days: kept for kept in reversed(INVENTORY.values()) if kept.days}
    told = [(kept, getattr(settings, days)) for days, kept in first.items()]
    said = [f"{kept.holds}: {days} days after {kept.until}" for kept, days in reversed(told) if days is not None]
    return f"These are kept for a time of their own: {'; '.join(said)}."


def page() -> str:
    """Return ``docs/data-inventory.md``."""
    rows = [
        f"| `{name}` | {kept.holds} | {kept.personal.value} | {kept.purpose} | {kept.basis} | {retention(kept)} "
        f"| {kept.erasure.value} |"
        for name, kept in INVENTORY.items()
    ]
    return "\n".join([*_HEAD, *rows, ""])


_HEAD = (
    "# What is kept, of whom, why and how long",
    "",
    "Written by `python -m bridge.store.inventory` from `bridge/store/inventory.py`; do not change it by hand.",
    "The legal bases are those of UK GDPR as we read them: the professional body, as controller, confirms or",
    "corrects them.",
    "",
    "A record also goes as a whole when its member is erased. What a member deleted goes for good after",
    f"`{PREFIX}RETENTION_DELETED_DAYS`. `cpd-bridge purge` carries the periods out, `--dry-run` counts only. The",
    "access log and the ledger of erasures only grow; neither has a name or a text. Outside the database: messages",
    "that wait in RabbitMQ (gone once taken), log lines (no personal text), backups (as long as you keep them; a",
    "restore applies the ledger of erasures again).",
    "",
    "| Collection | Holds | Personal | Purpose | Basis | Kept until | An erasure |",
    "|---|---|---|---|---|---|---|",
)

if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - for docs/data-inventory.md
