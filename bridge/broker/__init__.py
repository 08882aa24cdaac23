"""RabbitMQ: the topology, the publisher and the dead letters."""

from __future__ import annotations

from bridge.broker.publisher import VIA, Outgoing, Publisher
from bridge.broker.topology import Topology, routing_key

__all__ = ["VIA", "Outgoing", "Publisher", "Topology", "routing_key"]
