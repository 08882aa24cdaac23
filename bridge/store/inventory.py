"""The inventory of data: every collection, what it holds of whom, why, how long, and what an erasure does to it.

``docs/data-inventory.md`` is written from here (``python -m bridge.store``), and so is what an erasure
removes by member id; a test finds a collection that is not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bridge.settings import PREFIX, Settings


class Personal(StrEnum):
    """The kind of personal data in a collection."""

    YES = "personal"
    PSEUDONYMOUS = "pseudonymous"
    NO = "not personal"


class Effect(StrEnum):
    """The effect of an erasure on a collection."""

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
class Holding:
    """The purpose of a collection; ``days`` names the setting that bounds it, ``until`` says from when it counts."""

    holds: str
    purpose: str
    basis: str
    until: str
    erasure: Effect
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

_record = (RECORD, CONTRACT, MEMBERSHIP)

INVENTORY: Final[Mapping[str, Holding]] = {
    "members": Holding(
        "name, e-mail address, language, identifiers (former ones as keyed hashes), membership year, registration, "
        "months on leave",
        *_record, Effect.LAST, days="retention_left_days",
    ),
    "departures": Holding("ids of members who left before they were known", RUNNING, INTEREST, "the member is known",
                       Effect.PERSON, Personal.PSEUDONYMOUS),
    "plan_items": Holding("planned activities, free text", *_record, Effect.BY_MEMBER, days="retention_left_days"),
    "log_entries": Holding("completed activities, free text", *_record, Effect.BY_MEMBER, days="retention_left_days"),
    "comments": Holding("supporting information, free text", *_record, Effect.BY_MEMBER, days="retention_left_days"),
    "identifiers": Holding("which identifier is whose, and identifiers that a parked statement waits for", RECORDING,
                        CONTRACT, MEMBERSHIP, Effect.PERSON, days="retention_left_days"),
    "follow_ups": Holding("ids of members whose record is being brought up to date", RECORDING, CONTRACT,
                       "the work is done", Effect.BY_MEMBER, Personal.PSEUDONYMOUS),
    "evidence.files": Holding("names and facts of files", *_record, Effect.FILES, days="retention_left_days"),
    "evidence.chunks": Holding("contents of files", *_record, Effect.FILES, days="retention_left_days"),
    "evidence.loose": Holding("uploads under way", RECORD, CONTRACT, "an hour after it began", Effect.FILES),
    "idempotency": Holding("answers to repeated requests", RUNNING, CONTRACT, "24 hours", Effect.BY_MEMBER),
    "support_grants": Holding("permissions to the support team, with the reason", "helping the member", CONSENT,
                           "the permission ended", Effect.BY_MEMBER, days="retention_grants_days"),
    "audit_cases": Holding("cases, extensions asked for, feedback, outcome", AUDIT, PUBLIC, "the case ended",
                        Effect.BY_MEMBER, days="retention_audit_days"),
    "submissions": Holding("receipts, digests and counts", AUDIT, PUBLIC, "the case ended",
                        Effect.BY_MEMBER, days="retention_audit_days"),
    "submission_pieces": Holding("snapshots of what was submitted", AUDIT, PUBLIC, "the case ended",
                              Effect.BY_MEMBER, days="retention_audit_days"),
    "audit_samples": Holding("ids of those who might have been, and who were, selected", AUDIT, PUBLIC,
                          "the sample was drawn", Effect.ALIAS, Personal.PSEUDONYMOUS, days="retention_audit_days"),
    "notices": Holding("which e-mail was sent when, and what became of it; neither address nor text", AUDIT, PUBLIC,
                    "it was made", Effect.BY_MEMBER, Personal.PSEUDONYMOUS, days="retention_notices_days"),
    "statements": Holding("xAPI statements as received, what became of each, and keyed hashes of the identifiers "
                       "that each names", RECORDING, CONTRACT,
                       "it was received", Effect.TEXT, days="retention_statements_days"),
    "held": Holding("ids of statements that wait for a freeze to end", RECORDING, CONTRACT, "the freeze ends",
                 Effect.BY_MEMBER, Personal.PSEUDONYMOUS),
    "parked": Holding("ids of statements that wait for their actor to be known, with the identifier", RECORDING,
                   INTEREST, "it was parked", Effect.PERSON, days="retention_parked_days"),
    "dead_letters": Holding("what could not be taken: reason and place", RUNNING, INTEREST, "it failed",
                         Effect.LETTERS, days="retention_dead_letters_days"),
    "dead_letter_bodies": Holding("what could not be taken: the message", RUNNING, INTEREST, "it failed",
                               Effect.LETTERS, days="retention_dead_letters_days"),
    "lrs_documents": Holding("state and profile documents of content", "running content", CONTRACT,
                          "it was changed last", Effect.PERSON, days="retention_lrs_days"),
    "lrs_references": Holding("ids of statements that refer to others", RECORDING, NO_BASIS, "always", Effect.NONE,
                           Personal.NO),
    "lrs_unsent": Holding("ids of statements on their way to the broker", RECORDING, NO_BASIS, "the broker has them",
                       Effect.NONE, Personal.NO),
    "lrs_attachments.files": Holding("facts of files attached to statements", RECORDING, CONTRACT,
                                  "no statement has it any more", Effect.TEXT),
    "lrs_attachments.chunks": Holding("contents of files attached to statements", RECORDING, CONTRACT,
                                   "no statement has it any more", Effect.TEXT),
    "outbox": Holding("events: ids, states and dates", RUNNING, CONTRACT, "7 days after delivery",
                   Effect.BY_MEMBER, Personal.PSEUDONYMOUS),
    "access_log": Holding("who read whose record, by which right: staff by id, members by tombstone; of a refused call "
                       "nothing that was typed", "proof of who looked", DUTY,
                       "never: it only grows", Effect.KEYED, Personal.PSEUDONYMOUS),
    "erasures": Holding("tombstones of erased members", "keeping erased what was erased", DUTY,
                     "never: backups may be restored", Effect.TOMBSTONE, Personal.PSEUDONYMOUS),
    "access_heads": Holding("where each chain of the access log ends", "proof of who looked", NO_BASIS, "always",
                         Effect.NONE, Personal.NO),
    "meta": Holding("versions, the last backup, the key of the tombstones", RUNNING, NO_BASIS, "always", Effect.NONE,
                 Personal.NO),
    "pulls": Holding("how far each pull from another LRS has come", RUNNING, NO_BASIS, "always", Effect.NONE,
                  Personal.NO),
    "schedules": Holding("which daily task was done when", RUNNING, NO_BASIS, "always", Effect.NONE, Personal.NO),
}  # fmt: skip
"""Collection → what it is for."""

BY_MEMBER: Final = tuple(name for name, entry in INVENTORY.items() if entry.erasure is Effect.BY_MEMBER)
"""What an erasure removes by member id."""


def retention(entry: Holding) -> str:
    """Return how long a collection's documents are kept, in words."""
    if entry.days is None:
        return entry.until
    default = Settings.model_fields[entry.days].default
    setting = f"`{PREFIX}{entry.days.upper()}`"
    return f"{setting} days after {entry.until} ({'unset: kept' if default is None else f'default {default}'})"


def page() -> str:
    """Return ``docs/data-inventory.md``."""
    rows = [
        f"| `{name}` | {row.holds} | {row.personal.value} | {row.purpose} | {row.basis} | {retention(row)} "
        f"| {row.erasure.value} |"
        for name, row in INVENTORY.items()
    ]
    return "\n".join([*_HEAD, *rows, ""])


_HEAD = (
    "# What is kept, of whom, why and how long",
    "",
    "Written by `python -m bridge.store` from `bridge/store/inventory.py`; do not change it by hand.",
    "The legal bases are those of UK GDPR as we read them: the professional body, as controller, confirms or",
    "corrects them.",
    "",
    "The text of a statement that is not for the log is kept for another time:",
    f"`{PREFIX}RETENTION_IGNORED_DAYS` (default {Settings.model_fields['retention_ignored_days'].default}), so that",
    "`cpd-bridge reconsider` can judge it again once a wrong setting is mended. What became of it stays.",
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
