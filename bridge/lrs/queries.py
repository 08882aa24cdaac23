"""The parameters of ``GET /statements``, parsed to a query that goes on from page to page in its ``more`` link."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from typing import Annotated, Any, Final, get_args

import orjson
from pydantic import Field, TypeAdapter

from bridge.domain.lrs import index_keys
from bridge.domain.lrs.index_keys import END_OF_TIME, StatementQuery
from bridge.errors import Malformed
from bridge.lrs import parameters
from bridge.services.lrs.reading import StatementFormat, StatementText

Params = Mapping[str, str]

SHOWING: Final = frozenset({"format", "attachments"})
"""Parameters that say how statements are shown."""

FILTERS: Final = frozenset(
    {
        "agent",
        "verb",
        "activity",
        "registration",
        "related_activities",
        "related_agents",
        "since",
        "until",
        "limit",
        "ascending",
    }
)
"""Parameters that say which statements are shown."""

Microseconds = Annotated[int, Field(ge=-END_OF_TIME, lt=END_OF_TIME)]
"""Microseconds since 1970, as far as the store can count."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A query as it is carried from page to page; it holds hashed keys, and nobody's address.

    It comes back from outside, in a link, and is held to these types then.
    """

    keys: Annotated[tuple[str, ...], Field(min_length=1)]
    roles: tuple[str, ...]
    since: Microseconds | None
    until: Microseconds | None
    ascending: bool
    limit: Annotated[int, Field(ge=0)]
    format: StatementFormat
    attachments: bool
    after: tuple[Microseconds, str] | None = None

    def query(self) -> StatementQuery:
        """Return the query that it asks for; raises ``ValueError`` for a key that is no hexadecimal."""
        keys, roles = (tuple(bytes.fromhex(key) for key in keys) for keys in (self.keys, self.roles))
        return StatementQuery(keys, roles, (), self.since, self.until, self.ascending, self.after)

    def link_after(self, last: StatementText) -> str:
        """Return the request for what comes after a statement, as text for a link."""
        following = replace(self, after=(last.at, last.statement_id))
        return base64.urlsafe_b64encode(orjson.dumps(astuple(following))).decode().rstrip("=")


_PAGE_REQUEST: Final = TypeAdapter(PageRequest)


def parse_link(text: str) -> PageRequest:
    """Return the request that a ``more`` link holds; raises ``Malformed``."""
    try:
        values: list[Any] = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        request = _PAGE_REQUEST.validate_python(dict(zip(PageRequest.__dataclass_fields__, values, strict=True)))
        request.query()
    except (ValueError, TypeError):  # pydantic's and binascii's errors among them
        raise Malformed("This is not a link that an answer of this service held in more.") from None
    return request


def parse_query(params: Params) -> PageRequest:
    """Return the request of a first page; raises ``Malformed`` for a parameter that is wrong."""
    keys, roles = _keys(params)
    return PageRequest(
        keys=tuple(key.hex() for key in keys),
        roles=tuple(key.hex() for key in roles),
        since=parameters.read_timestamp(params, "since"),
        until=parameters.read_timestamp(params, "until"),
        ascending=parameters.read_flag(params, "ascending"),
        limit=parameters.read_number(params, "limit"),
        format=read_format(params),
        attachments=parameters.read_flag(params, "attachments"),
    )


def _keys(params: Params) -> tuple[list[bytes], list[bytes]]:
    """Return what to look up by, what fewest statements have first, and the roles that narrow it."""
    registration = parameters.read_uuid(params, "registration")
    agent = parameters.read_agent(params, kind="actor")
    activity = parameters.read_iri(params, "activity")
    verb = parameters.read_iri(params, "verb")
    any_agent, any_activity = (parameters.read_flag(params, f"related_{name}") for name in ("agents", "activities"))
    keys = [
        *([index_keys.registration_key(registration)] if registration else []),
        *([index_keys.mention_of_agent(agent)] if agent else []),
        *([index_keys.mention_of_activity(activity)] if activity else []),
        *([index_keys.verb_key(verb)] if verb else []),
    ]
    roles = [
        *([index_keys.agent_role(agent)] if agent and not any_agent else []),
        *([index_keys.activity_role(activity)] if activity and not any_activity else []),
    ]
    return keys or [index_keys.EVERY_STATEMENT], roles


def read_format(params: Params) -> StatementFormat:
    """Return the format asked for; exact when it is not said."""
    value = params.get("format", "exact")
    for name in get_args(StatementFormat):
        if name == value:
            return name
    raise parameters.wrong_parameter("format", "ids, exact or canonical")
