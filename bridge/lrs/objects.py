"""About, Activities and Agents (xAPI-Communication §2.4, §2.5, §2.8; IEEE 9274.1.1 §4.1.6)."""

from __future__ import annotations

from typing import Any, Final

import orjson
from aiohttp import web

from bridge.domain.lrs.index_keys import mention_of_agent
from bridge.lrs import parameters
from bridge.lrs.calls import LATEST, Call
from bridge.services.lrs.statements import LrsStatements
from schemas.xapi.people import IDENTIFIERS

OLDER: Final = ("1.0.0", "1.0.1", "1.0.2", "1.0.3")
"""What a client that speaks 1.0.x may be told: 2.0.0 is no version that its specification knows (§2.8)."""


async def about(speaks_older: bool) -> web.StreamResponse:
    """Answer which versions are spoken; needs no credential and no version."""
    return _json({"version": [*OLDER] if speaks_older else [*OLDER, LATEST]})


class ObjectResource:
    """What is known of Activities and Agents, read from the statements themselves."""

    def __init__(self, statements: LrsStatements) -> None:
        self._statements = statements

    async def activity(self, call: Call) -> web.StreamResponse:
        """Answer an Activity with all that its definitions say."""
        parameters.check(call.params, frozenset(), frozenset({"activityId"}))
        call.credential.need("statements/read", "statements/read/mine", "state", "profile")
        iri = parameters.iri(call.params, "activityId") or ""
        definition = await self._statements.definition(iri)
        return _json({"objectType": "Activity", "id": iri, **({"definition": definition} if definition else {})})

    async def agent(self, call: Call) -> web.StreamResponse:
        """Answer a Person: the Agent asked for, with the names that statements give it to whoever may read those."""
        parameters.check(call.params, frozenset(), frozenset({"agent"}))
        call.credential.need("statements/read", "statements/read/mine", "state", "profile")
        agent = parameters.agent(call.params) or {}
        names = [agent["name"]] if "name" in agent else []
        if call.credential.may("statements/read"):
            names += await self._statements.known_names(mention_of_agent(agent))
        person: dict[str, Any] = {"objectType": "Person"}
        person |= {name: [agent[name]] for name in IDENTIFIERS if name in agent}
        return _json(person | ({"name": list(dict.fromkeys(names))} if names else {}))


def _json(value: object) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")
