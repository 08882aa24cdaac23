"""Notices that come back: reads a delivery status notification (RFC 3464), as a mail server pipes it to a command."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from typing import Final

from bridge.commands.with_services import run_with_services

MOST: Final = 10 * 2**20  # bytes read of a message: what comes back has at most the notice in it

MOST_PARTS: Final = 100
"""Parts of a message, within each other or beside: a notification has about five, and the parser goes down by calls."""

_PART = re.compile(rb"(?:^|[\r\n])content-type:", re.IGNORECASE)
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^<>\s]+>)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Bounce:
    """What came back, by its Message-ID, and the enhanced status code (RFC 3463)."""

    message_id: str
    status: str


def read_bounce(raw: bytes) -> Bounce | None:
    """Read a notification that says that delivery failed; None for any other message, such as a holiday reply."""
    if len(_PART.findall(raw)) > MOST_PARTS:
        return None
    message = message_from_bytes(raw, policy=policy.default)
    status = next((status for part in message.walk() for status in _failures(part)), None)
    if status is None:
        return None
    returned = [part for part in message.walk() if part.get_content_type() in {"message/rfc822", "text/rfc822-headers"}]
    marks = [mark for part in returned for mark in _MESSAGE_ID.findall(part.as_bytes())]
    return Bounce(marks[0].decode("ascii", "replace"), status) if marks else None


def _failures(part: Message | EmailMessage) -> Iterator[str]:
    """Give the status of each recipient that the report says a final no for; ``delayed`` is none."""
    if part.get_content_type() != "message/delivery-status":
        return
    for block in part.walk():
        failed = str(block.get("Action", "")).strip().lower() == "failed"
        status = _STATUS.search(str(block.get("Status", "")))
        if failed:
            yield status.group() if status else "5.0.0"


def bounced() -> None:
    """Read a mail that came back from standard input, and note it for operations to see.

    Exit code 0 also for mail that is no notice of ours: the mail server is not to bounce it once more.

    Example, in /etc/aliases: cpd-bounces: "|/opt/cpd/bin/cpd-bridge bounced"
    """
    bounce = read_bounce(sys.stdin.buffer.read(MOST))
    is_ours = bounce is not None and run_with_services(
        lambda services: services.notices.record_bounce(bounce.message_id, bounce.status)
    )
    sys.stderr.write(f"noted: {bounce.status}\n" if is_ours and bounce else "not a notice that came back\n")
