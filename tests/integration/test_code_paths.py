"""How many files a reader opens to follow a use case: a completed statement, and a PATCH of an entry.

On the code before the nouns and corridors (fa22af40) this counts 36 and 27; docs/decisions/0028 says what became of it.
"""

from __future__ import annotations

import orjson
from aio_pika import Message

from tests.support.journey import Journey
from tests.support.paths import traced
from tests.support.portal import Portal, full_entry
from tests.support.statements import completed, member

STATEMENT = 20
"""Files that a statement without a trace context may enter, from the delivery to its acknowledgement."""
PATCH = 18
"""Files that a change of an entry may enter: what its route calls, without the middleware that every call has."""


async def test_a_completed_statement_enters_few_files(bridge: Journey) -> None:
    """A reader can follow a completion to the draft; the files are printed in their order."""
    await bridge.add_member("m-1", member())
    await bridge.send(completed(activity="course/before"))  # what is done once is done
    exchange = await bridge.channel.get_exchange(bridge.topology.statements, ensure=False)
    message = Message(orjson.dumps(completed()), correlation_id="followed")
    with traced("bridge/broker/deliveries.py") as trace:
        await exchange.publish(message, "statement.completed")
        [[outcome]] = await bridge.settled(["followed"])
    print(trace)  # noqa: T201 - for pytest -s: what to merge
    assert outcome.disposition == "recorded"
    assert {"bridge/broker/deliveries.py", "bridge/store/database.py"} <= trace.functions.keys()
    assert len(trace.functions) <= STATEMENT


async def test_a_change_of_an_entry_enters_few_files(portal: Portal) -> None:
    """A reader can follow a PATCH to its answer; the files are printed in their order."""
    browser = await portal.member()
    entry = await browser.post("/v1/log", full_entry())
    path = f"/v1/log/{entry['id']}"
    await browser.patch(path, {"title": "Before"})
    with traced("bridge/api/http/routing.py", "serve.<locals>.handle") as trace:
        answer = await browser.call("PATCH", path, {"title": "After"}, if_match="*")
    print(trace)  # noqa: T201 - for pytest -s: what to merge
    assert answer.status == 200
    assert {"bridge/api/log.py", "bridge/store/database.py"} <= trace.functions.keys()
    assert len(trace.functions) <= PATCH
