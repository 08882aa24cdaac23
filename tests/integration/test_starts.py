"""What keeps a process from its start is said in a line that names the setting, with exit code 2."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from bridge import wiring
from bridge.broker.connection import connection, ping
from bridge.errors import SettingsError, Unavailable
from bridge.settings import Settings, load
from tests.support.processes import CLI, environment_of


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mongo_url", "127.0.0.1:27017"),
        ("amqp_url", "rabbitmq"),
        ("catalogue_prefixes", "https://learning.example.org/,learning.example.org/"),
        ("catalogue_types", "course"),
    ],
)
def test_an_address_without_its_scheme_is_refused(name: str, value: str) -> None:
    """A server that no client could reach, and a prefix that no activity (an IRI, xAPI 1.0.3 §2.4.4) begins with."""
    with pytest.raises(SettingsError, match=f"BRIDGE_{name.upper()}: .*(begin|scheme)"):
        load(**{name: value})


@pytest.mark.parametrize(("command", "setting"), [("api", "BRIDGE_HTTP_PORT"), ("worker", "BRIDGE_METRICS_PORT")])
def test_a_port_that_is_taken_is_named_with_its_setting(command: str, setting: str, settings: Settings) -> None:
    """Not a traceback: the port, why, and which setting chooses another."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        environment = {**environment_of(settings), setting: port}
        process = subprocess.run(
            [CLI, command], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    last_line = process.stderr.splitlines()[-1]
    assert (process.returncode, "Traceback" in process.stderr) == (2, False), process.stderr
    assert f"port {port}" in last_line
    assert setting in last_line


def test_a_recipient_that_is_no_key_is_named(settings: Settings, tmp_path: Path) -> None:
    """A backup for nobody is not begun."""
    environment = {**environment_of(settings), "BRIDGE_BACKUP_RECIPIENTS": "age1nobody"}
    process = subprocess.run(
        [CLI, "backup", str(tmp_path / "cpd.age")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (process.returncode, "BRIDGE_BACKUP_RECIPIENTS" in process.stderr, "Traceback" in process.stderr) == (
        2,
        True,
        False,
    )
    assert list(tmp_path.iterdir()) == []


async def test_what_keeps_the_broker_away_is_named(settings: Settings) -> None:
    """A wrong user, and the first exchange that is not there, for logs and readiness."""
    server = urlsplit(settings.amqp_url.get_secret_value())
    wrong_url = server._replace(netloc=f"nobody:wrong@{server.hostname}:{server.port}").geturl()
    with pytest.raises(Unavailable) as refusal:
        await ping(settings.model_copy(update={"amqp_url": SecretStr(wrong_url)}))
    assert refusal.value.why == "login refused"
    topology = wiring.topology(settings.model_copy(update={"amqp_declare": False}))
    async with connection(settings, "test") as broker:
        channel = await broker.channel()
        with pytest.raises(Unavailable) as refusal:
            await topology.declare(channel)
    assert refusal.value.why == f"no exchange {topology.exchanges[0][0]}"
