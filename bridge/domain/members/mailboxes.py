"""E-mail addresses (RFC 5321): each is read as one mailbox and nothing beside it, so that all who use it mean the same.

An address is stored in its normal form: the domain in lower case and in its own script, all of it in NFC. Whether mail
gets there is the mail server's to say: the DNS is not asked, and a ``.local`` or ``localhost`` may be right.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import email_validator
from email_validator import EmailNotValidError, ValidatedEmail, validate_email
from pydantic import AfterValidator, WithJsonSchema

email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

_ATOM = r'[^\u0000-\u0020"(),.:;<>@\[\\\]\u007f]+'
_INNER = r"\u0000-,./:-@\[-`{-\u007f"  # what no domain name has; a hyphen neither begins nor ends a part of one
_PART = rf"[^\-{_INNER}](?:[^{_INNER}]*[^\-{_INNER}])?"
_DOT = r"[.\u3002\uff0e\uff61]"

SCHEMA: Final[dict[str, Any]] = {
    "type": "string",
    "format": "idn-email",
    "maxLength": 254,
    "pattern": rf"^{_ATOM}(?:\.{_ATOM})*@{_PART}(?:{_DOT}{_PART})*$",
    "not": {"pattern": r"\n|^[^@]{65}|@[^@]*[0-9A-Za-z-]{64}"},
}
"""JSON Schema of an address. It is exact for ASCII but for ``xn--`` names; what other scripts may, IDNA 2008 says."""


def mailbox(text: str) -> ValidatedEmail:
    """Read an address without a name or comment; raises ``ValueError``, which quotes nothing of it."""
    try:
        return validate_email(text, strict=True, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise ValueError("Give one e-mail address without a name, such as sam@example.org.") from None


def normal_form(text: str) -> str:
    """Return an address as it is stored and used; raises ``ValueError``."""
    return mailbox(text).normalized


EmailAddress = Annotated[str, AfterValidator(normal_form), WithJsonSchema(SCHEMA)]
"""An e-mail address in its normal form."""
