"""A RabbitMQ for development and tests: one that answers, a private node, or a container."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path

from deploy.dev import apt
from deploy.dev.ports import LOOPBACK, free_port, is_open, speaks_amqp
from deploy.dev.processes import Process, ProcessFailed, run
from deploy.dev.service import External, Service, ServiceMissing

DEFAULT_URL = "amqp://guest:guest@127.0.0.1:5672/"
IMAGE = "rabbitmq:4"
# Not the wrapper in /usr/sbin, which changes to the rabbitmq user and its system-wide directories.
_DEBIAN_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_START_WITHIN = 180.0  # seconds; two when the machine is idle
_PULL_WITHIN = 600.0  # seconds; the first start of a container fetches its image
_NODE = "cpd@localhost"
_HASHING = "rabbitmq_consistent_hash_exchange"  # so that a queue can be split by member (docs/deployment.md)
_REGISTERED_WITHIN = 5.0  # seconds; one as a rule

_NO_BROKER = f"""There is no RabbitMQ to use. Any one of these is enough:
  - install it (Debian, Ubuntu: apt-get install rabbitmq-server); a private node is started from it, never the system's
  - run this as root on Debian, and it is installed
  - start a Docker engine; the image {IMAGE} is used
  - set BRIDGE_AMQP_URL to a broker that runs"""


def _local_url(port: int) -> str:
    return f"amqp://guest:guest@{LOOPBACK}:{port}/"


class PrivateNode(Service):
    """A node of our own from the installed rabbitmq-server, bound to 127.0.0.1, its data under ``directory``.

    It keeps its ports and data over ``kill`` and ``start``, so that clients find it again with its durable queues.
    """

    def __init__(self, server: Path, directory: Path, logs: Path, held: tuple[int, ...] = ()) -> None:
        self._server = server
        self._directory = directory
        self._port, self._epmd_port = free_port(), free_port()
        environment = self._environment()
        epmd = shutil.which("epmd") or "epmd"
        # A port mapper of our own in the foreground: the one that Erlang starts by itself is a daemon and would stay.
        argv = [epmd, "-port", str(self._epmd_port), "-address", LOOPBACK]
        self._epmd = Process("epmd", argv, logs / "epmd.log", environment, held)
        self._node = Process("RabbitMQ", [server], logs / "rabbitmq.log", environment, held)
        super().__init__(_local_url(self._port), self._epmd, self._node)

    def start(self) -> None:
        """Start it and return when it speaks AMQP; raises ``ProcessFailed``."""
        self._configure()
        if not self._epmd.running:
            self._epmd.start(lambda: is_open(self._epmd_port), _START_WITHIN)
        self._node.start(lambda: speaks_amqp(self.url), _START_WITHIN)

    def kill(self) -> None:
        """SIGKILL the node; its port mapper stays, as it would on a real host.

        RabbitMQ writes down that a quorum queue exists a second after it has confirmed it; killed before, the queue
        never has a leader again, and nothing of ours can mend that. So a kill waits for it.
        """
        deadline = time.monotonic() + _REGISTERED_WITHIN
        while not self._queues_are_registered() and time.monotonic() < deadline:
            time.sleep(0.05)  # RabbitMQ has no event for it
        super().kill()

    def control(self, *arguments: str | Path) -> str:
        """Run ``rabbitmqctl`` on this node and return what it says; raises ``ProcessFailed``."""
        return run([self._server.with_name("rabbitmqctl"), *arguments], self._environment(), _START_WITHIN)

    def _queues_are_registered(self) -> bool:
        queues = self._directory / "mnesia" / _NODE / "quorum" / _NODE
        registry = queues / "names.dets"
        entries = registry.read_bytes() if registry.exists() else b""
        return all(queue.name.encode() in entries for queue in queues.glob("*/"))

    def _configure(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / "enabled_plugins").write_text(f"[{_HASHING}].\n", encoding="ascii")
        (self._directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {LOOPBACK}:{self._port}\ndisk_free_limit.absolute = 50MB\n", encoding="ascii"
        )

    def _environment(self) -> dict[str, str]:
        """The whole of the node's surroundings: nothing of a system-wide RabbitMQ is read or written."""
        at = self._directory.resolve()
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(at),  # the Erlang cookie
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_NODENAME": _NODE,
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(at / "rabbitmq.conf"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(at / "generated"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(at / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(at / "mnesia"),
            "RABBITMQ_LOG_BASE": str(at / "log"),
            "RABBITMQ_LOGS": "-",
            # Schedulers that wait busily would take the machine's few cores from what is being tested.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none"
            " -kernel inet_dist_use_interface {127,0,0,1}",
        }


class Container(Service):
    """RabbitMQ in a container in the foreground; its data are a directory of ours, owned by the caller."""

    def __init__(self, directory: Path, logs: Path, held: tuple[int, ...] = ()) -> None:
        self._directory = directory
        at, port = str(directory.resolve()), free_port()
        self._name = f"cpd-rabbitmq-{hashlib.sha256(at.encode()).hexdigest()[:12]}"
        argv = [
            *("docker", "run", "--rm", "--name", self._name, "--hostname", "cpd"),  # the node's data go by its name
            *("--user", f"{os.getuid()}:{os.getgid()}", "--volume", f"{at}:/var/lib/rabbitmq"),
            *("--publish", f"{LOOPBACK}:{port}:5672", IMAGE),
        ]
        super().__init__(_local_url(port), Process("RabbitMQ in Docker", argv, logs / "rabbitmq.log", os.environ, held))

    def start(self) -> None:
        """Start it, fetching the image when it is not there yet; raises ``ProcessFailed``."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self.processes[0].start(lambda: speaks_amqp(self.url), _PULL_WITHIN)

    def kill(self) -> None:
        """SIGKILL what runs in the container."""
        run(["docker", "kill", self._name], os.environ, 60)
        self.stop()

    def discard(self) -> None:
        """As ``kill``: the container would outlive a client that is killed."""
        self.kill()


def _installed() -> Path | None:
    if _DEBIAN_SERVER.exists():
        return _DEBIAN_SERVER
    elsewhere = shutil.which("rabbitmq-server")
    return Path(elsewhere) if elsewhere else None


def _docker_answers() -> bool:
    try:
        run(["docker", "info"], os.environ, 10)
    except ProcessFailed:
        return False
    return True


def private(directory: Path, logs: Path, held: tuple[int, ...] = ()) -> Service | None:
    """A broker of our own, not yet started: the installed server, else by apt, else in Docker; else None."""
    if _installed() is None and apt.available():
        apt.install("rabbitmq-server", _DEBIAN_SERVER)
    if server := _installed():
        return PrivateNode(server, directory / "rabbitmq", logs, held)
    return Container(directory / "rabbitmq-container", logs, held) if _docker_answers() else None


def find(url: str | None, directory: Path, logs: Path, held: tuple[int, ...] = (), *, alone: bool = False) -> Service:
    """The broker to use, not yet started: ``url`` when given, else the local one that answers, else a private one.

    ``alone`` puts a private one first, so that tests do not fill a developer's own broker. Raises ``ServiceMissing``.
    """
    if alone and (started := private(directory, logs, held)):
        return started
    if url is not None and not speaks_amqp(url):
        raise ServiceMissing("BRIDGE_AMQP_URL is set, but no broker answers there. Start that broker, or unset it.")
    if url is not None:
        return External(url)
    if not alone and speaks_amqp(DEFAULT_URL):
        return External(DEFAULT_URL)
    if not alone and (started := private(directory, logs, held)):
        return started
    raise ServiceMissing(_NO_BROKER)
