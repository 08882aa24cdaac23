"""Identifiers of a member as the membership system brings them: just what an xAPI statement may name its actor by.

The statement schema (``schemas/xapi/definitions.json``) is the one definition: what it takes in an actor is taken here,
and what it refuses is refused here, so that no identifier waits for a statement that cannot come, nor the other way.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final, NotRequired, Self, TypedDict

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from schemas.xapi import fits_part, part_schema

KINDS: Final = ("account", "mbox", "mbox_sha1sum", "openid")
"""The four inverse functional identifiers (xAPI-Data §2.4.2.3)."""


class IdentifierOwner(TypedDict):
    """A document of ``identifiers``: whose an identifier is, or that a statement waits for it."""

    _id: str  # the identifier's key (``statements.agents``)
    member_id: NotRequired[str]
    sought: NotRequired[int]  # the transactions that looked for it while nobody had it


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

    def agent(self) -> dict[str, Any]:
        """Return it as in an xAPI Agent."""
        return self.model_dump(by_alias=True, exclude_none=True)
