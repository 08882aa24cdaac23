"""The Statement resource (xAPI-Communication §2.1, IEEE 9274.1.1 §4.1.6.1)."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from email.utils import format_datetime
from typing import Annotated, Any, Final, Literal

import orjson
from aiohttp import web
from pydantic import Field, TypeAdapter

from bridge.domain.lrs import index_keys as facts
from bridge.domain.lrs.parsing import batch, single
from bridge.domain.lrs.serialization import instant
from bridge.errors import Malformed
from bridge.lrs import multipart, parameters
from bridge.lrs.calls import Call
from bridge.lrs.languages import preferred
from bridge.lrs.multipart import Limits
from bridge.services.lrs.statements import LrsStatements, Shown, View
from bridge.store.lrs.attachments import Attachments
from bridge.store.lrs.rows import Attached
from bridge.store.lrs.search import END_OF_TIME, Search

PAGE: Final = 500
"""Statements of one answer, at most."""

PAGE_BYTES: Final = 4 * 2**20
"""An answer ends after the statement that passes this, so that large statements do not grow the process."""

_SHOWING = frozenset({"format", "attachments"})
_FILTERS = frozenset(
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


@dataclass(slots=True)
class Page:
    """Statements for one answer, and where the next begins."""

    texts: list[bytes] = field(default_factory=list[bytes])
    attached: list[Attached] = field(default_factory=list[Attached])
    more: str = ""


class StatementResource:
    """Handlers of the resource; ``path`` is where it is mounted, for the ``more`` links."""

    def __init__(self, statements: LrsStatements, attachments: Attachments, limits: Limits, path: str) -> None:
        self._statements = statements
        self._attachments = attachments
        self._limits = limits
        self._path = path

    async def put(self, call: Call) -> web.StreamResponse:
        """Store one statement under the id that the parameter names."""
        parameters.check(call.params, frozenset(), frozenset({"statementId"}))
        statement_id = parameters.uuid(call.params, "statementId") or ""
        await self._store(call, lambda body: single(body, call.version, self._limits.statement, statement_id))
        return web.Response(status=204)

    async def post(self, call: Call) -> web.StreamResponse:
        """Store statements, all or none; answers their ids in order."""
        parameters.check(call.params, frozenset())
        ids = await self._store(call, lambda body: batch(body, call.version, self._limits.statement))
        return web.Response(body=orjson.dumps(ids), content_type="application/json")

    async def _store(self, call: Call, parse: multipart.Parse) -> list[str]:
        call.credential.need("statements/write")
        received = await multipart.receive(call, parse, self._attachments, self._limits)
        await self._statements.accept(received.incoming, call.credential, call.version, received.attached)
        await multipart.check_kept(received, self._attachments)
        return [one.statement.get("id", one.statement_id) for one in received.incoming]

    async def get(self, call: Call) -> web.StreamResponse:
        """Answer one statement, or those that the parameters ask for."""
        if "more" in call.params:
            parameters.check(call.params, frozenset({"more"}))
            return await self._answer_page(call, _unpacked(call.params["more"]))
        if "statementId" in call.params or "voidedStatementId" in call.params:
            return await self._answer_one(call)
        parameters.check(call.params, _FILTERS | _SHOWING)
        return await self._answer_page(call, _asked(call.params))

    async def _answer_one(self, call: Call) -> web.StreamResponse:
        name = "voidedStatementId" if "voidedStatementId" in call.params else "statementId"
        parameters.check(call.params, _SHOWING, frozenset({name}))
        wanted = parameters.uuid(call.params, name) or ""
        view = View(call.version, _format(call.params), preferred(call.headers))
        found = await self._statements.one(wanted, call.credential, view, voided=name == "voidedStatementId")
        headers = {"Last-Modified": format_datetime(instant(found.at), usegmt=True)}
        return await self._respond(
            call, found.text, found.attached, headers, parameters.flag(call.params, "attachments")
        )

    async def _answer_page(self, call: Call, asked: Asked) -> web.StreamResponse:
        page = await self._page(call, asked)
        more = orjson.dumps(f"{self._path}?more={page.more}" if page.more else "")
        body = b'{"statements":[' + b",".join(page.texts) + b'],"more":' + more + b"}"
        return await self._respond(call, body, page.attached, {}, asked.attachments)

    async def _page(self, call: Call, asked: Asked) -> Page:
        limit = min(asked.limit or PAGE, PAGE)
        view = View(call.version, asked.format, preferred(call.headers))
        page, size, last = Page(), 0, None
        async for shown in self._statements.page(asked.search(), call.credential, view, limit + 1):
            if last and (len(page.texts) == limit or size > PAGE_BYTES):
                page.more = asked.packed(last)
                break
            page.texts.append(shown.text)
            page.attached += shown.attached if asked.attachments else ()
            size, last = size + len(shown.text), shown
        return page

    async def _respond(
        self, call: Call, body: bytes, attached: Sequence[Attached], headers: Mapping[str, str], attachments: bool
    ) -> web.StreamResponse:
        if attachments:
            return await multipart.answer(call, body, attached, self._attachments, headers)
        return web.Response(body=body, content_type="application/json", headers=headers)


Moment = Annotated[int, Field(ge=-END_OF_TIME, lt=END_OF_TIME)]
"""Microseconds since 1970, as far as the store can count."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as it is carried from page to page; it holds hashed keys, and nobody's address.

    It comes back from outside, in a link, and is held to these types then.
    """

    keys: Annotated[tuple[str, ...], Field(min_length=1)]
    roles: tuple[str, ...]
    since: Moment | None
    until: Moment | None
    ascending: bool
    limit: Annotated[int, Field(ge=0)]
    format: Literal["exact", "ids", "canonical"]
    attachments: bool
    after: tuple[Moment, str] | None = None

    def search(self) -> Search:
        """Return the query in the store's terms."""
        keys, roles = (tuple(bytes.fromhex(key) for key in names) for names in (self.keys, self.roles))
        return Search(keys, roles, (), self.since, self.until, self.ascending, self.after)

    def packed(self, last: Shown) -> str:
        """Return the query for what comes after a page, as text for a link."""
        going_on = replace(self, after=(last.at, last.statement_id))
        return base64.urlsafe_b64encode(orjson.dumps(astuple(going_on))).decode().rstrip("=")


_ASKED: Final = TypeAdapter(Asked)


def _unpacked(text: str) -> Asked:
    try:
        fields: list[Any] = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        asked = _ASKED.validate_python(dict(zip(Asked.__dataclass_fields__, fields, strict=True)))
        asked.search()
    except (ValueError, TypeError):  # pydantic's and binascii's errors among them
        raise Malformed("This is not a link that an answer of this service held in more.") from None
    return asked


def _asked(params: Mapping[str, str]) -> Asked:
    keys, roles = _keys(params)
    return Asked(
        keys=tuple(key.hex() for key in keys),
        roles=tuple(key.hex() for key in roles),
        since=parameters.timestamp(params, "since"),
        until=parameters.timestamp(params, "until"),
        ascending=parameters.flag(params, "ascending"),
        limit=parameters.number(params, "limit"),
        format=_format(params),
        attachments=parameters.flag(params, "attachments"),
    )


def _keys(params: Mapping[str, str]) -> tuple[list[bytes], list[bytes]]:
    """Return what to look up by, what fewest statements have first, and the roles that narrow it."""
    registration = parameters.uuid(params, "registration")
    agent = parameters.agent(params, kind="actor")
    activity = parameters.iri(params, "activity")
    verb = parameters.iri(params, "verb")
    any_agent, any_activity = (parameters.flag(params, f"related_{name}") for name in ("agents", "activities"))
    keys = [
        *([facts.registration_key(registration)] if registration else []),
        *([facts.mention_of_agent(agent)] if agent else []),
        *([facts.mention_of_activity(activity)] if activity else []),
        *([facts.verb_key(verb)] if verb else []),
    ]
    roles = [
        *([facts.agent_role(agent)] if agent and not any_agent else []),
        *([facts.activity_role(activity)] if activity and not any_activity else []),
    ]
    return keys or [facts.EVERY], roles


def _format(params: Mapping[str, str]) -> Literal["exact", "ids", "canonical"]:
    match params.get("format", "exact"):
        case "exact" | "ids" | "canonical" as value:
            return value
        case _:
            raise parameters.refuse("format", "ids, exact or canonical")
