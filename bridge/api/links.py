"""``/v1/log/{id}/links``: how what was done relates to what was planned."""

from __future__ import annotations

from bridge.api.http.context import Call
from bridge.api.http.routing import Routes
from bridge.api.http.service_keys import LINKS
from bridge.errors import RecordFrozen

routes = Routes("Links", "Many to many, between log entries and plan items.")


@routes.put(
    "/v1/log/{entry_id}/links/{plan_id}",
    roles={"member"},
    problems=(RecordFrozen,),
    description="Linking what is linked changes nothing. Both sides show the link, and both have a new version.",
)
async def link(call: Call) -> None:
    """Link a log entry with a plan item (R47, R48)."""
    await call.service(LINKS).link(call.caller.subject, call.path["entry_id"], call.path["plan_id"])


@routes.delete(
    "/v1/log/{entry_id}/links/{plan_id}",
    roles={"member"},
    problems=(RecordFrozen,),
    description="Taking away a link that is not there changes nothing.",
)
async def unlink(call: Call) -> None:
    """Take a link away (R47)."""
    await call.service(LINKS).unlink(call.caller.subject, call.path["entry_id"], call.path["plan_id"])
