"""Dead letters over HTTP: shown masked, revealed with a note, replayed and discarded; the queues and the parked."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from bridge import wiring
from bridge.services.operations.dead_letters import Operations
from bridge.settings import Settings
from tests.integration.dead_letters.letters import bad, ids
from tests.support.calls import Calls, calls
from tests.support.journey import Journey
from tests.support.statements import account, completed, member


async def test_the_api_shows_masked_and_notes_who_reveals(bridge: Journey, ops: Operations, call: Calls) -> None:
    """Names and addresses leave only with reveal=true, and then the member's access log says who looked (R64)."""
    actor = {"name": "Sam Example", "mbox": "mailto:sam@example.org"}
    await bridge.add_member("m-sam", member(identifiers=[{"mbox": "mailto:sam@example.org"}]))
    statement = completed(actor=actor, surprise="dear diary")
    await bridge.send(statement)
    _, page = await call("GET", "/v1/ops/dead-letters")
    (row,) = page["items"]
    assert (page["total"], row["reason"], "body" in row) == (1, "invalid_statement", False)
    status, answer = await call("GET", f"/v1/ops/dead-letters/{row['id']}")
    assert (status, answer["shown"]) == (200, "masked")
    assert answer["body"]["verb"]["id"] == statement["verb"]["id"]
    assert answer["body"]["actor"] == {"name": "•••", "mbox": "•••"}
    assert not any(secret in str(answer) for secret in ("Sam", "sam@", "diary", "Working with grief"))
    with capture_logs() as lines:
        _, full_letter = await call("GET", f"/v1/ops/dead-letters/{row['id']}?reveal=true")
    assert (full_letter["shown"], full_letter["body"]) == ("revealed", statement)
    (access_row,) = (await bridge.services.access.history("m-sam", 10, None)).items
    assert (access_row["right"], access_row["parts"]) == ({"kind": "operations", "id": row["id"]}, ["dead_letter"])
    assert "the operations team read a message about what you completed" in access_row["text"]
    assert "sam@" not in str(lines)


@pytest.mark.parametrize(("levels", "body_text"), [(190, "masked"), (300, "unreadable"), (900, "unreadable")])
async def test_a_deep_letter_is_shown(
    bridge: Journey, ops: Operations, call: Calls, levels: int, body_text: str
) -> None:
    """What is nested too deep to be shown masked is told to be unreadable; revealed, it is the text that it is."""
    text = '{"a":' * levels + "1" + "}" * levels
    await bridge.settled(await bridge.publish([text.encode()]))
    (letter_id,) = await ids(ops)
    status, answer = await call("GET", f"/v1/ops/dead-letters/{letter_id}")
    assert (status, answer["shown"]) == (200, body_text)
    status, answer = await call("GET", f"/v1/ops/dead-letters/{letter_id}?reveal=true")
    assert (status, answer["body"] == text) == (200, body_text == "unreadable")


async def test_a_reveal_is_noted_for_whom_it_is_about_now(bridge: Journey, ops: Operations, call: Calls) -> None:
    """An identifier that another member has since leads to the other's access log."""
    await bridge.add_member("m-old", member("77"))
    await bridge.send({**completed("77"), "surprise": 1})
    (letter_id,) = await ids(ops)
    await call("GET", f"/v1/ops/dead-letters/{letter_id}?reveal=true")
    await bridge.add_member("m-old", member("78"))
    await bridge.add_member("m-new", member("77"))
    await call("GET", f"/v1/ops/dead-letters/{letter_id}?reveal=true")
    history = bridge.services.access.history
    assert [(await history(member_id, 10, None)).total for member_id in ("m-old", "m-new")] == [1, 1]


async def test_the_api_replays_and_discards(bridge: Journey, ops: Operations, call: Calls) -> None:
    """By id and by filter; a letter that is gone is missing; nothing chosen is a mistake; others may not."""
    await bad(bridge, 4)
    first, second, *_ = await ids(ops)
    status, body = await call("POST", f"/v1/ops/dead-letters/{first}/discard")
    assert (status, body["discarded"]) == (200, 1)
    assert (await call("POST", f"/v1/ops/dead-letters/{first}/discard"))[1]["missing"] == [first]
    assert (await call("GET", f"/v1/ops/dead-letters/{first}"))[0] == 404
    assert (await call("POST", f"/v1/ops/dead-letters/{second}/replay"))[1]["replayed"] == 1
    status, problem = await call("POST", "/v1/ops/dead-letters/discard", {})
    assert (status, "all: true" in problem["errors"][0]["message"]) == (422, True)
    _, body = await call("POST", "/v1/ops/dead-letters/discard", {"reason": "invalid_statement", "younger_than": "1h"})
    assert body["discarded"] >= 2
    assert (await call.by("m-1", "member")("GET", "/v1/ops/dead-letters"))[0] == 403


async def test_pages_of_letters_neither_repeat_nor_skip(bridge: Journey, ops: Operations, call: Calls) -> None:
    """All pages together hold every letter once, in both directions."""
    await bad(bridge, 7)
    all_ids = await ids(ops)
    for sort, expected in (("failed_at", all_ids), ("-failed_at", all_ids[::-1])):
        letter_ids: list[str] = []
        cursor = ""
        while True:
            _, page = await call("GET", f"/v1/ops/dead-letters?limit=3&sort={quote(sort)}{cursor}")
            letter_ids += [row["id"] for row in page["items"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert letter_ids == expected


async def test_the_queues_and_the_parked_are_told(bridge: Journey, ops: Operations, call: Calls) -> None:
    """Depth, consumers and age of each queue, and what is parked without whose name it carries."""
    await bridge.send(completed(actor=account("nobody")), completed(actor={"mbox": "mailto:no@example.org"}))
    await bad(bridge, 2)
    assert len(await ids(ops)) == 2
    _, body = await call("GET", "/v1/ops/queues")
    queues = {row["name"]: row for row in body["items"]}
    assert (queues["dead_letters"]["depth"], queues["completions"]["consumers"]) == (2, 1)
    assert queues["dead_letters"]["oldest_age"] < 60
    assert (queues["parked"]["depth"], body["dead_letters_by_reason"]) == (2, {"invalid_statement": 2})
    _, first = await call("GET", "/v1/ops/parked?limit=1")
    _, rest = await call("GET", f"/v1/ops/parked?limit=1&cursor={first['next']}")
    kinds = {row["identifier"] for row in (*first["items"], *rest["items"])}
    assert (kinds, first["total"], rest["next"]) == ({"mbox", "account"}, 2, None)
    assert "no@example.org" not in str((first, rest))


async def test_without_a_broker_operations_are_unavailable(settings: Settings) -> None:
    """A broker that does not answer is 503, not an empty list."""
    nowhere = settings.model_copy(update={"amqp_url": type(settings.amqp_url)("amqp://guest:guest@127.0.0.1:9/")})
    async with wiring.services(nowhere) as services, calls(nowhere, services) as call:
        assert (await call("GET", "/v1/ops/dead-letters"))[0] == 503
        assert (await call("GET", "/v1/ops/queues"))[0] == 503
