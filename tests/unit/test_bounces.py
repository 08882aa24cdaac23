"""Mail that comes back is told from mail that only answers (RFC 3464)."""

from __future__ import annotations

import pytest

from consumers.bounces import Bounce, read_bounce

REPORT = """From: MAILER-DAEMON@mx.example.org
To: no-reply@example.org
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I'm sorry to have to inform you that your message could not be delivered to <sam@example.org>.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; sam@example.org
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 5.1.1 <sam@example.org>: no such user

--b
Content-Type: {returned}

Message-ID: <abc@example.org>
Subject: You have been selected
To: sam@example.org

--b--
"""


def report(action: str = "failed", status: str = "5.1.1", returned: str = "message/rfc822") -> bytes:
    """A delivery status notification."""
    return REPORT.format(action=action, status=status, returned=returned).encode()


PARTS = (b'Content-Type: (a report) multipart/report; boundary="b"\n\n--b\n', b"content-type: message/rfc822\r\n\r\n")
DEEP = [report().replace(b"Content-Type: text/plain", part * 3000) for part in PARTS]
"""Parts within each other, more than a parser goes down."""


@pytest.mark.parametrize("returned", ["message/rfc822", "text/rfc822-headers"])
def test_a_failure_is_read(returned: str) -> None:
    """The notice is known by its Message-ID, whether the whole mail came back or its headers."""
    assert read_bounce(report(returned=returned)) == Bounce("<abc@example.org>", "5.1.1")


def test_a_failure_without_a_code_is_a_failure() -> None:
    """Servers leave codes out; 5.0.0 says that it failed for good (RFC 3463)."""
    assert read_bounce(report(status="unknown")) == Bounce("<abc@example.org>", "5.0.0")


@pytest.mark.parametrize(
    "raw",
    [
        report(action="delayed"),
        report(action="delivered"),
        b"",
        b"\xff\xfe",
        b"Subject: I am away\n\nUntil Monday.",
        *DEEP,
    ],
)
def test_what_is_no_failure(raw: bytes) -> None:
    """A delay, a receipt, a holiday reply, what is made of countless parts, or no mail at all is not a bounce."""
    assert read_bounce(raw) is None


def test_a_report_that_names_no_mail_of_ours() -> None:
    """Without the Message-ID nobody knows what came back."""
    assert read_bounce(report().replace(b"Message-ID", b"X-Other")) is None
