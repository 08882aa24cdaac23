"""RabbitMQ: the topology, the publisher and the dead letters."""

from bridge.broker.publisher import VIA, Outgoing, Publisher
from bridge.broker.topology import Topology, routing_key
