"""The development services: they start, come back after a kill with their data, say why they fail, leave nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from pymongo import MongoClient

from bridge.tokens import dev_token
from deploy.dev import apt
from deploy.dev import services as services_module
from deploy.dev.client import call
from deploy.dev.mongo import Embedded
from deploy.dev.ports import free_port, is_open, speaks_amqp
from deploy.dev.processes import Process, ProcessFailed
from deploy.dev.service import ServiceMissing
from deploy.dev.services import DevServices, locked, services
from tests.support.code import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

CLI = Path(sys.executable).parent / "cpd-bridge"
ENDED_WITHIN = 30.0  # seconds that children of a killed parent may take
PARENT = """
import sys, time
from pathlib import Path
from deploy.dev.services import services
with services(Path(sys.argv[1]), private=True) as running:
    print(running.amqp_url, flush=True)
    time.sleep(600)
"""


def processes_naming(*texts: str) -> list[int]:
    """The ids of processes with all of ``texts`` in their arguments or environment, but for this one."""
    processes = {int(process.name): _known_of(process) for process in Path("/proc").glob("[0-9]*")}
    return [pid for pid, words in processes.items() if pid != os.getpid() and all(text in words for text in texts)]


def _known_of(process: Path) -> str:
    try:
        return "".join((process / part).read_bytes().decode("utf-8", "replace") for part in ("cmdline", "environ"))
    except OSError:  # it has ended since, or is a zombie
        return ""


def program(tmp_path: Path, script: str, **options: Any) -> Process:
    """A Python program under a keeper, its log in ``tmp_path``."""
    return Process("the program", [sys.executable, "-c", script], tmp_path / "program.log", os.environ, **options)


@pytest.fixture(scope="module")
def dev_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServices]:
    """Private services for this module."""
    with services(tmp_path_factory.mktemp("services"), private=True) as servers:
        yield servers


async def test_a_killed_broker_comes_back_with_its_durable_messages(dev_services: DevServices) -> None:
    """After SIGKILL and a start, the same address serves what was confirmed before."""
    async with await aio_pika.connect(dev_services.amqp_url) as connection, connection.channel() as channel:
        await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(b"still here", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "kept")
        dev_services.broker.kill()
    assert not speaks_amqp(dev_services.amqp_url)
    dev_services.broker.start()
    async with await aio_pika.connect(dev_services.amqp_url) as connection, connection.channel() as channel:
        queue = await channel.get_queue("kept")
        durable_message = await queue.get()
        assert durable_message.body == b"still here"


def test_a_killed_store_comes_back_with_what_it_acknowledged(dev_services: DevServices) -> None:
    """After SIGKILL and a start, the same address serves what was written with a majority and a journal."""
    with MongoClient[dict[str, Any]](dev_services.mongo_url, w="majority", journal=True) as client:
        client["trial"]["kept"].insert_one({"_id": 1})
        dev_services.mongo.kill()
        assert isinstance(dev_services.mongo, Embedded)
        assert not is_open(dev_services.mongo.port)
        dev_services.mongo.start()
        assert client["trial"]["kept"].find_one() == {"_id": 1}


def test_services_leave_no_process(tmp_path: Path) -> None:
    """When the block ends, no process of theirs is left, and the same data can be opened again at once."""
    for _ in range(2):
        with services(tmp_path, private=True) as servers:
            assert len(processes_naming(str(tmp_path))) >= 3
            assert speaks_amqp(servers.amqp_url)
        assert processes_naming(str(tmp_path)) == []


def test_a_parent_killed_with_9_leaves_no_process(tmp_path: Path) -> None:
    """The children of a parent that is killed end by themselves, and give their data's lock back."""
    with subprocess.Popen([sys.executable, "-c", PARENT, tmp_path], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert speaks_amqp(parent.stdout.readline().strip())
        parent.kill()
    deadline = time.monotonic() + ENDED_WITHIN
    while processes_naming(str(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.1)  # they are nobody's children: their end cannot be awaited
    assert processes_naming(str(tmp_path)) == []
    with locked(tmp_path):
        pass


def test_a_grandchild_in_a_session_of_its_own_is_ended_too(tmp_path: Path) -> None:
    """A program that starts a daemon does not leave it behind."""
    mark = f"daemon-of-{tmp_path.name}"
    daemon = f"import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True, env={{'MARK': '{mark}'}})"
    child = program(tmp_path, f"{daemon}; import time; time.sleep(600)")
    child.start(lambda: processes_naming(f"sleep\x00600\x00MARK={mark}") != [], 20)
    child.stop()
    assert processes_naming(f"MARK={mark}") == []


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """SIGKILL follows SIGTERM after the grace."""
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    child = program(tmp_path, script, grace=0.2)
    child.start(lambda: child.tail() == "deaf", 20)
    started = time.monotonic()
    child.stop()
    assert time.monotonic() - started < 10
    assert not child.running


def test_a_child_that_dies_at_start_is_reported_with_its_log(tmp_path: Path) -> None:
    """The error comes at once and quotes what the program wrote before it died."""
    child = program(tmp_path, "import sys; sys.exit('no such exchange')")
    with pytest.raises(ProcessFailed, match=r"exit code 1(.|\n)*no such exchange"):
        child.start(lambda: False, 60)


def test_a_child_that_dies_later_is_reported_when_asked(tmp_path: Path) -> None:
    """``check`` tells a signal's number as a shell would."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    child = program(
        tmp_path, f"import os; print('up', flush=True); open({str(fifo)!r}).read(); os.kill(os.getpid(), 9)"
    )
    child.start(lambda: child.tail() == "up", 20)
    child.check()
    fifo.write_text("go", encoding="ascii")
    with pytest.raises(ProcessFailed, match="exit code 137"):
        _check_until_reported(child)


def _check_until_reported(child: Process) -> None:
    deadline = time.monotonic() + ENDED_WITHIN
    while time.monotonic() < deadline:
        child.check()


def test_a_child_that_is_never_ready_is_ended(tmp_path: Path) -> None:
    """When the time is up, the error says so and the program is gone."""
    child = program(tmp_path, "import time; time.sleep(600)")
    with pytest.raises(ProcessFailed, match="not ready in time"):
        child.start(lambda: False, 0.3)
    assert not child.running


def test_a_directory_serves_one_run_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run on the same data is refused with the way out."""
    monkeypatch.setattr(services_module, "_LOCK_WITHIN", 0.1)
    with locked(tmp_path), pytest.raises(ServiceMissing, match="BRIDGE_LOCAL_DIR"), locked(tmp_path):
        pass


def test_a_broker_that_is_named_must_answer(tmp_path: Path) -> None:
    """No other broker is started in silence when BRIDGE_AMQP_URL leads nowhere."""
    nowhere = f"amqp://127.0.0.1:{free_port()}/"
    with pytest.raises(ServiceMissing, match="BRIDGE_AMQP_URL is set"), services(tmp_path, amqp_url=nowhere):
        pass


def test_a_store_is_no_broker(dev_services: DevServices) -> None:
    """An open port that does not speak AMQP is not taken for a broker."""
    assert isinstance(dev_services.mongo, Embedded)
    assert not speaks_amqp(f"amqp://127.0.0.1:{dev_services.mongo.port}/")


def test_an_installation_starts_no_service(tmp_path: Path) -> None:
    """While apt runs, policy-rc.d forbids starts; afterwards it is gone."""
    policy = tmp_path / "usr/sbin/policy-rc.d"
    policy.parent.mkdir(parents=True)
    with apt.services_forbidden(tmp_path):
        assert subprocess.run([policy], check=False).returncode == 101
    assert not policy.exists()


def test_an_owners_policy_stays(tmp_path: Path) -> None:
    """A policy-rc.d that is there already is neither changed nor removed."""
    policy = tmp_path / "usr/sbin/policy-rc.d"
    policy.parent.mkdir(parents=True)
    policy.write_text("#!/bin/sh\nexit 104\n", encoding="ascii")
    with apt.services_forbidden(tmp_path):
        assert "104" in policy.read_text(encoding="ascii")
    assert "104" in policy.read_text(encoding="ascii")


@contextmanager
def dev(local_dir: Path, *options: str) -> Generator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """``cpd-bridge dev`` on ``local_dir``: the process, and the object on the last line of its start-up."""
    environment = {**os.environ, "BRIDGE_LOCAL_DIR": str(local_dir)}
    with (
        (local_dir / "errors").open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            [CLI, "dev", *options], stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        ) as process,
    ):
        assert process.stdout is not None
        try:
            yield process, next(json.loads(line) for line in process.stdout if line.startswith("{"))
        finally:
            process.kill()


def _in_shell(line: str) -> str:
    return subprocess.run(["sh", "-euc", line], capture_output=True, text=True, check=True, timeout=30).stdout


def test_dev_serves_its_sample_members_and_leaves_nothing(tmp_path: Path) -> None:
    """It says where it answers, its key's tokens open a record with a year in it, and SIGTERM ends all with code 0."""
    with dev(tmp_path) as (process, ready):
        assert ready["ready"] is True
        assert speaks_amqp(ready["amqp"])
        me = call(ready["http"], "GET", "/v1/me", dev_token(tmp_path, "m-1004", ["member"]))
        assert (me["member_id"], me["registered"]) == ("m-1004", True)
        assert me["current_period"]["counts"]["total"] > 0
        answer = _in_shell(f'. {tmp_path}/variables.sh; curl -s -H "Authorization: Bearer $MEMBER" "$API/v1/me"')
        assert json.loads(answer)["member_id"] == "m-1001"
        amqp, mongo = _in_shell(f'. {tmp_path}/variables.sh; echo "$AMQP" "$MONGO"').split()
        assert (amqp, mongo) == (ready["amqp"].rstrip("/"), ready["mongo"])
        process.terminate()
        assert process.wait(60) == 0
    assert processes_naming(str(tmp_path)) == []


def test_dev_fails_when_a_child_dies(tmp_path: Path) -> None:
    """A worker that is killed ends the whole, with exit code 1 and its name."""
    with dev(tmp_path, "--no-samples") as (process, _):
        (keeper,) = processes_naming(str(tmp_path), "keeper.py", f"{CLI}\x00worker\x00")
        (worker,) = [pid for pid in processes_naming(str(tmp_path), f"{CLI}\x00worker\x00") if pid != keeper]
        os.kill(worker, signal.SIGKILL)
        assert process.wait(60) == 1
    assert "worker ended with exit code 137" in (tmp_path / "errors").read_text(encoding="utf-8")
    assert processes_naming(str(tmp_path)) == []


def test_the_demo_tells_what_became_of_each_and_what_to_try_next(dev_services: DevServices, tmp_path: Path) -> None:
    """Every sample gets what it should, in 80 columns, and what is named to go on with is there."""
    environment = {
        **os.environ,
        "COLUMNS": "80",
        "BRIDGE_LOCAL_DIR": str(tmp_path),
        "BRIDGE_MONGO_URL": dev_services.mongo_url,
        "BRIDGE_AMQP_URL": dev_services.amqp_url,
    }
    command = [sys.executable, "-m", "deploy.dev.demo"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert run.returncode == 0, run.stdout + run.stderr
    assert max(len(line) for line in run.stdout.splitlines()) <= 80
    verdict, _, ending = run.stdout.partition("What to try next:")
    assert re.search(r"All \d+ statements got what they should\.", verdict)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"make (\S+)", ending)) <= set(targets)
    files = re.findall(r"(docs/\S+|[A-Z]+\.md)", ending)
    assert len(files) == 2
    assert all((ROOT / file).exists() for file in files)
    assert processes_naming(str(tmp_path)) == []
