"""Handing one message to the mail server (RFC 5321), and what its answer means."""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib import SMTP

from bridge.domain.audit.notices import ClaimedNotice, NoticeLetter, message_id
from bridge.domain.members import mailbox
from bridge.errors import SettingsError
from bridge.settings import Settings

DATA_TIMEOUT: Final = 600.0
"""Seconds to wait for the answer after the message: a server that scans it must not be asked twice (§4.5.3.2.6)."""

START_TLS: Final = {"if_offered": None, "required": True, "never": False}

_ENHANCED_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?= |$)")  # RFC 3463


class MailFailed(Exception):
    """A message was not sent; ``status`` is the server's code, or a word."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class MailRefused(MailFailed):
    """The server will not take this message to this address."""


class MailDeferred(MailFailed):
    """Not now: the server is away, or busy, or not set up."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail goes, as ``BRIDGE_SMTP_URL`` says; ``tls`` from the first byte on for ``smtps``."""

    host: str
    port: int
    tls: bool
    user: str | None
    password: str

    @classmethod
    def at(cls, url: str) -> MailServer:
        """Read the URL; raises ``SettingsError``."""
        parts = urlsplit(url)
        try:
            tls, host, port = parts.scheme == "smtps", parts.hostname, parts.port
        except ValueError:
            host = tls = port = None
        if parts.scheme not in {"smtp", "smtps"} or not host:
            raise SettingsError("BRIDGE_SMTP_URL: give smtp://host:port or smtps://user:password@host:465.")
        user = unquote(parts.username) if parts.username else None
        usual = 465 if tls else 587 if user else 25
        return cls(host, port or usual, bool(tls), user, unquote(parts.password or ""))

    @property
    def is_near(self) -> bool:
        """Whether it is this very machine, so that nobody listens on the way."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class Mailer:
    """Hands messages over, each over a connection of its own."""

    def __init__(self, settings: Settings, url: str, data_timeout: float = DATA_TIMEOUT) -> None:
        self._server = MailServer.at(url)
        self._sender = sender(settings.smtp_from)
        self._start_tls = START_TLS[settings.smtp_tls]
        self._timeout = settings.smtp_timeout
        self._data_timeout = data_timeout

    async def send(self, notice: ClaimedNotice) -> str:
        """Hand a notice over and return its Message-ID; raises ``MailRefused`` or ``MailDeferred``."""
        try:
            return await self._send(notice)
        except (aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPDataError) as error:
            raise (MailRefused if error.code >= 500 else MailDeferred)(_status(error)) from None
        except aiosmtplib.SMTPNotSupported:
            raise MailRefused("address not supported") from None
        except aiosmtplib.SMTPResponseException as error:  # of the sender, the login, the greeting: not the member's
            raise MailDeferred(_status(error)) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailDeferred(type(error).__name__) from None

    async def _send(self, notice: ClaimedNotice) -> str:
        server = self._server
        client = SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls,
            start_tls=False if server.tls else self._start_tls,
            timeout=self._timeout,
        )
        await client.connect()
        try:
            await self._login(client)
            mark = message_id(notice.notice["_id"], self._sender.domain)
            await self._hand_over(client, notice, mark)
        finally:
            with suppress(aiosmtplib.SMTPException, OSError):  # it has been taken, or not, by now
                await client.quit(timeout=5)
        return mark

    async def _login(self, client: SMTP) -> None:
        if self._server.user is None:
            return
        if client.get_transport_info("ssl_object") is None and not self._server.is_near:
            raise MailDeferred("no TLS: the password is not sent in the clear")
        await client.login(self._server.user, self._server.password)

    async def _hand_over(self, client: SMTP, notice: ClaimedNotice, message_id: str) -> None:
        await client.ehlo()
        recipient = recipient_for(notice.address, international=client.supports_extension("smtputf8"))
        international = not recipient.isascii()
        options = ["SMTPUTF8", "BODY=8BITMIME"] if international else []
        encoding = "utf-8" if international else "ascii"
        await client.mail(self._sender.addr_spec, options=options, encoding=encoding)
        await client.rcpt(recipient, encoding=encoding)
        message = self.message(notice.letter, recipient, message_id)
        policy = SMTP_POLICY.clone(utf8=international)
        await client.data(message.as_bytes(policy=policy), timeout=self._data_timeout)

    def message(self, letter: NoticeLetter, recipient: str, message_id: str) -> EmailMessage:
        """Return a letter as it is handed over; ``recipient`` is what ``recipient_for`` gave."""
        message = EmailMessage(policy=SMTP_POLICY)
        message["From"] = self._sender
        message["To"] = _address(recipient)
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = message_id
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: no holiday replies
        message.set_content(letter.text)
        message.add_alternative(letter.html, subtype="html")
        message["Content-Language"] = letter.language  # last: it would be taken for the first part's
        return message


def sender(text: str) -> Address:
    """Read ``BRIDGE_SMTP_FROM``: one mailbox, with a name or without; raises ``SettingsError``."""
    name, bracket, address = text.rpartition("<") if text.endswith(">") else ("", "", text)
    try:
        return _address(_in_ascii(address.removesuffix(">") if bracket else address), name.strip().strip('"'))
    except ValueError:
        raise SettingsError("BRIDGE_SMTP_FROM: give one address, as My CPD <no-reply@example.org>.") from None


def _address(address: str, name: str = "") -> Address:
    """Return an address that ``mailbox`` has read, for a header: it is not read once more."""
    username, _, domain = address.rpartition("@")
    return Address(name, username, domain)


def _in_ascii(address: str) -> str:
    """Return an address as every mail server takes it; raises ``ValueError``."""
    in_ascii = mailbox(address).ascii_email
    if in_ascii is None:
        raise ValueError("an address in ASCII was expected")
    return in_ascii


def recipient_for(address: str, *, international: bool) -> str:
    """Return the address as this server takes it; raises ``MailRefused``, also for what is not one mailbox."""
    try:
        return mailbox(address).normalized if international else _in_ascii(address)
    except ValueError:
        raise MailRefused("address not supported") from None


def _status(error: aiosmtplib.SMTPResponseException) -> str:
    """Return the code, and the enhanced one if there is: never the server's sentence, which may name the member."""
    enhanced_code = _ENHANCED_CODE.match(error.message)
    return f"{error.code} {enhanced_code.group()}" if enhanced_code else str(error.code)
