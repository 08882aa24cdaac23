"""The stores of the LRS, over one database."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.store.database import Database
from bridge.store.lrs.attachments import Attachments
from bridge.store.lrs.documents import Documents
from bridge.store.lrs.ledger import LrsLedger
from bridge.store.lrs.references import References
from bridge.store.lrs.unsent import Unsent


@dataclass(frozen=True, slots=True)
class LrsStores:
    """The ledger's statements, their references, those still to be sent, documents and attachments."""

    ledger: LrsLedger
    references: References
    unsent: Unsent
    documents: Documents
    attachments: Attachments

    @classmethod
    def over(cls, database: Database) -> LrsStores:
        """Build the stores over one database."""
        return cls(
            LrsLedger(database),
            References(database),
            Unsent(database),
            Documents(database),
            Attachments(database),
        )

    async def prepare(self) -> None:
        """Create every index; doing it again changes nothing."""
        for store in (self.ledger, self.references, self.documents, self.attachments):
            await store.prepare()
