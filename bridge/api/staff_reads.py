"""``/v1/members/{id}/…``: the member's own read calls, for the support team under the member's live grant (R63).

Each is made from the member's own route: the same handler and the same answer, with the member in place of the caller
once the grant is checked and the read is noted. What is not named here cannot be read by staff at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial, wraps
from typing import Any, Final

from bridge.api import comments, evidence, log, me, plan
from bridge.api.http.context import Call, Caller
from bridge.api.http.middleware import reader
from bridge.api.http.routing import Handler, Route, Routes
from bridge.api.http.service_keys import SUPPORT

routes = Routes("Support", "A member's record, for the support team, while the member lets them.")

PARTS: Final[Mapping[str, str]] = {
    "/v1/periods": "periods",
    "/v1/periods/{period_id}": "period",
    "/v1/periods/{period_id}/comments": "comments",
    "/v1/plan": "plan",
    "/v1/plan/{item_id}": "plan_item",
    "/v1/log": "log",
    "/v1/log/{entry_id}": "log_entry",
    "/v1/log/{entry_id}/evidence": "evidence_list",
    "/v1/evidence/{evidence_id}": "evidence",
}
"""The member's read calls that support may make → what the access history calls the part."""

STREAMED: Final = "evidence"
"""The part whose handler sends its answer itself."""

_MEMBER = "/v1/members/{member_id}"


def _for_support(route: Route) -> Route:
    name = f"{route.operation_id or route.handler.__name__}_of_member"
    return replace(
        route,
        path=_MEMBER + route.path.removeprefix("/v1"),
        handler=_admitted(route.handler, PARTS[route.path]),
        roles=frozenset({"support"}),
        tag=routes.tag,
        summary=f"For support: {route.summary[0].lower()}{route.summary[1:]}",
        description=f"{route.description} Under the member's live grant alone; 404 otherwise.".strip(),
        operation_id=name,
    )


def _admitted(handler: Handler, part: str) -> Handler:
    """Let the support team call a member's handler in the member's place.

    The read is noted once there is something to show, so that what was not found is not told as read.
    """

    @wraps(handler)
    async def read(call: Call, *args: Any, **kwargs: Any) -> Any:
        support, member_id = call.service(SUPPORT), call.path["member_id"]
        await support.check(member_id)
        path = {name: value for name, value in call.path.items() if name != "member_id"}
        item = next(iter(path.values()), None)
        admit = partial(support.admit, member_id, reader(call.request), (part,), item)
        in_place = replace(call, caller=Caller(member_id, frozenset({"member"})), path=path, before_leaving=admit)
        answer = await handler(in_place, *args, **kwargs)
        if part != STREAMED:
            await in_place.release()
        return answer

    return read


for _route in (route for source in (me, plan, log, comments, evidence) for route in source.routes.table()):
    if _route.method == "GET" and _route.path in PARTS:
        routes.add(_for_support(_route))
