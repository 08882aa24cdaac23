"""Definitions that RabbitMQ imports: the file beside this one, with the users' passwords as hashes.

``python -m deploy.rabbitmq.definitions DIRECTORY > definitions.json`` takes each user's password from the file of
DIRECTORY that is named as the user. RabbitMQ reads it at start (``load_definitions``) or by ``rabbitmqctl
import_definitions``; then the service needs no right to declare anything (``BRIDGE_AMQP_DECLARE=false``).
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NOTICES = "cpd.notices"
"""Queue that only a worker with a mail server takes from; without one it would only grow."""

_FILE = Path(__file__).with_name("definitions.json")


def users() -> list[str]:
    """Return who is to have a password."""
    return [user["name"] for user in json.loads(_FILE.read_bytes())["users"]]


def definitions(passwords: Mapping[str, str], *, mails: bool = False) -> dict[str, Any]:
    """Return the definitions with every user's password; raises ``KeyError`` naming a user without one."""
    definitions: dict[str, Any] = json.loads(_FILE.read_bytes())
    for user in definitions["users"]:
        user |= {"password_hash": _hash(passwords[user["name"]]), "hashing_algorithm": "rabbit_password_hashing_sha256"}
    if not mails:
        definitions["queues"] = [queue for queue in definitions["queues"] if queue["name"] != NOTICES]
        definitions["bindings"] = [binding for binding in definitions["bindings"] if binding["destination"] != NOTICES]
    return definitions


def _hash(password: str) -> str:
    """Salt and hash as RabbitMQ does: base64 of 4 bytes of salt, then SHA-256 of salt and password."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def main(arguments: list[str]) -> None:
    """Print the definitions; ``--mail`` keeps the queue of notices."""
    directories = [argument for argument in arguments if argument != "--mail"]
    if len(directories) != 1:
        sys.exit("usage: python -m deploy.rabbitmq.definitions [--mail] DIRECTORY")
    try:
        passwords = {user: (Path(directories[0]) / user).read_text(encoding="utf-8").strip() for user in users()}
    except OSError as error:
        sys.exit(f"Each user's password is to be in a file of its name: {error.filename} cannot be read.")
    json.dump(definitions(passwords, mails="--mail" in arguments), sys.stdout, indent=1)


if __name__ == "__main__":
    main(sys.argv[1:])
