"""The second room of a completed statement: batches of pieces recorded, by halves where that fails.

One batch is one transaction. When it kept meeting others on the same members, it goes on in smaller pieces, so that the
next to come is not in its way as a whole; when it failed, by halves down to the statement to blame. While the store is
away it waits: an outage is no statement's fault (invariant 7).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import structlog

from bridge.domain.statements.dispositions import Outcome, Reason
from bridge.domain.statements.ledger import Arrival
from bridge.logs import failure
from bridge.services.statements.recording import Recording
from bridge.store.database import Busy
from consumers.completions import Piece
from consumers.consumer import Backoff, Consumer

log = structlog.get_logger(__name__)

TRANSACTION_BYTES: Final = 4 * 2**20
"""Bytes of statements that one transaction writes, at most; a single one may have more."""

TRIES: Final = 2
"""Tries of a transaction that met others, before it goes on in smaller pieces."""


class Recorder:
    """Gives pieces their outcomes; ``batch_size`` is how many statements one transaction writes."""

    def __init__(self, recording: Recording, consumer: Consumer, batch_size: int, max_attempts: int) -> None:
        self._recording = recording
        self._consumer = consumer
        self._batch_size = batch_size
        self._max_attempts = max_attempts

    async def record(self, pieces: Sequence[Piece]) -> None:
        """Give each piece its outcome; only pieces with an arrival."""
        for batch in self._batches(pieces):
            await self._record(batch)

    def _batches(self, pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
        batch: list[Piece] = []
        weight = 0
        for piece in pieces:
            size = len(_arrival(piece).raw)
            if batch and (len(batch) == self._batch_size or weight + size > TRANSACTION_BYTES):
                yield batch
                batch, weight = [], 0
            batch.append(piece)
            weight += size
        if batch:
            yield batch

    async def _record(self, pieces: Sequence[Piece]) -> None:
        alone = len(pieces) == 1
        arrivals = [_arrival(piece) for piece in pieces]
        try:
            outcomes = await self._consumer.retry_while_unavailable(
                lambda: self._recording.record(arrivals, tries=None if alone else TRIES)
            )
        except Busy:
            log.debug("batch met others", size=len(pieces))
        except Exception as error:  # whatever a statement provokes must not stop the queue
            log.warning("batch failed", size=len(pieces), **failure(error))
            if alone:
                await self._try_again(pieces[0])
                return
        else:
            for piece, outcome in zip(pieces, outcomes, strict=True):
                piece.outcome = outcome
            return
        middle = len(pieces) // 2
        await self._record(pieces[:middle])
        await self._record(pieces[middle:])

    async def _try_again(self, piece: Piece) -> None:
        """Try a single statement until it is recorded or its attempts are exhausted."""
        arrival = _arrival(piece)
        backoff = Backoff(first=0.05)
        while piece.outcome is None and piece.attempts < self._max_attempts:
            piece.attempts += 1
            await backoff.wait()  # a stop hurries nothing: what is not settled in time comes again
            try:
                (piece.outcome,) = await self._consumer.retry_while_unavailable(
                    lambda: self._recording.record([arrival])
                )
            except Exception as error:  # counted as an attempt
                log.warning("statement failed", statement_id=arrival.statement_id, **failure(error))
        piece.outcome = piece.outcome or Outcome.dead(
            Reason.EXHAUSTED, f"a statement that can be recorded was expected; {piece.attempts} attempts failed"
        )


def _arrival(piece: Piece) -> Arrival:
    assert piece.arrival is not None, "only what could be read is recorded"
    return piece.arrival
