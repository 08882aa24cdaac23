"""Statements of a request's body: parsed, checked by the rules of the version spoken, given their ids."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final, cast

from bridge.domain.lrs import signatures
from bridge.domain.lrs.index_keys import activities
from bridge.domain.lrs.serialization import with_id, with_substatement
from bridge.domain.lrs.spec_refs import Version, cite_data
from bridge.domain.members.identifiers import actor_key
from bridge.domain.privacy.people import people
from bridge.domain.statements import bodies
from bridge.domain.statements.dispositions import BodyTooLarge, UnreadableBody
from bridge.domain.statements.json_parts import elements
from bridge.errors import FieldError, Malformed, TooLarge
from schemas import xapi
from schemas.xapi import Part

MAX_NAMES = 3000
"""Activities and Agents that a statement names: each is a key of its row, and of the rows that refer to it."""


@dataclass(frozen=True, slots=True)
class IncomingStatement:
    """A valid statement."""

    statement_id: str
    raw: bytes  # its text as received, with the id in front if it had none
    statement: Part
    has_own_id: bool  # its sender chose its id

    @property
    def actor_key(self) -> str | None:
        """The identifier key of its actor; None for a Group."""
        return actor_key(self.statement["actor"])

    def attachments(self) -> list[Part]:
        """Return the attachment objects, those of the SubStatement included."""
        return [part for whole in with_substatement(self.statement) for part in whole.get("attachments", ())]


def parse_batch(body: bytes, version: Version, max_bytes: int) -> list[IncomingStatement]:
    """Read the statements of a POST, one or an array, ``max_bytes`` each; raises ``Malformed`` or ``TooLarge``."""
    if not bodies.is_array(body):
        return [_parse(body, version, max_bytes)]
    try:
        texts = elements(body)
    except BodyTooLarge as error:
        raise TooLarge(f"{error}; send the rest in another request.") from None
    except UnreadableBody as error:
        raise _not_json(error, "") from None
    statements = [_parse(text, version, max_bytes, at=f"/{number}") for number, text in enumerate(texts)]
    _check_distinct(statements, version)
    return statements


def parse_single(body: bytes, version: Version, max_bytes: int, statement_id: str) -> list[IncomingStatement]:
    """Read the statement of a PUT; raises as ``parse_batch`` does, and ``Malformed`` for another id in it."""
    if bodies.is_array(body):
        raise Malformed(f"PUT takes one statement; send an array by POST ({cite_data('', version)}).")
    return [_parse(body, version, max_bytes, statement_id.lower())]


def _parse(
    raw: bytes, version: Version, max_bytes: int, expected_id: str | None = None, at: str = ""
) -> IncomingStatement:
    if len(raw) > max_bytes:
        raise TooLarge(f"A statement of at most {max_bytes} bytes is taken here.")
    statement = _check_valid(_decode(raw, version, at), version, at)
    sent_id = statement.get("id")
    if expected_id and sent_id and sent_id.lower() != expected_id:
        raise malformed_part(f"{at}/id", "the id that the parameter statementId names", cite_data("/id", version))
    statement_id = expected_id or (sent_id or str(uuid.uuid4())).lower()
    text = with_id(raw, statement, statement_id)
    return IncomingStatement(statement_id, text, statement, has_own_id=bool(expected_id or sent_id))


def _decode(raw: bytes, version: Version, at: str) -> object:
    try:
        return bodies.decoded(raw)
    except bodies.Unkeepable as error:
        raise malformed_part(f"{at}{error.pointer}", error.expected, cite_data(error.pointer, version)) from None
    except UnreadableBody as error:
        raise _not_json(error, at) from None
    except BodyTooLarge as error:
        raise TooLarge(f"{error}.".capitalize()) from None


def _not_json(error: UnreadableBody, at: str) -> Malformed:
    text = str(error)  # it may begin with a pointer of its own
    return Malformed(f"The body is not JSON: {at}{text if text.startswith('/') or not at else ': ' + text}.")


def _check_valid(value: object, version: Version, at: str) -> Part:
    if not xapi.is_valid(value, version):
        fault = xapi.explain(value, version)
        raise malformed_part(f"{at}{fault.pointer}", fault.expected, cite_data(fault.pointer, version))
    statement = cast("Mapping[str, Any]", value)
    names = chain(activities(statement), people(statement))
    if sum(1 for _ in islice(names, MAX_NAMES + 1)) > MAX_NAMES:
        raise TooLarge(
            f"A statement names at most {MAX_NAMES} Activities and Agents: send several that name some each."
        )
    return statement


def _check_distinct(statements: Sequence[IncomingStatement], version: Version) -> None:
    """2.0 refuses an id that stands twice in a batch; in 1.0.3 an identical repeat is no conflict."""
    if version == "1.0.3":
        return
    ids: set[str] = set()
    for number, statement in enumerate(statements):
        if statement.statement_id in ids:
            clause = cite_data("/id", version)
            raise malformed_part(f"/{number}/id", "an id that no other statement of the batch has", clause)
        ids.add(statement.statement_id)


def malformed_part(pointer: str, expected: str, clause: str) -> Malformed:
    """Return the error for one fault; ``pointer`` leads into the body."""
    fault = FieldError(pointer, pointer.rsplit("/", 1)[-1], f"Expected {expected}.")
    return Malformed(f"{pointer or '/'}: expected {expected} ({clause}).", field_errors=[fault])


def group_by_signature(statements: Sequence[IncomingStatement], version: Version) -> dict[str, list[IncomingStatement]]:
    """Return hash of a signature → the statements that it signs; raises ``Malformed``."""
    by_hash: dict[str, list[IncomingStatement]] = {}
    for statement in statements:
        try:
            for sha2 in signatures.signature_hashes(statement.statement):
                by_hash.setdefault(sha2, []).append(statement)
        except signatures.BadSignature as error:
            raise malformed_part("/attachments", str(error), cite_data("/attachments", version)) from None
    return by_hash


HASH_HEADER: Final = "X-Experience-API-Hash"
ATTACHMENTS_CLAUSE: Final = "xAPI-Communication §1.5.2"


@dataclass(frozen=True, slots=True)
class AttachmentPart:
    """A part of a request: the hash that its header names, in lower case, and its data, to be read once."""

    sha2: str
    chunks: AsyncIterator[bytes]
