"""Declarations that a member makes with a submission (``schemas.audit``), in the member's language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from bridge.domain.audit.cases import StoredCase, StoredDeclaration
from bridge.errors import FieldError, ValidationFailed
from bridge.texts import Text, data_text
from schemas.audit import DECLARATIONS

_TEXTS: Final[Mapping[str, Text]] = {name: data_text(text) for name, text in DECLARATIONS.items()}


def accept_declarations(accepted: Mapping[str, bool], language: str, at: datetime) -> list[StoredDeclaration]:
    """Return the declarations as the member has read them, made ``at``; raises ``ValidationFailed`` unless all are."""
    errors = [_missing(name) for name in DECLARATIONS if not accepted.get(name)]
    if errors:
        raise ValidationFailed(Text("Every declaration must be accepted before you submit."), field_errors=errors)
    return [{"id": name, "text": text.to(language), "accepted_at": at} for name, text in _TEXTS.items()]


class MemberCase(StoredCase):
    """A case as its member sees it."""

    id: str


def case_for_member(case: StoredCase) -> MemberCase:
    """Return a case as its member sees it; declarations not made yet are shown to be made."""
    accepted = {declaration["id"]: declaration for declaration in case["declarations"]}
    declarations = [accepted.get(name) or _to_make(name) for name in DECLARATIONS]
    return {**case, "id": case["_id"], "declarations": declarations}


def _to_make(name: str) -> StoredDeclaration:
    return {"id": name, "text": _TEXTS[name], "accepted_at": None}


def _missing(name: str) -> FieldError:
    message = Text("Accept this declaration: “{declaration}”", declaration=_TEXTS[name])
    return FieldError("/declarations", Text("Declarations"), message)
