"""The console script's commands, run as processes."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import orjson
import pytest
from pydantic import SecretStr

from bridge import wiring
from bridge.broker.publisher import Outgoing, publisher
from bridge.services.lrs.credentials import Credentials
from bridge.services.lrs.credentials import load as load_credentials
from bridge.settings import Settings, load
from tests.support.commands import run, run_here
from tests.support.journey import Journey
from tests.support.processes import worker_process
from tests.support.statements import completed, member
from tests.support.storage import storage


@pytest.mark.parametrize(
    "arguments",
    [
        ["pull", "--endpoint", "http://127.0.0.1:9"],
        ["pull", "--endpoint", "http://127.0.0.1:9", "--user", "k", "--password-file", __file__, "--verb", "passed"],
        ["pull", "--endpoint", "http://127.0.0.1:9", "--user", "k", "--password-file", __file__, "--verb", "nonsense"],
        ["pull", "--endpoint", "http://127.0.0.1:9", "--user", "k", "--password-file", __file__, "--version", "0.9"],
        ["emit"],
        ["emit", "--actor", "sam", "--activity", "https://learning.example.org/course/1"],
        ["dead-letters", "discard", "--yes"],
        ["dead-letters", "replay"],
        ["dead-letters", "list", "--older-than", "soon"],
    ],
)
def test_wrong_usage_exits_with_two(arguments: list[str]) -> None:
    """What cannot be meant is refused before anything is done."""
    code, out, err = run_here(load(), *arguments)
    assert (code, out, "Error" in err) == (2, "", True)


async def test_the_dead_letter_commands(bridge: Journey) -> None:
    """List, show, replay and discard from the command line, with exit codes that tell."""
    bad = orjson.dumps({**completed(actor={"mbox": "mailto:sam@example.org"}), "verb": {"id": "completed"}})
    await bridge.settled(await bridge.publish([bad]))
    code, out, err = await run(bridge.settings, "dead-letters", "list", "--json")
    letter = orjson.loads(out)
    assert (code, letter["reason"]) == (0, "invalid_statement"), err
    code, out, _ = await run(bridge.settings, "dead-letters", "list")
    assert (code, f"\n{letter['id']}  invalid_statement  " in out) == (0, True)
    code, out, _ = await run(bridge.settings, "dead-letters", "show", letter["id"])
    assert (code, orjson.loads(out)["shown"], "sam@" in out) == (0, "masked", False)
    code, out, err = await run(bridge.settings, "dead-letters", "show", letter["id"], "--reveal")
    assert (code, orjson.loads(out)["body"], '"access noted"' in err) == (0, orjson.loads(bad), True)
    assert "sam@" not in err
    code, out, err = await run(bridge.settings, "dead-letters", "discard", letter["id"], "--yes")
    assert (code, out) == (0, "0 replayed, 1 discarded.\n"), err
    code, _, err = await run(bridge.settings, "dead-letters", "replay", letter["id"])
    assert (code, "no such dead letter" in err) == (1, True)


async def test_emit_makes_a_statement_of_a_few_facts(bridge: Journey) -> None:
    """Actor, activity and name become a completed statement that is recorded."""
    await bridge.add_member("m-1", member())
    options = ["--actor", "https://learning.example.org#1001", "--activity", "https://learning.example.org/course/1"]
    code, out, err = await run(bridge.settings, "emit", "--json", *options, "--name", "Working with grief")
    assert code == 0, err
    ((outcome,),) = await bridge.settled([orjson.loads(out)["correlation_id"]])
    assert (outcome.disposition.value, outcome.member_id) == ("recorded", "m-1")


async def test_emit_says_what_no_queue_takes(bridge: Journey, tmp_path: Path) -> None:
    """A verb that is not wanted is named, and the other statement of the file is taken."""
    verbs = (f"http://adlnet.gov/expapi/verbs/{name}" for name in ("launched", "completed"))
    statements = [{**completed(), "id": str(uuid.uuid4()), "verb": {"id": verb}} for verb in verbs]
    (tmp_path / "two.json").write_bytes(orjson.dumps(statements))
    code, out, err = await run(bridge.settings, "emit", "--json", str(tmp_path / "two.json"))
    assert (code, err.count("No queue takes"), "statement.launched: is its verb" in err) == (0, 1, True), err
    await bridge.settled([orjson.loads(out.splitlines()[1])["correlation_id"]])


@pytest.mark.parametrize(
    ("arguments", "field", "url", "words"),
    [
        (["emit"], "amqp_url", "amqp://guest:wrong@{broker}/", "(login refused; is BRIDGE_AMQP_URL right?)"),
        (["emit"], "amqp_url", "amqp://guest:guest@{broker}/none", "(virtual host refused; is BRIDGE_AMQP_URL right?)"),
        (["emit"], "amqp_url", "amqp://guest:guest@127.0.0.1:9/", "(no answer; is BRIDGE_AMQP_URL right?)"),
        (["dead-letters", "list"], "mongo_url", "mongodb://127.0.0.1:9", "(no answer; is BRIDGE_MONGO_URL right?)"),
    ],
)
def test_what_cannot_be_reached_is_said_with_its_setting(
    settings: Settings, tmp_path: Path, arguments: list[str], field: str, url: str, words: str
) -> None:
    """A wrong password, a wrong virtual host and a wrong address can be told apart."""
    broker = settings.amqp_url.get_secret_value().rpartition("@")[2].rstrip("/")
    elsewhere = {field: SecretStr(url.format(broker=broker)), "mongo_timeout": 0.2}
    (tmp_path / "one.json").write_bytes(orjson.dumps(completed()))
    files = [str(tmp_path / "one.json")] if arguments == ["emit"] else []
    code, _, err = run_here(settings.model_copy(update=elsewhere), *arguments, *files)
    assert (code, words in err) == (1, True), err


async def test_the_worker_process_does_it_all(settings: Settings, tmp_path: Path) -> None:
    """One worker takes members and statements, publishes events and mirrors dead letters, and stops when told."""
    topology = wiring.topology(settings)
    worker = worker_process(settings, tmp_path)
    async with wiring.services(settings) as services, publisher(settings, "test") as out:
        await services.stores.prepare()
        await out.declare(topology)
        await asyncio.to_thread(worker.start)
        upsert = orjson.dumps({**member(), "member_id": "m-1", "revision": 1})
        await out.publish(
            [
                Outgoing(topology.membership, "member.upserted", upsert),
                Outgoing(topology.statements, "statement.completed", orjson.dumps(completed())),
                Outgoing(topology.statements, "statement.completed", b"not json"),
            ]
        )
        async with asyncio.timeout(60):
            while await services.stores.dead_letters.count() < 1 or not await _told(services):
                await asyncio.sleep(0.05)
        await asyncio.to_thread(worker.stop)
        assert (await services.stores.outbox.lag()).count == 0


async def _told(services: wiring.Services) -> bool:
    """Whether the draft was made and all that is to be told of it has been."""
    entry_count = await storage(services).log_entries.count()
    return entry_count == 1 and (await services.stores.outbox.lag()).count == 0


async def test_a_credential_that_is_made_opens_the_lrs(settings: Settings, tmp_path: Path) -> None:
    """The entry has a hash that the printed secret fits, the default scope is the least; a bad key or scope is told."""
    code, out, err = await run(settings, "lrs-credential", "storyline", "--home-page", "https://cpd.example.org")
    assert code == 0, err
    (tmp_path / "lrs.json").write_bytes(orjson.dumps([orjson.loads(out)]))
    credentials = Credentials(load_credentials(tmp_path / "lrs.json"))
    credential = await credentials.verify("storyline", err.split()[-1])
    assert (credential.scopes, err.split()[-1] in out) == ({"statements/write"}, False)
    code, _, err = await run(settings, "lrs-credential", "a:b", "--home-page", "https://x.example", "--scope", "write")
    assert (code, "key: " in err, "scopes/0: " in err) == (2, True, True)
