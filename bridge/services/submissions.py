"""Sending a period to the Register team: the snapshot and the freeze in one act, and the freeze's end (R55-R60).

The act touches the member first, as every act does; so no edit, link, comment or upload overlaps it, and what is
frozen is exactly what was sent (invariant 4). The worker's drafts are in no list until an act takes them in, and none
does while their day is frozen.
"""

from __future__ import annotations

import asyncio
import base64
import uuid
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any

from bridge.domain.cases import FROZEN
from bridge.domain.forms import Forms
from bridge.domain.periods import Period
from bridge.domain.snapshots import canonical, digest, readiness, snapshot
from bridge.errors import BridgeError, Unavailable
from bridge.services.acts import Act
from bridge.services.intake import refile
from bridge.services.recording import Recording
from bridge.services.stores import Stores
from bridge.store.times import now

Document = dict[str, Any]

LEFT_BEHIND = timedelta(minutes=1)
"""After this time, whoever ended a freeze and has not let go what waited will not do it any more."""


PATIENCE = 10.0
"""Seconds that a decision waits for what was held; thousands may have been."""


class Tampered(BridgeError):
    """A snapshot is not what its digest says; it is not shown."""

    title = "This submission is damaged"


class Submissions:
    """Freezes what is submitted, keeps it, and lets it go."""

    def __init__(self, stores: Stores, recording: Recording, forms: Forms) -> None:
        self._stores = stores
        self._recording = recording
        self._forms = forms

    async def take(self, act: Act, case: Document, declared: list[Document]) -> Document:
        """Take the snapshot of a case's period and freeze its scope; returns the submission: its id is the receipt."""
        member_id, session = act.member_id, act.session
        await refile(act, _period(case))
        scope = await self._stores.freezes.scope(member_id, case["start"], case["end"], session)
        receipt = _receipt()
        about = {**_about(act, case, receipt), "declarations": declared}
        text = canonical(snapshot(about, scope, self._forms))
        submission = {
            "_id": receipt,
            "member_id": member_id,
            "case_id": case["_id"],
            "submitted_at": act.at,
            "digest": digest(text),
            "counts": scope.counts(),
            "evidence": {file["id"]: file["sha256"] for files in scope.files.values() for file in files},
        }
        await self._stores.submissions.add(submission, text, session)
        await self._stores.freezes.freeze(member_id, scope, _mark(case, act.at), session)
        return submission

    async def let_go(self, act: Act, case: Document) -> bool:
        """End the freeze of a case, in the act that moves it on; returns whether there was one."""
        if case["state"] not in FROZEN:
            return False
        await self._stores.freezes.thaw(act.member_id, case["_id"], act.session)
        return True

    async def catch_up(self, case: Document) -> None:
        """Let held completions become drafts (decision 4), once the act that ended the freeze is done."""
        await self._recording.catch_up(case["member_id"])
        await self._stores.cases.thawed(case["_id"])

    async def catch_up_soon(self, case: Document) -> None:
        """Do so for a while: whoever decided is waiting, and the worker's clock does what is left."""
        with suppress(TimeoutError, Unavailable):
            async with asyncio.timeout(PATIENCE):
                await self.catch_up(case)

    async def catch_up_left_behind(self) -> int:
        """Do so for cases that were left in between; returns how many there were."""
        cases = await self._stores.cases.thawing(now() - LEFT_BEHIND)
        for case in cases:
            await self.catch_up(case)
        return len(cases)

    async def text(self, submission: Document) -> bytes:
        """Return the canonical text of a submission; raises ``Tampered`` when it does not match its digest."""
        text = await self._stores.submissions.text(submission["member_id"], submission["_id"])
        if digest(text) != submission["digest"]:
            raise Tampered
        return text

    async def readiness(self, case: Document) -> Document:
        """Return what an assessor would find missing if the case's period were submitted now."""
        member_id = case["member_id"]
        scope = await self._stores.freezes.scope(member_id, case["start"], case["end"])
        held = await self._stores.waiting.count_held(member_id)
        waiting = sum(n for period_id, n in held.items() if case["start"] <= period_id <= case["end"])
        return readiness(scope, self._forms, waiting, await self._stores.freezes.undated(member_id))


def _receipt() -> str:
    """Return a receipt number that can be read out: 26 letters and digits without those that look alike."""
    return base64.b32encode(uuid.uuid4().bytes).decode().rstrip("=")


def _mark(case: Document, at: datetime) -> Document:
    period = {name: case[name] for name in ("period_id", "start", "end")}
    return {"case_id": case["_id"], **period, "since": at}


def _period(case: Document) -> Period:
    return Period(date.fromisoformat(case["start"]), date.fromisoformat(case["end"]))


def _about(act: Act, case: Document, receipt: str) -> Document:
    return {
        "case_id": case["_id"],
        "receipt": receipt,
        "submitted_at": act.at,
        "period": {"id": case["period_id"], "label": _period(case).label, "start": case["start"], "end": case["end"]},
        "member": {"id": act.member_id, "name": act.member["name"], "registered": act.member["registered"]},
    }
