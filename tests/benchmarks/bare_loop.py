"""The bare loop to measure against: drain, decode, two bulk inserts, acknowledge; no rules (design.md, Speed)."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import orjson
import uvloop
from aio_pika.abc import AbstractIncomingMessage
from bson import Binary
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import WriteConcern

from bridge import wiring
from bridge.broker.connection import connection
from bridge.settings import load


async def run(total: int) -> None:
    """Take ``total`` statements off the queue and write each into two collections, in batches of what has arrived."""
    settings = load()
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(settings.mongo_url.get_secret_value())
    database = client.get_database(settings.mongo_database, write_concern=WriteConcern(w="majority", j=True))
    arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    async with connection(settings, "bare loop") as opened:
        channel = await opened.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=2 * settings.batch_size)
        await (await channel.get_queue(wiring.topology(settings).completions)).consume(arrived.put)
        done = 0
        while done < total:
            batch = [await arrived.get()]
            while len(batch) < settings.batch_size and not arrived.empty():
                batch.append(arrived.get_nowait())
            statements = [orjson.loads(message.body) for message in batch]
            raw = [
                {"_id": statement["id"], "raw": Binary(message.body)}
                for statement, message in zip(statements, batch, strict=True)
            ]
            entries = [
                {"_id": one["id"], "member_id": one["actor"]["account"]["name"], "title": one["object"]["id"]}
                for one in statements
            ]
            await asyncio.gather(
                database["bare_statements"].insert_many(raw, ordered=False),
                database["bare_entries"].insert_many(entries, ordered=False),
            )
            await batch[-1].ack(multiple=True)
            done += len(batch)
    client.close()


if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[1])))
