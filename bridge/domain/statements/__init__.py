"""Statements: from bytes to what each means for the log, its row in the ledger, and what became of it."""

from bridge.domain.statements.batch import Batch, BatchReads, Changes, Identified, Touch
from bridge.domain.statements.completions import Completion, Rules, Voiding, verb_iris
from bridge.domain.statements.dispositions import (
    DEAD_LETTER_REASONS,
    IGNORE_REASONS,
    LEDGER_DISPOSITIONS,
    BadBody,
    Disposition,
    Outcome,
    Reason,
    Via,
)
from bridge.domain.statements.fates import StatementFate, WaitsFor, fate_in_words, fate_of, fate_of_row, origin_in_words
from bridge.domain.statements.json_parts import MOST_STATEMENTS, elements
from bridge.domain.statements.ledger import (
    Arrival,
    AttachmentRow,
    ChainRow,
    FollowUp,
    HeldStatement,
    LedgerRow,
    ParkedStatement,
    PullPosition,
    arrival,
    mention,
    mentions,
    received_at,
)
from bridge.domain.statements.reconsideration import RECONSIDERABLE, Reconsideration, judge
from bridge.domain.statements.redaction import actor_keys, is_own_statement, mentions_in
from bridge.domain.statements.results import Result, statement_result
