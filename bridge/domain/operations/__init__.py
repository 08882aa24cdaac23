"""Operations: dead letters, reports, schedules and repeated requests."""

from bridge.domain.operations.idempotency import IdempotentAnswer
from bridge.domain.operations.letters import (
    AGE,
    DeadLetter,
    DeadLetterFilter,
    LetterBody,
    MirroredLetter,
    Origin,
    QueuedDeadLetter,
    WholeLetter,
    failed_before,
    redacted_body,
    visible_body,
)
from bridge.domain.operations.schedules import Schedule
