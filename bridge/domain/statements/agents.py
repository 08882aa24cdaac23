"""Inverse functional identifiers of xAPI Agents (xAPI-Data §2.4.2.3) as keys that can be stored and compared.

A key is ``mbox:mailto:…``, ``mbox_sha1sum:<hex>``, ``openid:…`` or ``account:["<homePage>","<name>"]`` (JSON, so that
no name can pass for another). xAPI compares identifiers exactly. Here the case of an e-mail address does not matter,
since people mistype it and no mail service tells two members apart by it; all others are compared as given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha1, sha256
from hmac import digest as keyed_digest
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any


def identifier_key(agent: Mapping[str, Any]) -> str:
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


def member_keys(identifiers: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Every key by which a statement may name the member; an ``mbox`` also yields its ``mbox_sha1sum`` keys."""
    return tuple(dict.fromkeys(key for agent in identifiers for key in _keys(agent)))


def actor_key(actor: Mapping[str, Any]) -> str | None:
    """The key of a statement's actor; ``None`` for a Group, identified or anonymous, which is not a member.

    Raises ``ValueError`` for an Agent without an identifier (the statement's schema refuses one).
    """
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


def _keys(agent: Mapping[str, Any]) -> Iterator[str]:
    yield identifier_key(agent)
    if "mbox" in agent:
        for mbox in _spellings(agent["mbox"]):
            yield f"mbox_sha1sum:{sha1(mbox.encode(), usedforsecurity=False).hexdigest()}"


def _spellings(mbox: str) -> tuple[str, ...]:
    """The spellings of a mailbox that a sender may have hashed.

    As the membership system has it; as the standard asks, the domain alone in lower case; all in lower case.
    """
    local_part, at, domain = mbox.rpartition("@")
    return (mbox, f"{local_part}{at}{domain.lower()}", mbox.lower())
