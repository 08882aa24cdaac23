"""The services of the LRS, built together."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.broker.topology import Topology
from bridge.services.lrs.credentials import Credentials
from bridge.services.lrs.documents import LrsDocuments
from bridge.services.lrs.relay import Relay
from bridge.services.lrs.statements import LrsStatements
from bridge.services.lrs.timestamps import Clock
from bridge.settings import Settings
from bridge.store.lrs.attachments import Attachments
from bridge.store.lrs.stores import LrsStores
from bridge.store.privacy.erasures import Erasures


@dataclass(frozen=True, slots=True)
class LrsServices:
    """What the LRS's HTTP is made of, and ``relay``, which is to run beside it."""

    statements: LrsStatements
    documents: LrsDocuments
    attachments: Attachments
    credentials: Credentials
    clock: Clock
    relay: Relay

    @classmethod
    def over(
        cls, stores: LrsStores, erasures: Erasures, credentials: Credentials, settings: Settings, topology: Topology
    ) -> LrsServices:
        """Build the services over the stores."""
        clock = Clock()
        relay = Relay(stores.statements, stores.unsent, settings, topology)
        statements = LrsStatements(stores.statements, erasures, clock, relay)
        return cls(statements, LrsDocuments(stores.documents), stores.attachments, credentials, clock, relay)
