"""Topologies of tests that share a broker."""

from __future__ import annotations

from aio_pika.abc import AbstractChannel

from bridge.broker.topology import Topology


async def delete_topology(topology: Topology, channel: AbstractChannel) -> None:
    """Delete every exchange and queue, with what is in it."""
    for queue in (topology.completions, topology.dead_queue, topology.members, topology.notices):
        await channel.queue_delete(queue)
    for exchange, _ in topology.exchanges:
        await channel.exchange_delete(exchange)
