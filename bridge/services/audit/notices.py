"""E-mail notices of the audit: each is claimed, sent and noted, once as far as SMTP allows (docs/decisions/0008)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, cast

from bridge.domain.audit import (
    NOTICE_FACTS,
    ClaimedNotice,
    NoticeFacts,
    NoticeLetter,
    NoticeState,
    StoredCase,
    StoredNotice,
    notices,
)
from bridge.domain.members import StoredMember
from bridge.errors import NotFound
from bridge.store import Listing, Position, Stores, now
from bridge.texts import match

LEASE: Final = timedelta(minutes=20)
"""How long a claim holds: longer than a mail server may take to answer (``bridge.clients.smtp``)."""


class AuditNotices:
    """The notices that are to be sent, were sent, or could not be."""

    def __init__(self, stores: Stores, portal_url: str | None, languages: Sequence[str]) -> None:
        """Write to a member who has no language of their own in the best of ``languages``."""
        self._stores = stores
        self._languages = languages
        self._portal_url = portal_url

    async def create_from_event(self, event_id: str, kind: str, member_id: str, data: Mapping[str, Any]) -> None:
        """Make the notice of an event, if its member is to be told; an event that comes again makes none."""
        if kind not in notices.TOLD:
            return
        at = now()
        await self._stores.notices.add(
            {
                "_id": event_id,
                "kind": kind,
                "member_id": member_id,
                "state": notices.PENDING,
                "attempts": 0,
                "told": cast("NoticeFacts", {name: data[name] for name in NOTICE_FACTS if name in data}),
                "created_at": at,
                "next_at": at,
                "status": None,
                "order": {"created_at": {"empty": False, "key": f"{at:%Y-%m-%dT%H:%M:%S.%f}"}},
            }
        )

    async def claim_next(self) -> ClaimedNotice | None:
        """Claim the next notice to send, or return None; those that nobody is to get are settled on the way."""
        while notice := await self._stores.notices.claim(now(), LEASE):
            case = await self._stores.cases.get(notice["told"]["case_id"])
            member = await self._stores.members.get(notice["member_id"])
            if case is None or member is None or notices.is_stale(notice["kind"], notice["told"], case):
                await self.record_outcome(notice, "superseded")
            elif not member["email"]:
                await self.record_outcome(notice, "no_address")
            else:
                return ClaimedNotice(notice, member["email"], self._letter(notice, case, member))
        return None

    async def record_sent(self, notice: StoredNotice, message_id: str) -> None:
        """Note that the mail server has taken a notice."""
        await self._stores.notices.record_outcome(
            notice, {"state": notices.SENT, "sent_at": now(), "message_id": message_id}
        )

    async def retry_later(self, notice: StoredNotice, status: str) -> None:
        """Put a notice back in line after a fault that may pass; give up after some days."""
        again = notices.next_try(notice["attempts"], notice["created_at"], now())
        if again is None:
            await self.record_outcome(notice, "failed", status)
        else:
            await self._stores.notices.record_outcome(
                notice, {"state": notices.PENDING, "next_at": again, "status": status}
            )

    async def record_outcome(self, notice: StoredNotice, state: NoticeState, status: str | None = None) -> None:
        """Write down how a notice ended; ``status`` is an SMTP code or a word, never a server's sentence."""
        await self._stores.notices.record_outcome(notice, {"state": state, "status": status})

    async def give_up_claims(self) -> int:
        """Mark notices whose sender died as uncertain; returns how many."""
        return await self._stores.notices.give_up_claims(now())

    async def record_bounce(self, message_id: str, status: str) -> bool:
        """Note that a notice came back; returns whether it is one of ours."""
        return await self._stores.notices.record_bounce(message_id, status, now())

    async def list(self, state: NoticeState | None, limit: int, after: Position | None) -> Listing[StoredNotice]:
        """Return a page of notices for operations, newest first: ids, states and codes, no address and no words."""
        return await self._stores.notices.list(state, limit, after)

    async def send_again(self, notice_id: str) -> StoredNotice:
        """Send a notice once more that ended without being sent; raises ``NotFound`` when there is none such."""
        notice = await self._stores.notices.requeue(notice_id, now())
        if notice is None:
            raise NotFound("There is no such notice, or it was sent, or it is still being tried.")
        return notice

    def _letter(self, notice: StoredNotice, case: StoredCase, member: StoredMember) -> NoticeLetter:
        details, language = notice["told"], match([member.get("language") or "", *self._languages])
        values = {
            "name": member["name"],
            "start": date.fromisoformat(case["start"]),
            "end": date.fromisoformat(case["end"]),
            "due_date": date.fromisoformat(case["due_date"]),
            "days": details.get("days", 0),
            "receipt": details.get("receipt") or "",
        }
        return notices.letter(
            notices.template_of(notice["kind"], details.get("state", "")), language, values, self._portal_url
        )
