"""The services of the LRS, built together."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.broker.topology import Topology
from bridge.services.lrs.attachments import LrsAttachments
from bridge.services.lrs.credentials import Credentials
from bridge.services.lrs.documents import LrsDocuments
from bridge.services.lrs.reading import StatementReader
from bridge.services.lrs.relay import StatementRelay
from bridge.services.lrs.timestamps import StoredTimestamps
from bridge.services.lrs.writing import StatementWriter
from bridge.settings import Settings
from bridge.store.lrs.stores import LrsStores
from bridge.store.privacy.erasures import Erasures


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

    @classmethod
    def over(
        cls, stores: LrsStores, erasures: Erasures, credentials: Credentials, settings: Settings, topology: Topology
    ) -> LrsServices:
        """Build the services over the stores."""
        timestamps = StoredTimestamps()
        relay = StatementRelay(stores.ledger, stores.unsent, settings, topology)
        attachments = LrsAttachments(stores.attachments, settings.lrs_max_attachment_bytes)
        return cls(
            StatementWriter(stores.ledger, erasures, attachments, timestamps, relay),
            StatementReader(stores.ledger),
            LrsDocuments(stores.documents, settings.lrs_max_document_bytes),
            attachments,
            credentials,
            timestamps,
            relay,
        )
