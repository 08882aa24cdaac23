"""The store: MongoDB behind ``Stores``, what its stores take and answer with, and what may go wrong in a transaction.

Whoever is above imports from here alone. ``retention`` has the queries of what is past its time.
"""

# What is imported here is what the package gives.
# pyright: reportUnusedImport=false

from __future__ import annotations

from bridge.store.database import AlreadyThere, Busy, Database, Document, Session, WrongErasureKey, now
from bridge.store.listing import Listing, Position, Sort
from bridge.store.lrs.attachments import Attachments
from bridge.store.lrs.documents import Documents
from bridge.store.lrs.ledger import LrsLedger
from bridge.store.lrs.unsent import Note, Unsent
from bridge.store.operations.dead_letters import LetterSelection
from bridge.store.operations.dump import META
from bridge.store.operations.reports import ReportCounts
from bridge.store.operations.schedules import Schedules
from bridge.store.privacy import retention
from bridge.store.privacy.erasures import Erasures
from bridge.store.privacy.retention import Expired, ExpiredQuery
from bridge.store.record.records import MemberRecords
from bridge.store.schema import SCHEMA_VERSION, Schema
from bridge.store.statements.ledger import Outbox
from bridge.store.statements.pulls import Cursor, Pulls
from bridge.store.statements.search import FAR_AHEAD, LONG_AGO, FateQuery, Place, StatementSearch, place_of
from bridge.store.stores import Stores
