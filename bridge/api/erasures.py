"""``/v1/members/{id}/erasure``: removing a member everywhere, for the data protection team."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from bridge.api.http.context import Call
from bridge.api.http.routing import Answer, Routes
from bridge.api.http.schemas import Id
from bridge.api.http.service_keys import ERASURES
from bridge.domain.privacy import ErasureState

routes = Routes("Privacy", "What the data protection team does.")


class ErasureDelay(BaseModel):
    """Why an erasure waits."""

    reason: Literal["audit_case"]
    case_id: str


class Erasure(BaseModel):
    """An erasure: where it stands."""

    erasure_id: Id = Field(description="Of the ledger; it says nothing of whom it is.")
    state: ErasureState = Field(
        description="`held`: carried out by itself when the audit case ends. `running`: the worker finishes it."
    )
    requested_at: datetime
    erased_at: datetime | None = None
    held: ErasureDelay | None = None


@routes.post(
    "/v1/members/{member_id}/erasure",
    roles={"privacy"},
    answer=Erasure,
    status=(200, 202),
    description="Removes the member everywhere and for good, and leaves tombstones, so that neither a replay nor a "
    "restored backup brings them back. 202 while an audit case goes on (`held`) or when it takes longer (`running`). "
    "Asking again is safe, and tells where it stands.",
)
async def erase_member(call: Call) -> Answer:
    """Erase a member (UK GDPR art. 17)."""
    row = await call.service(ERASURES).request(call.path["member_id"], call.caller.subject)
    return Answer(row, status=200 if row["state"] == "erased" else 202)
