"""About, Activities and Agents (xAPI-Communication §2.4, §2.5, §2.8; IEEE 9274.1.1 §4.1.6)."""

from __future__ import annotations

from typing import Final

import orjson
from aiohttp import web

from bridge.domain.lrs import mention_of_agent
from bridge.lrs import parameters
from bridge.lrs.calls import LATEST, LrsCall
from bridge.services.lrs.reading import StatementReader
from schemas.xapi import NewPart
from schemas.xapi.people import IDENTIFIERS

VERSIONS_1_0: Final = ("1.0.0", "1.0.1", "1.0.2", "1.0.3")
"""What a client that speaks 1.0.x may be told: 2.0.0 is no version that its specification knows (§2.8)."""


def answer_about(is_1_0: bool) -> web.StreamResponse:
    """Answer which versions are spoken; needs no credential and no version."""
    return _json({"version": [*VERSIONS_1_0] if is_1_0 else [*VERSIONS_1_0, LATEST]})


class ObjectResource:
    """Handlers of Activities and Agents, which are known from the statements themselves."""

    def __init__(self, reader: StatementReader) -> None:
        self._reader = reader

    async def activity(self, call: LrsCall) -> web.StreamResponse:
        """Answer an Activity with all that its definitions say."""
        parameters.check_names(call.params, frozenset(), frozenset({"activityId"}))
        call.credential.need("statements/read", "statements/read/mine", "state", "profile")
        iri = parameters.read_iri(call.params, "activityId") or ""
        definition = await self._reader.definition(iri)
        return _json({"objectType": "Activity", "id": iri, **({"definition": definition} if definition else {})})

    async def agent(self, call: LrsCall) -> web.StreamResponse:
        """Answer a Person: the Agent asked for, with the names that statements give it to whoever may read those."""
        parameters.check_names(call.params, frozenset(), frozenset({"agent"}))
        call.credential.need("statements/read", "statements/read/mine", "state", "profile")
        agent = parameters.read_agent(call.params) or {}
        names = [agent["name"]] if "name" in agent else []
        if call.credential.may("statements/read"):
            names += await self._reader.known_names(mention_of_agent(agent))
        person: NewPart = {"objectType": "Person"}
        person |= {name: [agent[name]] for name in IDENTIFIERS if name in agent}
        return _json(person | ({"name": list(dict.fromkeys(names))} if names else {}))


def _json(value: object) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")
