"""Declarations that a member makes with a submission (``schemas.audit``), in the member's language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bridge.domain.audit.cases import StoredCase, StoredDeclaration
from bridge.domain.members.members import StoredMember
from bridge.domain.statements.completions import pick
from bridge.errors import FieldError, ValidationFailed
from schemas.audit import DECLARATIONS

DEFAULT_LANGUAGE = "en"


def accept_declarations(accepted: Mapping[str, bool], member: StoredMember, at: datetime) -> list[StoredDeclaration]:
    """Return the declarations with the time they were made; raises ``ValidationFailed`` unless all are there."""
    errors = [_missing(name) for name in DECLARATIONS if not accepted.get(name)]
    if errors:
        raise ValidationFailed("Every declaration must be accepted before you submit.", field_errors=errors)
    return [_declaration(name, member, at) for name in DECLARATIONS]


class MemberCase(StoredCase):
    """A case as its member sees it."""

    id: str


def case_for_member(case: StoredCase, member: StoredMember | None) -> MemberCase:
    """Return a case as its member sees it; declarations not made yet are shown to be made."""
    accepted = {declaration["id"]: declaration for declaration in case["declarations"]}
    declarations = [accepted.get(name) or _declaration(name, member, None) for name in DECLARATIONS]
    return {**case, "id": case["_id"], "declarations": declarations}


def _declaration(name: str, member: StoredMember | None, at: datetime | None) -> StoredDeclaration:
    language = (member and member["language"]) or DEFAULT_LANGUAGE
    return {"id": name, "text": _text(name, language), "accepted_at": at}


def _missing(name: str) -> FieldError:
    message = f"Accept this declaration: “{_text(name, DEFAULT_LANGUAGE)}”"
    return FieldError("/declarations", f"Declaration {name}", message)


def _text(name: str, language: str) -> str:
    return pick(DECLARATIONS[name], (language, DEFAULT_LANGUAGE)) or ""
