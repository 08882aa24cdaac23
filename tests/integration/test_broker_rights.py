"""The users of ``deploy/rabbitmq``, on the real broker: each can do what it must, and nothing beside it."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import AMQPError
from pydantic import SecretStr

from bridge import wiring
from bridge.broker.connection import connection
from bridge.broker.dead_letter_queue import RENEW_AT, DeadLetterQueue, LetterAction
from bridge.broker.publisher import Outgoing, publisher
from bridge.broker.topology import Topology
from bridge.errors import Unavailable
from bridge.settings import Settings
from deploy.dev.broker import PrivateNode
from deploy.dev.services import DevServices
from deploy.rabbitmq.definitions import definitions, users
from tests.support.commands import run
from tests.support.processes import worker_process
from tests.support.statements import completed, member
from tests.support.storage import storage

BROKER_NAMES = ("xapi.statements", "membership", "cpd.dead-letters", "cpd.events")
QUEUES = ("cpd.completions", "cpd.completions.dead", "cpd.members", "cpd.notices")
CHIEF = "chief"
KEYS = {"xapi.statements": "statement.completed", "membership": "member.upserted"}


@dataclass
class Imported:
    """A node with the definitions imported, and settings for any of its users."""

    node: PrivateNode
    passwords: dict[str, str]
    settings: Settings

    def of(self, user: str) -> Settings:
        """The settings with which this user's process runs."""
        port = urlsplit(self.node.url).port
        url = urlunsplit(("amqp", f"{user}:{self.passwords[user]}@127.0.0.1:{port}", "/cpd", "", ""))
        changes = {"amqp_url": SecretStr(url), "amqp_namespace": "", "amqp_declare": False}
        return self.settings.model_copy(update=changes)

    @property
    def declared(self) -> Topology:
        """What the code declares, where it may."""
        smtp = SecretStr("smtp://127.0.0.1")
        return wiring.topology(self.of(CHIEF).model_copy(update={"amqp_declare": True, "smtp_url": smtp}))

    async def can(self, user: str, act: Callable[[AbstractChannel], Awaitable[object]]) -> bool:
        """Whether the broker lets this user do it."""
        async with connection(self.of(user), "trial") as broker:
            channel = await broker.channel(publisher_confirms=True)
            try:
                await act(channel)
            except AMQPError as error:
                if "ACCESS_REFUSED" not in str(error):
                    raise
                return False
            return True


@pytest.fixture(scope="module")
def imported_users(
    dev_services: DevServices, tmp_path_factory: pytest.TempPathFactory
) -> Generator[tuple[PrivateNode, dict[str, str]]]:
    """The definitions on the session's own broker, with new passwords; the virtual host goes afterwards.

    ``CHIEF`` is an administrator of it.
    """
    if not isinstance(dev_services.broker, PrivateNode):
        pytest.skip("definitions are imported into a broker of the tests' own only")
    passwords = {user: secrets.token_urlsafe(12) for user in users()}
    document = definitions(passwords, mails=True)
    document["users"].append({**document["users"][0], "name": CHIEF})
    passwords[CHIEF] = passwords[document["users"][0]["name"]]
    document["permissions"].append({"user": CHIEF, "vhost": "cpd", "configure": ".*", "write": ".*", "read": ".*"})
    file = tmp_path_factory.mktemp("definitions") / "definitions.json"
    file.write_text(json.dumps(document))
    node = dev_services.broker
    node.control("import_definitions", file)
    yield node, passwords
    node.control("delete_vhost", "cpd")


@pytest.fixture
async def broker_users(imported_users: tuple[PrivateNode, dict[str, str]], settings: Settings) -> Imported:
    """The users over queues with nothing in them."""
    users_of_node = Imported(*imported_users, settings)
    async with connection(users_of_node.of(CHIEF), "emptying") as broker:
        channel = await broker.channel()
        for name in QUEUES:
            await (await channel.get_queue(name)).purge()
    return users_of_node


def publish(exchange: str, key: str) -> Callable[[AbstractChannel], Awaitable[object]]:
    """Publish one message there."""

    async def act(channel: AbstractChannel) -> None:
        await (await channel.get_exchange(exchange, ensure=False)).publish(
            aio_pika.Message(b"{}"), key, mandatory=False
        )

    return act


def take(queue: str) -> Callable[[AbstractChannel], Awaitable[object]]:
    """Ask for one message of that queue."""

    async def act(channel: AbstractChannel) -> None:
        await (await channel.get_queue(queue, ensure=False)).get(fail=False)

    return act


def declare(queue: str) -> Callable[[AbstractChannel], Awaitable[object]]:
    """Declare that queue, as it is."""
    return lambda channel: channel.declare_queue(queue, durable=True)


def purge(queue: str) -> Callable[[AbstractChannel], Awaitable[object]]:
    """Empty that queue."""

    async def act(channel: AbstractChannel) -> None:
        await (await channel.get_queue(queue, ensure=False)).purge()

    return act


def delete(queue: str) -> Callable[[AbstractChannel], Awaitable[object]]:
    """Delete that queue."""
    return lambda channel: channel.queue_delete(queue)


MAY_PUBLISH = {
    "cpd-worker": {"cpd.dead-letters", "cpd.events"},
    "cpd-api": set(BROKER_NAMES),  # a replay puts a letter back where it came from
    "cpd-scaler": set[str](),
    "learning-centre": {"xapi.statements"},
    "membership": {"membership"},
}
MAY_TAKE = {
    "cpd-worker": set(QUEUES),  # an erasure that was broken off discards letters
    "cpd-api": {"cpd.completions.dead"},
    "cpd-scaler": set[str](),
    "learning-centre": set[str](),
    "membership": set[str](),
}


async def test_each_user_may_do_what_it_must_and_nothing_else(broker_users: Imported) -> None:
    """Publishing, taking, purging, declaring and deleting, tried by every user on every name."""
    for user in users():
        publishes = {
            name for name in BROKER_NAMES if await broker_users.can(user, publish(name, KEYS.get(name, "any")))
        }
        takes = {name for name in QUEUES if await broker_users.can(user, take(name))}
        assert (publishes, takes) == (MAY_PUBLISH[user], MAY_TAKE[user]), user
        for name in QUEUES:
            assert not await broker_users.can(user, declare(name)), (user, name)
            assert not await broker_users.can(user, delete(name)), (user, name)
        assert not await broker_users.can(user, publish("amq.topic", "any"))
        assert (
            not await broker_users.can(user, purge("cpd.completions")) or user == "cpd-worker"
        )  # RabbitMQ: read purges


async def test_publishers_are_held_to_their_routing_keys(broker_users: Imported) -> None:
    """The Learning centre cannot send member changes under a statement's exchange, nor the other way round."""
    assert not await broker_users.can("learning-centre", publish("xapi.statements", "member.upserted"))
    assert not await broker_users.can("membership", publish("membership", "statement.completed"))


async def test_definitions_are_what_the_service_declares(broker_users: Imported) -> None:
    """Declared by the code, as an administrator, the imported names fit, and nothing new appears."""
    before = _listed(broker_users.node)
    async with connection(broker_users.of(CHIEF), "declaring") as broker:
        await broker_users.declared.declare(await broker.channel())
    assert _listed(broker_users.node) == before


def _listed(node: PrivateNode) -> list[str]:
    export = json.loads(node.control("-q", "export_definitions", "-"))
    parts = ("queues", "exchanges", "bindings")
    return sorted(json.dumps(row, sort_keys=True) for part in parts for row in export[part] if row["vhost"] == "cpd")


async def test_the_whole_service_works_with_these_rights(broker_users: Imported, tmp_path: Path) -> None:
    """Worker and dead-letter tools as real processes: a draft, an event, a dead letter listed and discarded."""
    worker, api = broker_users.of("cpd-worker"), broker_users.of("cpd-api")
    async with wiring.services(api) as services:
        await services.stores.prepare()
        process = worker_process(worker, tmp_path)
        await asyncio.to_thread(process.start)
        try:
            await _publish(broker_users.of("membership"), "membership", "member.upserted", _feed())
            async with asyncio.timeout(30):
                while await services.stores.members.get("m-1") is None:
                    await asyncio.sleep(0.05)
            statement = completed()
            await _publish(broker_users.of("learning-centre"), "xapi.statements", "statement.completed", statement)
            await _publish(broker_users.of("learning-centre"), "xapi.statements", "statement.completed", {"verb": 7})
            letters = DeadLetterQueue(api, wiring.topology(api))
            entries = storage(services).log_entries
            async with asyncio.timeout(60):
                while not await entries.has({"member_id": "m-1"}) or await letters.depth() < 1:
                    await asyncio.sleep(0.05)
                while (await services.stores.outbox.lag()).count:
                    await asyncio.sleep(0.05)
            code, out, err = await run(api, "dead-letters", "list")
            assert (code, out.startswith("1 dead letter\n")) == (0, True), err
            code, _, err = await run(api, "dead-letters", "discard", "--reason", "invalid_statement", "--yes")
            assert code == 0, err
        finally:
            await asyncio.to_thread(process.stop)


async def test_letters_are_renewed_with_the_right_to_the_exchange_alone(broker_users: Imported) -> None:
    """Passes over a letter spend no delivery too many, though the user may not write to queues by name."""
    await _publish(broker_users.of("cpd-worker"), "cpd.dead-letters", "not_json", {"n": 1})
    queue = DeadLetterQueue(broker_users.of("cpd-api"), wiring.topology(broker_users.of("cpd-api")))

    async def keep(_letter: object) -> LetterAction:
        return LetterAction.KEEP

    for _ in range(RENEW_AT + 2):
        await queue.scan(keep)
    assert await queue.depth() == 1


async def test_a_missing_queue_is_said_so(broker_users: Imported) -> None:
    """Without the right to declare, what is not there is told with its remedy, and nothing is made."""
    async with connection(broker_users.of(CHIEF), "deleting") as broker:
        channel = await broker.channel()
        await channel.queue_delete("cpd.members")
        with pytest.raises(Unavailable, match=r"deploy/rabbitmq/definitions\.json"):
            async with publisher(broker_users.of("cpd-worker"), "trial") as out:
                await out.declare(wiring.topology(broker_users.of("cpd-worker")))
        await broker_users.declared.declare(channel)


def test_the_command_prints_definitions_without_passwords(tmp_path: Path) -> None:
    """Each user's password comes from its file and leaves as a salted hash; without mail there is no queue for it."""
    for user in users():
        (tmp_path / user).write_text(f"{user} is secret\n")
    argv = [sys.executable, "-m", "deploy.rabbitmq.definitions", str(tmp_path)]
    output = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert "secret" not in output
    assert all(len(user["password_hash"]) == 48 for user in json.loads(output)["users"])
    assert "cpd.notices" not in [queue["name"] for queue in json.loads(output)["queues"]]
    (tmp_path / "cpd-api").unlink()
    failed = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "cpd-api cannot be read" in failed.stderr


def _feed() -> dict[str, object]:
    return {"member_id": "m-1", "revision": 1, **member()}


async def _publish(settings: Settings, exchange: str, key: str, body: object) -> None:
    async with publisher(settings, "trial") as out:
        await out.publish([Outgoing(exchange, key, json.dumps(body).encode(), correlation_id="c-1")], mandatory=False)
