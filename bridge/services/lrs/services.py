"""The services of the LRS, together."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.services.lrs.attachments import LrsAttachments
from bridge.services.lrs.credentials import Credentials
from bridge.services.lrs.documents import LrsDocuments
from bridge.services.lrs.reading import StatementReader
from bridge.services.lrs.relay import StatementRelay
from bridge.services.lrs.timestamps import StoredTimestamps
from bridge.services.lrs.writing import StatementWriter


@dataclass(frozen=True, slots=True)
class LrsServices:
    """The services that the LRS's HTTP calls, and ``relay``, which is to run beside it."""

    writer: StatementWriter
    reader: StatementReader
    documents: LrsDocuments
    attachments: LrsAttachments
    credentials: Credentials
    timestamps: StoredTimestamps
    relay: StatementRelay
