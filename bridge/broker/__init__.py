"""RabbitMQ: the topology, the publisher and the dead letters."""

# What is imported here is what the package gives.
# pyright: reportUnusedImport=false

from __future__ import annotations

from bridge.broker.publisher import VIA, Outgoing, Publisher
from bridge.broker.topology import Topology, routing_key
