"""E-mail addresses are read once, as one mailbox, whatever is planted in them (RFC 5321, RFC 5322)."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.clients.smtp import Mailer, MailRefused, recipient_for, sender
from bridge.domain.audit.notices import NoticeLetter
from bridge.domain.members.mailboxes import normal_form
from bridge.domain.members.messages import MemberIn
from bridge.errors import SettingsError
from bridge.settings import load
from tests.support.statements import member

FORGED_REPORTS = (
    *(
        "a,b@c.d",
        "evil>b@c.d",
        "<evil@c.d>b@e.f",
        "Sam <a@c.d>",
        "a(b)@c.d",
        "a@c.d(b)",
        "a@(b)c.d",
        '"a@b"@c.d',
        "a;b@c.d",
    ),
    *(
        "a@c.d\n",
        "a@c.d\r\nBcc: b@e.f",
        "a\n@c.d",
        " a@c.d",
        "a@c.d ",
        "a b@c.d",
        "team:a@c.d,b@e.f;",
        "a@c.d,b@e.f",
        "a@b@c.d",
    ),
    *(
        "a@[127.0.0.1]",
        "a..b@c.d",
        ".a@c.d",
        "a.@c.d",
        "a@c..d",
        "a@-c.d",
        "a@c_d.e",
        "a\\b@c.d",
        "a\u200b@c.d",
        "a@c\u200b.d",
    ),
    *(
        "a\u037eb@c.d",
        "a\uff20c.d",
        "a@c.d\u2028",
        "=?utf-8?q?a?= <b@c.d>",
        "a@",
        "@c.d",
        "a",
        "",
        "a\x00@c.d",
        f"{'a' * 65}@c.d",
    ),
)


@pytest.mark.parametrize("text", FORGED_REPORTS)
def test_what_is_not_one_mailbox_is_refused(text: str) -> None:
    """By the membership system's calls, and once more at the mail server's door; the error repeats nothing of it."""
    with pytest.raises(ValidationError) as refusal:
        MemberIn.model_validate({**member(), "email": text})
    (error,) = refusal.value.errors()
    assert error["loc"] == ("email",)
    assert error["msg"] == "Value error, Give one e-mail address without a name, such as sam@example.org."
    for international in (True, False):
        with pytest.raises(MailRefused):
            recipient_for(text, international=international)


@pytest.mark.parametrize(
    ("text", "stored", "in_ascii"),
    [
        ("Sam.O'Hara+cpd@Example.ORG", "Sam.O'Hara+cpd@example.org", "Sam.O'Hara+cpd@example.org"),
        ("sam@BÜCHER.example", "sam@bücher.example", "sam@xn--bcher-kva.example"),
        ("sam@xn--bcher-kva.example", "sam@bücher.example", "sam@xn--bcher-kva.example"),
        ("sam@mail.local", "sam@mail.local", "sam@mail.local"),
        ("e\u0301@example.org", "é@example.org", None),
    ],
)
def test_an_address_is_stored_as_it_is_used(text: str, stored: str, in_ascii: str | None) -> None:
    """In its normal form; a server without SMTPUTF8 gets the same mailbox in ASCII where there is that."""
    assert MemberIn.model_validate({**member(), "email": text}).email == stored
    assert recipient_for(stored, international=True) == stored
    if in_ascii is None:
        with pytest.raises(MailRefused):
            recipient_for(stored, international=False)
    else:
        assert recipient_for(stored, international=False) == in_ascii


@given(
    st.text(st.sampled_from("ab.,;:<>()[]\\\"@ \r\n\t+'%!=?é") | st.characters(exclude_categories=["Cs"]), max_size=14)
)
def test_a_letter_goes_to_the_address_on_file_alone(text: str) -> None:
    """Whatever is taken is one address of the header, and the one that was read."""
    try:
        stored = normal_form(f"{text}@example.org")
    except ValueError:
        return
    mailer = Mailer(load(smtp_from="My CPD <cpd@example.org>"), "smtp://127.0.0.1:1")
    message = mailer.message(NoticeLetter("Subject", "Text", "<p>Text</p>", "en"), stored, "<1@example.org>")
    read = message_from_bytes(message.as_bytes(policy=policy.SMTPUTF8), policy=policy.SMTPUTF8)
    addresses = [str(address).encode(errors="surrogateescape").decode() for address in read["To"].addresses]
    assert addresses == [stored]
    assert [name for name in read if name.lower() in {"to", "cc", "bcc"}] == ["To"]


@pytest.mark.parametrize(
    "text", ["My CPD <no-reply@localhost>", "no-reply@localhost", "A. B., C. <x@y.z>", "Gŵyl <x@y.z>"]
)
def test_a_sender_is_one_mailbox_with_a_name_or_without(text: str) -> None:
    """As people write it."""
    assert sender(text).addr_spec in text


@pytest.mark.parametrize(
    "text",
    [
        "x@y.z, b@c.d",
        "x@y.z\r\nBcc: a@b.c",
        "CPD\nX: y <x@y.z>",
        "<x@y.z> b@c.d",
        "evil>b@c.d",
        "é@b.c",
        "",
        "CPD <x>",
        "<",
    ],
)
def test_a_sender_that_is_not_is_refused_at_the_start(text: str) -> None:
    """The error names the setting."""
    with pytest.raises(SettingsError, match="BRIDGE_SMTP_FROM: give one address"):
        sender(text)
