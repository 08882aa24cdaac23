"""Redaction of statements by an erasure: a person's own go whole, those of others lose the mention of the person."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson

from bridge.domain.privacy.people import alone, anybody_in, keys_of, without
from bridge.domain.privacy.subjects import DataSubject
from bridge.domain.statements.ledger import LedgerRow, received_at
from schemas.xapi import NewPart


def is_own_statement(row: LedgerRow, subject: DataSubject) -> bool:
    """Say whether a row is of the person's own statement: the member's whom it was settled for; else its actor's."""
    if "member_id" in row:
        return row["member_id"] == subject.member_id
    return any(subject.is_key(key, received_at(row)) for key in actor_keys(row))


def actor_keys(row: LedgerRow) -> frozenset[str]:
    """Return the identifier key of a row's actor; none of a Group, which is not a member."""
    raw = row.get("raw")
    actor: NewPart = orjson.loads(raw)["actor"] if raw else {}
    return frozenset() if actor.get("objectType") == "Group" else frozenset(keys_of(actor))


def settled_actor(row: LedgerRow) -> frozenset[str]:
    """Return the actor's key of a statement that was settled for a member: them, whoever has the identifier now."""
    return actor_keys(row) if "member_id" in row else frozenset()


def named_keys(row: LedgerRow, subject: DataSubject) -> frozenset[str]:
    """Return the identifier keys by which another's row names the person, in its text or in what the LRS added."""
    keys = {key for text in _texts(row).values() for person in anybody_in(text) for key in keys_of(person.agent)}
    return subject.keys_at(keys - settled_actor(row), received_at(row))


def _texts(row: LedgerRow) -> NewPart:
    """Return what a row says as decoded JSON: ``raw``, and ``added`` by the LRS."""
    raw, additions = row.get("raw"), row["lrs"]["added"] if "lrs" in row else None
    texts = {"raw": orjson.loads(raw)} if raw else {}
    return {**texts, "added": orjson.loads(b"{" + additions + b"}")} if additions else texts


def redacted(row: LedgerRow, keys: Collection[str]) -> dict[str, bytes]:
    """Return another's row without the person, whom these keys name: ``raw`` and ``added``, as far as it has them."""
    texts = {name: orjson.dumps(without(text, keys.__contains__)) for name, text in _texts(row).items()}
    return {name: text[1:-1] if name == "added" else text for name, text in texts.items()}


def mentions_in(row: LedgerRow, subject: DataSubject) -> list[dict[str, Any]]:
    """Return where another's row names the person, and how: nothing else of it is theirs."""
    keys = named_keys(row, subject)
    people_named = [person for text in _texts(row).values() for person in anybody_in(text)]
    return [
        {"place": person.pointer, "named": alone(person.agent)}
        for person in people_named
        if any(key in keys for key in keys_of(person.agent))
    ]
