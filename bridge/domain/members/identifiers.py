"""Identifiers of members: what a statement may name its actor by, and the key that each is stored under.

``schemas/xapi/definitions.json`` says what is taken, here as in a statement. A key is ``mbox:mailto:…``,
``mbox_sha1sum:<hex>``, ``openid:…`` or ``account:["<homePage>","<name>"]``: JSON, so that no name passes for another.
xAPI compares identifiers exactly (xAPI-Data §2.4.2.3); here the case of an e-mail address does not matter, since people
mistype it and no mail service tells two members apart by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import sha1, sha256
from hmac import digest as keyed_digest
from json.encoder import encode_basestring_ascii as _quoted
from typing import Annotated, Any, Final, NotRequired, Self, TypedDict

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from schemas.xapi import NewPart, Part, fits_part, part_schema


def identifier_key(agent: Part) -> str:
    """The key of an Agent; raises ``ValueError`` when it has none of the four identifiers."""
    if "mbox" in agent:
        return f"mbox:{agent['mbox'].lower()}"
    if "mbox_sha1sum" in agent:
        return f"mbox_sha1sum:{agent['mbox_sha1sum'].lower()}"
    if "openid" in agent:
        return f"openid:{agent['openid']}"
    if "account" in agent:
        account = agent["account"]
        return f"account:[{_quoted(account['homePage'])},{_quoted(account['name'])}]"
    raise ValueError("the agent has no identifier: give it an mbox, mbox_sha1sum, openid or account")


def member_keys(identifiers: Sequence[Part]) -> tuple[str, ...]:
    """Every key by which a statement may name the member; an ``mbox`` also yields its ``mbox_sha1sum`` keys."""
    return tuple(dict.fromkeys(key for agent in identifiers for key in _keys(agent)))


def actor_key(actor: Part) -> str | None:
    """The key of a statement's actor, ``None`` of a Group; raises ``ValueError`` for an Agent without identifier."""
    return identifier_key(actor) if actor.get("objectType", "Agent") == "Agent" else None


def id_key(member_id: str) -> str:
    """The key of a member id, beside those of identifiers."""
    return f"member:{member_id}"


def hashed(key: str) -> str:
    """SHA-256, in hex. Whoever can guess the key can check the guess: it hides nothing."""
    return sha256(key.encode()).hexdigest()


def tombstone(secret: bytes, key: str) -> str:
    """HMAC-SHA-256, in hex: what an erasure keeps of a key. Without the secret no guess can be checked against it."""
    return keyed_digest(secret, key.encode(), "sha256").hex()


def _keys(agent: Part) -> Iterator[str]:
    yield identifier_key(agent)
    if "mbox" in agent:
        for mbox in _spellings(agent["mbox"]):
            yield f"mbox_sha1sum:{sha1(mbox.encode(), usedforsecurity=False).hexdigest()}"


def _spellings(mbox: str) -> tuple[str, ...]:
    """The spellings of a mailbox that a sender may have hashed: as it came, as the standard asks, in lower case."""
    local_part, at, domain = mbox.rpartition("@")
    return (mbox, f"{local_part}{at}{domain.lower()}", mbox.lower())


KINDS: Final = ("account", "mbox", "mbox_sha1sum", "openid")
"""The four inverse functional identifiers (xAPI-Data §2.4.2.3)."""


class IdentifierTaken(Exception):
    """An identifier belongs to another member already; ``key`` says which."""

    def __init__(self, key: str) -> None:
        super().__init__("identifier taken")
        self.key = key


class IdentifierOwner(TypedDict):
    """A document of ``identifiers``: whose an identifier is, or that a statement waits for it."""

    _id: str  # the identifier's key
    member_id: NotRequired[str]
    stone: NotRequired[str]  # its tombstone, while it is somebody's
    sought: NotRequired[int]  # the transactions that looked for it while nobody had it


def owned_identifier(key: str, member_id: str, secret: bytes) -> IdentifierOwner:
    """Return an identifier that is a member's; ``secret`` keys its tombstone, which whoever gave it up keeps."""
    return {"_id": key, "member_id": member_id, "stone": tombstone(secret, key)}


class Input(BaseModel):
    """A model of input: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")


def _check(part: str, text: str) -> str:
    if not fits_part(part, text):
        raise ValueError(f"Give {part_schema(part)['description']}.")
    return text


Iri = Annotated[str, AfterValidator(partial(_check, "iri")), WithJsonSchema(part_schema("iri"))]
Mailto = Annotated[str, AfterValidator(partial(_check, "mailto")), WithJsonSchema(part_schema("mailto"))]
Sha1 = Annotated[str, AfterValidator(partial(_check, "sha1")), WithJsonSchema(part_schema("sha1"))]
Uri = Annotated[str, AfterValidator(partial(_check, "uri")), WithJsonSchema(part_schema("uri"))]


class Account(Input):
    """An account on an existing system (xAPI-Data §2.4.2.4)."""

    home_page: Iri = Field(alias="homePage")
    name: str


def _exactly_one(schema: dict[str, Any]) -> None:
    schema["oneOf"] = [{"required": [kind]} for kind in KINDS]
    schema["properties"] = {kind: part["anyOf"][0] for kind, part in schema["properties"].items()}  # and never null


class Identifier(Input):
    """An inverse functional identifier, as in an xAPI Agent: exactly one of the four."""

    model_config = ConfigDict(json_schema_extra=_exactly_one)

    account: Account | None = None
    mbox: Mailto | None = None
    mbox_sha1sum: Sha1 | None = None
    openid: Uri | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if len(self.agent()) != 1 or len(self.model_fields_set) != 1:
            raise ValueError(f"Give exactly one of {', '.join(KINDS[:-1])} or {KINDS[-1]}.")
        return self

    def agent(self) -> NewPart:
        """Return it as in an xAPI Agent."""
        return self.model_dump(by_alias=True, exclude_none=True)


IDENTIFIER_FORMS: Final = (
    "an e-mail address, its SHA-1 in hexadecimal, an account as `home page|name`, an OpenID, or JSON as in an Agent"
)
"""What ``typed_keys`` takes, for people."""


def typed_keys(text: str) -> tuple[str, ...]:
    """Return every key of an identifier that somebody typed; raises ``ValueError`` for what is none."""
    return member_keys([Identifier.model_validate(_identifier_of(text)).agent()])


def _identifier_of(text: str) -> object:
    if text.startswith("{"):
        return orjson.loads(text)
    if fits_part("sha1", text):
        return {"mbox_sha1sum": text}
    home_page, bar, name = text.rpartition("|")
    if bar:
        return {"account": {"homePage": home_page, "name": name}}
    is_address = "@" in text and "://" not in text
    return {"mbox": f"mailto:{text.removeprefix('mailto:')}"} if is_address else {"openid": text}
