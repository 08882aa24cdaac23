"""The floor to measure the worker against: the same writes, without the rules (design.md, Speed).

It takes statements off the same queue and writes the same documents to the same indexes in the same transactions, the
members touched first, and publishes the same events. It validates, reads and decides nothing: each document is a copy
of what the product made of a first statement, with the ids and the merge key of this one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo import WriteConcern
from pymongo.read_concern import ReadConcern

from bridge import wiring
from bridge.broker.connection import connection
from bridge.broker.publisher import Outgoing, Publisher, publisher
from bridge.domain.events import EVENT_MEDIA_TYPE, cloud_event
from bridge.domain.statements.ledger import arrival
from bridge.runtime import run
from bridge.serve import stop_signal
from bridge.settings import Settings, load
from consumers.events import AT_ONCE, REST, SHORTEST
from tests.support.statements import completed

Document = dict[str, Any]
Database = AsyncIOMotorDatabase[Document]

DURABLE = WriteConcern(w="majority", j=True)
COLLECTIONS = ("log_entries", "statements", "outbox")


@dataclass(frozen=True)
class Templates:
    """The documents that a statement makes, and the event that is published of it."""

    entry: Document
    row: Document
    event: Document
    body: Document

    def documents(self, statement_id: str, member_id: str, activity: str, raw: bytes) -> list[Document]:
        """Return the documents of a statement, in the order of ``COLLECTIONS``."""
        keys = {"_id": statement_id, "member_id": member_id}
        provenance = {**self.entry["provenance"], "statement_ids": [statement_id]}
        data = {"entry_id": statement_id, "statement_id": statement_id}
        return [
            {**self.entry, **keys, "merge_keys": [f"day:2026-05-04:{activity}"], "provenance": provenance},
            {**self.row, **keys, "entry_id": statement_id, "raw": raw},
            {**self.event, "_id": f"log.drafted:{statement_id}", "member_id": member_id, "data": data},
        ]

    def message(self, event: Document, exchange: str) -> Outgoing:
        """Return the message of an event."""
        body = {**self.body, "id": event["_id"], "subject": event["member_id"], "data": event["data"]}
        return Outgoing(
            exchange, event["type"], orjson.dumps(body), message_id=event["_id"], content_type=EVENT_MEDIA_TYPE
        )


async def templates(settings: Settings) -> Templates:
    """Record a statement as the product does, and take what it wrote."""
    statement = completed("0", "the/floor's/own")
    raw = orjson.dumps(statement)
    async with wiring.services(settings) as services:
        database = services.stores.database.raw
        await services.recording.record([arrival(statement, raw, datetime.now(UTC), services.recording.rules)])
        entry, row, event = [await database[name].find_one({"member_id": "m-0"}) for name in COLLECTIONS]
        (outbox_event,) = await services.stores.outbox.pending(1)
        assert entry
        assert row
        assert event
        for name in COLLECTIONS:
            await database[name].delete_many({"member_id": "m-0"})
    return Templates(entry, row, event, cloud_event(outbox_event, "urn:floor"))


async def write(database: Database, templates: Templates, messages: Sequence[AbstractIncomingMessage]) -> None:
    """Write what a batch makes, in one transaction."""
    touch_counts: Counter[str] = Counter()
    documents: list[list[Document]] = []
    for message in messages:
        statement = orjson.loads(message.body)
        member_id = f"m-{statement['actor']['account']['name']}"
        touch_counts[member_id] += 1
        documents.append(templates.documents(statement["id"], member_id, statement["object"]["id"], message.body))
    groups: dict[int, list[str]] = {}
    for member_id, drafts in touch_counts.items():
        groups.setdefault(drafts, []).append(member_id)
    async with (
        await database.client.start_session() as session,
        session.start_transaction(read_concern=ReadConcern("snapshot"), write_concern=DURABLE),
    ):
        for drafts, member_ids in groups.items():
            change = {"$inc": {"acts": 1, "numbers.log": drafts}}
            await database["members"].update_many({"_id": {"$in": member_ids}}, change, session=session)
        for name, together in zip(COLLECTIONS, zip(*documents, strict=True), strict=True):
            await database[name].insert_many(list(together), session=session)


async def record(settings: Settings, database: Database, templates: Templates, channel: AbstractChannel) -> None:
    """Take batches of what has arrived, write each and acknowledge it."""
    messages: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    await channel.set_qos(prefetch_count=2 * settings.batch_size)
    await (await channel.get_queue(wiring.topology(settings).completions)).consume(messages.put)
    while True:
        batch = [await messages.get()]
        while len(batch) < settings.batch_size and not messages.empty():
            batch.append(messages.get_nowait())
        await write(database, templates, batch)
        await batch[-1].ack(multiple=True)


async def relay(settings: Settings, database: Database, templates: Templates, publisher: Publisher) -> None:
    """Publish what the outbox holds and remove it, at the worker's pace."""
    exchange = wiring.topology(settings).events
    outbox = database["outbox"]
    while True:
        start = asyncio.get_running_loop().time()
        cursor = outbox.find({"member_id": {"$gt": ""}}).sort([("member_id", 1), ("act", 1), ("n", 1)]).limit(AT_ONCE)
        events = [event async for event in cursor]
        if events:
            await publisher.publish([templates.message(event, exchange) for event in events], mandatory=False)
            await outbox.delete_many({"_id": {"$in": [event["_id"] for event in events]}})
        await asyncio.sleep(max(SHORTEST, REST * (asyncio.get_running_loop().time() - start)))


async def work() -> None:
    """Work until SIGTERM."""
    settings = load()
    copies = await templates(settings)
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(settings.mongo_url.get_secret_value(), tz_aware=True)
    database = client.get_database(settings.mongo_database, write_concern=DURABLE)
    async with connection(settings, "floor") as incoming, publisher(settings, "floor out") as out:
        channel = await incoming.channel(publisher_confirms=False)
        tasks = [
            asyncio.create_task(record(settings, database, copies, channel)),
            asyncio.create_task(relay(settings, database, copies, out)),
        ]
        stopping = asyncio.create_task(stop_signal())
        await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
            task.cancel()
    client.close()


if __name__ == "__main__":
    run(work())
