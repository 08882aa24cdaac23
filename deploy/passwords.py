"""Passwords of a new installation by compose, made once; each service gets the files that it needs.

``python -m deploy.passwords DIRECTORY`` fills one subdirectory a consumer, each a volume of its own: ``api``,
``worker``, ``jobs`` (migrate, backup, purge), ``tools`` (the Learning centre's and the membership system's users, and
the development signing key), ``broker``, ``store`` and ``grafana``. Where ``store/keyfile`` exists it changes nothing.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import sys
from pathlib import Path

from bridge.tokens import PRIVATE_NAME, PUBLIC_NAME, dev_key
from deploy.rabbitmq.definitions import definitions, users

DATABASE = "cpd"
"""Name of the database, and of the virtual host."""

STORE_USERS = ("api", "worker", "migrate", "backup", "restore", "purge")
"""MongoDB users, ``cpd-…``; their roles are in ``deploy/mongodb/roles.json``."""

SERVICE, SERVERS, GRAFANA = 10001, 999, 472
"""User ids: our image's, that of the official images of MongoDB and RabbitMQ, and that of Grafana's."""


def make(directory: Path) -> bool:
    """Make everything and return True; return False when it was made before."""
    if (directory / "store" / "keyfile").exists():
        return False
    store = {user: secrets.token_urlsafe(24) for user in STORE_USERS}
    broker = {user: secrets.token_urlsafe(24) for user in users()}
    for home, user in (("api", "api"), ("worker", "worker")):
        _write(directory / home / "mongo-url", _mongo_url(user, store[user]))
        _write(directory / home / "amqp-url", _amqp_url(f"cpd-{user}", broker[f"cpd-{user}"]))
    for job in ("migrate", "backup", "restore", "purge"):
        _write(directory / "jobs" / f"{job}-mongo-url", _mongo_url(job, store[job]))
    for user in ("learning-centre", "membership"):
        _write(directory / "tools" / f"{user}-amqp-url", _amqp_url(user, broker[user]))
    _signing_key(directory)
    _write(directory / "grafana" / "admin-password", secrets.token_urlsafe(24), GRAFANA)
    _write(directory / "broker" / "definitions.json", json.dumps(definitions(broker)), SERVERS)
    for name, password in {**store, "root": secrets.token_urlsafe(24)}.items():
        _write(directory / "store" / name, password, SERVERS)
    # What the members of the replica set know each other by: base64, at most 1,024 characters (MongoDB). It comes last,
    # since its presence says that all is made.
    _write(directory / "store" / "keyfile", base64.b64encode(secrets.token_bytes(512)).decode(), SERVERS)
    return True


def _signing_key(directory: Path) -> None:
    """Make the key of ``cpd-bridge token``, and give the API its public part."""
    for name in (PRIVATE_NAME, PUBLIC_NAME):
        (directory / "tools" / name).unlink(missing_ok=True)
    (directory / "api" / PUBLIC_NAME).unlink(missing_ok=True)
    dev_key(directory / "tools")
    shutil.copyfile(directory / "tools" / PUBLIC_NAME, directory / "api" / PUBLIC_NAME)
    for path in (*(directory / "tools").iterdir(), directory / "api" / PUBLIC_NAME):
        _own(path, SERVICE)


def _mongo_url(user: str, password: str) -> str:
    return f"mongodb://cpd-{user}:{password}@mongodb:27017/?replicaSet=rs0&authSource={DATABASE}"


def _amqp_url(user: str, password: str) -> str:
    return f"amqp://{user}:{password}@rabbitmq:5672/{DATABASE}"


def _write(path: Path, text: str, owner: int = SERVICE) -> None:
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)  # of a run broken off: another's file by now, which even root may not open here
    path.write_text(text, encoding="ascii")
    path.chmod(0o400)
    _own(path, owner)


def _own(path: Path, owner: int) -> None:
    if os.geteuid() == 0:  # else whoever runs it keeps the files
        os.chown(path, owner, owner)


def main(arguments: list[str]) -> None:
    """Make them under the directory that is named."""
    if len(arguments) != 1:
        sys.exit("usage: python -m deploy.passwords DIRECTORY")
    is_new = make(Path(arguments[0]))
    sys.stderr.write("passwords made\n" if is_new else "passwords are there already\n")


if __name__ == "__main__":
    os.umask(0o077)
    main(sys.argv[1:])
