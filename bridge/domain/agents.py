"""Inverse functional identifiers of xAPI Agents (xAPI-Data §2.4.2.3) as keys that can be stored and compared.

A key is ``mbox:mailto:…``, ``mbox_sha1sum:<hex>``, ``openid:…`` or ``account:["<homePage>","<name>"]`` (JSON, so that
no name can pass for another). xAPI compares identifiers exactly. Here the case of an e-mail address does not matter,
since people mistype it and no mail service tells two members apart by it; all others are compared as given.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha1, sha256
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
        return "account:" + json.dumps([account["homePage"], account["name"]], separators=(",", ":"))
    raise ValueError("the agent has no identifier: give it an mbox, mbox_sha1sum, openid or account")


def member_keys(identifiers: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Every key by which a statement may name the member; an ``mbox`` also yields its ``mbox_sha1sum`` keys."""
    return tuple(dict.fromkeys(key for agent in identifiers for key in _keys(agent)))


def actor_key(actor: Mapping[str, Any]) -> str | None:
    """The key of a statement's actor; ``None`` for a Group, identified or anonymous, which is not a member.

    Raises ``ValueError`` for an Agent without an identifier (the statement's schema refuses one).
    """
    return identifier_key(actor) if actor.get("objectType", "Agent") == "Agent" else None


def hashed(key: str, salt: bytes = b"") -> str:
    """SHA-256, in hex, of the salt and the key: what an erasure's tombstone keeps.

    Without a secret salt a guessed e-mail address can be checked against it.
    """
    return sha256(salt + key.encode()).hexdigest()


def _keys(agent: Mapping[str, Any]) -> Iterator[str]:
    yield identifier_key(agent)
    if "mbox" in agent:
        # The sender hashed the address in the case they had it in: as the CRM has it, or in lower case.
        for address in (agent["mbox"], agent["mbox"].lower()):
            yield f"mbox_sha1sum:{sha1(address.encode(), usedforsecurity=False).hexdigest()}"
