"""MongoDB in a container, where a Docker engine answers."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager

import docker
from docker.errors import DockerException
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

REPLICA_SET = "rs0"


def engine_answers() -> bool:
    """Whether a Docker engine answers; the client alone says nothing."""
    try:
        client = docker.from_env()
        client.ping()  # pyright: ignore[reportUnknownMemberType] - the package has no types for it
        client.close()
    except DockerException:
        return False
    return True


@contextmanager
def mongo_in_docker() -> Generator[str | None]:
    """Run MongoDB as a replica set of one and yield its URL; None without an engine, or when a URL is given."""
    if os.environ.get("BRIDGE_TEST_MONGO_URL") or not engine_answers():
        yield None
        return
    container = DockerContainer("mongo:8").with_exposed_ports(27017).with_command(f"--replSet {REPLICA_SET}")
    container.waiting_for(LogMessageWaitStrategy("Waiting for connections"))
    with container as started:
        started.exec(["mongosh", "--quiet", "--eval", "rs.initiate(); while (!db.hello().isWritablePrimary) sleep(50)"])
        port = started.get_exposed_port(27017)
        yield f"mongodb://{started.get_container_host_ip()}:{port}/?directConnection=true"
