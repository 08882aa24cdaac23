"""The same ``Idempotency-Key`` with the same body gives the same answer for 24 hours (api.md, HTTP conventions).

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
from typing import Any

from bridge.errors import Conflict
from bridge.services.acts import Act

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call that may be a repeat: where it went, the client's key, and a digest of what it sent."""

    route: str
    key: str
    digest: bytes

    @classmethod
    def of(cls, route: str, key: str | None, body: bytes) -> Attempt | None:
        """Make the attempt of a call; None without a key. ``route`` is the method and path, ``body`` what was sent."""
        return None if key is None else cls(route, key, hashlib.sha256(body).digest())

    def row_id(self, member_id: str) -> str:
        """Return the row's id: hashed, because a client chooses the key."""
        return hashlib.sha256("\n".join((member_id, self.route, self.key)).encode()).hexdigest()


async def once(act: Act, attempt: Attempt | None, work: Callable[[], Coroutine[Any, Any, Document]]) -> Document:
    """Return what ``work`` returns, or what it returned when the same attempt was made before.

    The document must be one the store can keep (text, numbers, times in UTC, lists, documents). Raises ``Conflict``
    when the key came with another body.
    """
    if attempt is None:
        return await work()
    answers, row_id = act.stores.answers, attempt.row_id(act.member_id)
    known = await answers.get(row_id, act.at, act.session)
    if known is None:
        answer = await work()
        row = {"_id": row_id, "member_id": act.member_id, "at": act.at, "digest": attempt.digest, "answer": answer}
        await answers.put(row, act.session)
        return answer
    if known["digest"] != attempt.digest:
        raise Conflict("This Idempotency-Key was used with another body in the last 24 hours: take a new key.")
    return known["answer"]
