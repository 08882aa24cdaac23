"""From a request's body to valid statements: parsed, checked by the rules of the version spoken, given their ids."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, cast

from bridge.domain.lrs import signatures
from bridge.domain.lrs.index_keys import activities
from bridge.domain.lrs.serialization import identified
from bridge.domain.lrs.spec_refs import Version, of_pointer
from bridge.domain.privacy.people import people
from bridge.domain.statements import bodies, decoding, splitting
from bridge.errors import FieldError, Malformed, TooLarge
from schemas import xapi

MOST_NAMED = 3000
"""Activities and Agents that a statement names: each is a key of its row, and of the rows that refer to it."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A valid statement; ``raw`` is its text as received, with the id in front if it had none.

    ``named`` tells that its sender chose its id.
    """

    statement_id: str
    raw: bytes
    statement: Mapping[str, Any]
    named: bool

    def attachments(self) -> list[Mapping[str, Any]]:
        """Return the attachment objects, those of the SubStatement included."""
        inner = self.statement["object"]
        own: list[Mapping[str, Any]] = list(self.statement.get("attachments", ()))
        return own + (list(inner.get("attachments", ())) if inner.get("objectType") == "SubStatement" else [])


def batch(body: bytes, version: Version, most_bytes: int) -> list[Incoming]:
    """Read the statements of a POST: one, or an array; raises ``Malformed`` or ``TooLarge``.

    ``most_bytes`` is what one statement may have.
    """
    if not splitting.is_array(body):
        return [_incoming(body, version, most_bytes)]
    try:
        parts = splitting.elements(body)
    except bodies.BodyTooLarge as error:
        raise TooLarge(f"{error}; send the rest in another request.") from None
    except bodies.UnreadableBody as error:
        raise _no_json(error, "") from None
    found = [_incoming(part, version, most_bytes, at=f"/{number}") for number, part in enumerate(parts)]
    _check_distinct(found, version)
    return found


def single(body: bytes, version: Version, most_bytes: int, statement_id: str) -> list[Incoming]:
    """Read the statement of a PUT; raises as ``batch`` does, and ``Malformed`` for another id than the request's."""
    if splitting.is_array(body):
        raise Malformed(f"PUT takes one statement; send an array by POST ({of_pointer('', version)}).")
    return [_incoming(body, version, most_bytes, statement_id.lower())]


def _decoded(raw: bytes, version: Version, at: str) -> object:
    try:
        return decoding.decoded(raw)
    except decoding.Unkeepable as error:
        raise refusal(f"{at}{error.pointer}", error.expected, of_pointer(error.pointer, version)) from None
    except bodies.UnreadableBody as error:
        raise _no_json(error, at) from None
    except bodies.BodyTooLarge as error:
        raise TooLarge(f"{error}.".capitalize()) from None


def _no_json(error: bodies.UnreadableBody, at: str) -> Malformed:
    told = str(error)  # it may begin with a pointer of its own
    return Malformed(f"The body is not JSON: {at}{told if told.startswith('/') or not at else ': ' + told}.")


def _incoming(raw: bytes, version: Version, most_bytes: int, asked: str | None = None, at: str = "") -> Incoming:
    if len(raw) > most_bytes:
        raise TooLarge(f"A statement of at most {most_bytes} bytes is taken here.")
    value = _decoded(raw, version, at)
    if not xapi.is_valid(value, version):
        fault = xapi.explain(value, version)
        raise refusal(f"{at}{fault.pointer}", fault.expected, of_pointer(fault.pointer, version))
    statement = cast("Mapping[str, Any]", value)
    if sum(1 for _ in islice(chain(activities(statement), people(statement)), MOST_NAMED + 1)) > MOST_NAMED:
        raise TooLarge(
            f"A statement names at most {MOST_NAMED} Activities and Agents: send several that name some each."
        )
    given = statement.get("id")
    if asked and given and given.lower() != asked:
        raise refusal(f"{at}/id", "the id that the parameter statementId names", of_pointer("/id", version))
    chosen = asked or (given or str(uuid.uuid4())).lower()
    return Incoming(chosen, identified(raw, statement, chosen), statement, bool(asked or given))


def _check_distinct(found: Sequence[Incoming], version: Version) -> None:
    """2.0 refuses an id that stands twice in a batch; in 1.0.3 an identical repeat is no conflict."""
    seen: set[str] = set()
    for number, one in enumerate(found):
        if one.statement_id in seen and version != "1.0.3":
            clause = of_pointer("/id", version)
            raise refusal(f"/{number}/id", "an id that no other statement of the batch has", clause)
        seen.add(one.statement_id)


def refusal(pointer: str, expected: str, clause: str) -> Malformed:
    """Return the error for one fault; ``pointer`` leads into the body."""
    fault = FieldError(pointer, pointer.rsplit("/", 1)[-1], f"Expected {expected}.")
    return Malformed(f"{pointer or '/'}: expected {expected} ({clause}).", field_errors=[fault])


def signed_by(incoming: Sequence[Incoming], version: Version) -> dict[str, list[Incoming]]:
    """Return hash → the statements that it is a signature of; raises ``Malformed``."""
    found: dict[str, list[Incoming]] = {}
    for one in incoming:
        try:
            for sha2 in signatures.signature_hashes(one.statement):
                found.setdefault(sha2, []).append(one)
        except signatures.BadSignature as error:
            raise refusal("/attachments", str(error), of_pointer("/attachments", version)) from None
    return found
