"""The same ``Idempotency-Key`` with the same body gives the same answer for 24 hours (api.md, HTTP conventions).

A key is its caller's own on one route, whomever the body is about.

Use it inside an act, around everything the call writes:

    async def work(act: Act) -> Document:
        return await once(act, attempt, lambda: self._create(act, values))

    return await acts.run(member_id, work)

The answer is kept in the act's transaction, and acts on one record are serialised, so that two calls with one key at
the same moment make one thing. A call that fails keeps nothing: it may be sent again with the same key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.errors import Conflict
from bridge.services.unit_of_work import UnitOfWork
from bridge.store.idempotency import Answers

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call that may be a repeat: whose it is, where it went, the client's key, and a digest of what it sent."""

    by: str
    route: str
    key: str
    digest: bytes

    @classmethod
    def of(cls, by: str, route: str, key: str | None, body: bytes) -> Attempt | None:
        """Make the attempt of a call; None without a key. ``route`` is the method and path, ``body`` what was sent."""
        return None if key is None else cls(by, route, key, hashlib.sha256(body).digest())

    @property
    def row_id(self) -> str:
        """Return the row's id: hashed, because a client chooses the key."""
        return hashlib.sha256("\n".join((self.by, self.route, self.key)).encode()).hexdigest()

    def check(self, known: Document) -> None:
        """Raise ``Conflict`` when the row that is kept under the key is of another body."""
        if known["digest"] != self.digest:
            raise Conflict("This Idempotency-Key was used with another body in the last 24 hours: take a new key.")


async def once(
    unit: UnitOfWork, attempt: Attempt | None, work: Callable[[], Coroutine[Any, Any, Document]]
) -> Document:
    """Return what ``work`` returns, or what it returned when the same attempt was made before.

    The document must be one the store can keep (text, numbers, times in UTC, lists, documents). Raises ``Conflict``
    when the key came with another body.
    """
    if attempt is None:
        return await work()
    answers = unit.stores.answers
    known = await answers.get(attempt.row_id, unit.at, unit.session)
    if known is None:
        answer = await work()
        kept = {"_id": attempt.row_id, "at": unit.at, "digest": attempt.digest}
        await answers.put({**kept, "member_id": unit.member_id, "answer": answer}, unit.session)
        return answer
    attempt.check(known)
    return known["answer"]


async def claim(answers: Answers, attempt: Attempt | None, at: datetime) -> None:
    """Take a key for what is about nobody alone, and is the same however often it is done; raises ``Conflict``."""
    if attempt is not None:
        attempt.check(await answers.first({"_id": attempt.row_id, "at": at, "digest": attempt.digest}))
