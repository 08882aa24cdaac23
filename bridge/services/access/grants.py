"""Support grants: the member lets the support team look, for a time, and takes it back whenever they like (R63)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Literal

from bridge.domain.access import NO_GRANT, StoredGrant
from bridge.domain.privacy import Reader, Right
from bridge.errors import NOTHING_HERE, NotFound
from bridge.services.access.access_log import AccessHistory
from bridge.services.unit_of_work import Attempt, UnitOfWork, UnitsOfWork
from bridge.store import Listing, Position, Stores, now


class GrantForMember(StoredGrant):
    """A grant as its member sees it."""

    id: str
    state: Literal["live", "revoked", "expired"]


class SupportGrants:
    """Gives and ends permission, and lets the support team in by it."""

    def __init__(self, stores: Stores, units: UnitsOfWork, access: AccessHistory) -> None:
        self._stores = stores
        self._units = units
        self._access = access

    async def list(self, member_id: str, limit: int, after: Position | None) -> Listing[GrantForMember]:
        """Return a page of the member's grants, newest first."""
        page = await self._stores.grants.list(member_id, limit, after)
        return Listing([_grant_for_member(grant) for grant in page.items], page.next, page.total)

    async def grant(self, member_id: str, reason: str, hours: int, attempt: Attempt | None) -> GrantForMember:
        """Let the support team read the member's record for some hours from now."""

        async def add(unit: UnitOfWork) -> StoredGrant:
            grant: StoredGrant = {
                "_id": str(uuid.uuid4()),
                "member_id": member_id,
                "reason": reason,
                "created_at": unit.at,
                "expires_at": unit.at + timedelta(hours=hours),
                "revoked_at": None,
                "version": 1,
                "order": {"created_at": {"empty": False, "key": f"{unit.member['acts']:015}"}},
            }
            await self._stores.grants.add(grant, unit.session)
            return grant

        return _grant_for_member(await self._units.run(member_id, add, attempt))

    async def revoke(self, member_id: str, grant_id: str) -> None:
        """End a grant at once; ending it again changes nothing. Raises ``NotFound``."""
        if await self._stores.grants.revoke(member_id, grant_id, now()) is None:
            raise NotFound(NO_GRANT)

    async def admit(self, member_id: str, reader: Reader, parts: tuple[str, ...], item: str | None) -> None:
        """Let what was read leave by the live grant, once the read is noted; raises ``NotFound`` without one."""
        grant = await self.check(member_id)
        await self._access.record_read(reader, member_id, Right("support_grant", grant["_id"]), parts, item)
        await self.check(member_id)  # it may have been revoked while the read was noted

    async def check(self, member_id: str) -> StoredGrant:
        """Return the member's grant that is live; raises ``NotFound`` without one."""
        grant = await self._stores.grants.live(member_id, now())
        if grant is None:
            raise NotFound(NOTHING_HERE)
        return grant


def _grant_for_member(grant: StoredGrant) -> GrantForMember:
    """Return a grant as its member sees it."""
    ended = grant["revoked_at"] is not None
    state = "revoked" if ended else "live" if grant["expires_at"] > now() else "expired"
    return {**grant, "id": grant["_id"], "state": state}
