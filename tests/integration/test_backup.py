"""Backup and restore: the drill on a record with everything in it, and every kind of file that is refused."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr
from pymongo import MongoClient

from bridge import wiring
from bridge.documents.backups import BackupReader, BackupWriter, BadBackup, writing
from bridge.documents.encryption import pyrage
from bridge.errors import Conflict
from bridge.settings import Settings, load
from bridge.store import WrongErasureKey
from bridge.store.operations.dump import SNAPSHOT, TRANSACTION
from tests.support.calls import calls
from tests.support.commands import run
from tests.support.life import MARK, MEMBER, Life, open_life
from tests.support.processes import CLI, environment_of
from tests.support.storage import storage

COMPARED_META_ROWS = {"_id": {"$nin": ["backup", "schema", "members", "backup_probe"]}}
"""What of ``meta`` a restore leaves as it was."""

pytestmark = pytest.mark.new_database


@pytest.fixture
async def life(settings: Settings, tmp_path: Path) -> AsyncGenerator[Life]:
    """A member with something in every collection, in a migrated database."""
    async with open_life(settings, tmp_path) as life_of_member:
        await life_of_member.bridge.services.migrations.run()
        await life_of_member.live()
        yield life_of_member


@pytest.fixture
def key(tmp_path: Path) -> tuple[str, Path]:
    """A public key, and the file of the private one."""
    identity = pyrage.x25519.Identity.generate()
    file = tmp_path / "key.txt"
    file.write_text(f"# created for a test\n{identity}\n")
    return str(identity.to_public()), file


def elsewhere(settings: Settings) -> Settings:
    """The same server with an empty database."""
    fields = {name: getattr(settings, name) for name in settings.model_fields_set}
    return load(**{**fields, "mongo_database": f"{settings.mongo_database}r"})


async def backed_up(settings: Settings, target: Path, *recipients: str) -> None:
    """Make a backup."""
    async with wiring.services(settings) as services:
        with target.open("wb") as out, writing(out, recipients) as writer:
            await services.backups.write(writer, lambda _: None)


def _there(directory: Path, beginning: str) -> list[Path]:
    return list(directory.glob(f"{beginning}*"))


async def restore(settings: Settings, reader: BackupReader, newer: Sequence[Any] = ()) -> None:
    """Restore a backup, with the rows of a newer ledger."""

    async def ledger() -> AsyncGenerator[Any]:
        for row in newer:
            yield row

    async with wiring.services(settings) as services:
        await services.backups.restore(reader, ledger(), lambda _: None)


def contents(settings: Settings) -> dict[str, list[Any]]:
    """Every document of a database, as it is stored."""
    client: MongoClient[dict[str, Any]] = MongoClient(settings.mongo_url.get_secret_value(), tz_aware=True)
    with client:
        database = client[settings.mongo_database]
        names = sorted(database.list_collection_names())
        return {
            name: list(database[name].find(COMPARED_META_ROWS if name == "meta" else {}).sort("_id", 1))
            for name in names
            if database[name].count_documents({})
        }


async def test_the_drill(life: Life, tmp_path: Path, key: tuple[str, Path]) -> None:
    """Backed up and restored, every field of every document is there again, and the access log verifies."""
    settings = life.bridge.settings
    backups = tmp_path / "backups"
    backups.mkdir()
    code, _, err = await run(settings, "backup", str(backups), "--recipient", key[0])
    assert code == 0, err
    (target,) = _there(backups, "cpd-")
    assert MARK.encode() not in target.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o600
    before = contents(settings)
    assert len(before) >= 27, sorted(before)
    target_settings = elsewhere(settings)
    code, _, err = await run(target_settings, "restore", str(target), "--identity", str(key[1]))
    assert code == 0, err
    assert contents(target_settings) == before
    assert (await run(target_settings, "verify-access-log"))[0] == 0
    async with wiring.services(target_settings) as services:
        document, content = await services.evidence.content(MEMBER, life.ids["file"])
        assert b"".join([data async for data in content]) == (f"{MARK}-evidence" * 1000).encode()
        assert document["name"] == "notes.txt"
        indexes = await storage(services).log_entries.indexes()
        assert {"merge", "by_date"} <= indexes.keys()
    row = await life.storage.meta.get("backup")
    assert row["consistency"] in {SNAPSHOT, TRANSACTION}
    assert row["at"].tzinfo is not None


async def test_whoever_was_erased_since_is_erased_again(life: Life, tmp_path: Path) -> None:
    """The ledger is kept elsewhere; after the restore nothing of the erased member is there (invariant 8)."""
    settings, target = life.bridge.settings, tmp_path / "cpd.backup"
    await backed_up(settings, target)
    assert (await life.bridge.services.erasures.request(MEMBER, "dpo"))["state"] == "erased"
    code, out, err = await run(settings, "erasures")
    assert code == 0, err
    assert MEMBER not in out
    ledger = tmp_path / "ledger.ndjson"
    ledger.write_text(out)
    target_settings = elsewhere(settings)
    assert (await run(target_settings, "restore", str(target), "--erasures", str(ledger)))[0] == 0
    rows = [row for name, rows in contents(target_settings).items() if name != "outbox" for row in map(str, rows)]
    assert [row for row in rows if (MARK in row or f"'{MEMBER}'" in row) and "unknown" not in row] == []
    async with wiring.services(target_settings) as services:
        assert (await services.access.verify()).faults == []
        assert await services.stores.erasures.among([f"member:{MEMBER}"]) == {f"member:{MEMBER}"}
        async with calls(target_settings, services, "dpo", "privacy") as call:
            status, body = await call("POST", f"/v1/members/{MEMBER}/erasure")
    assert (status, body) == (200, await erasure_of(life)), "asking again tells what was told before"


async def erasure_of(life: Life) -> dict[str, Any]:
    """What the data protection team is told of the member's erasure."""
    return await life.office.staff("privacy").good("POST", f"/v1/members/{MEMBER}/erasure")


async def test_a_wrong_erasure_key_is_refused_with_nothing_written(settings: Settings, tmp_path: Path) -> None:
    """Decision 12: under another key, or none, the erased of the backup would come back with a replay."""
    target, secret = tmp_path / "cpd.backup", SecretStr("a secret that this deployment was given")
    async with wiring.services(settings.model_copy(update={"erasure_key": secret})) as services:
        await services.stores.erasure_key.get()
    await backed_up(settings, target)
    target_settings = elsewhere(settings)
    for wrong in (SecretStr("a secret that was given to another one"), None):
        with pytest.raises(WrongErasureKey):
            await restore(target_settings.model_copy(update={"erasure_key": wrong}), BackupReader(target, None))
    assert contents(target_settings) == {}
    await restore(target_settings.model_copy(update={"erasure_key": secret}), BackupReader(target, None))


def damaged(whole: bytes) -> dict[str, bytes]:
    """A file in the ways that it may be damaged."""
    half = len(whole) // 2
    one_bit_off = whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :]
    return {"a bit": one_bit_off, "the end": whole[:-40], "half": whole[:half], "nothing": b"", "more": whole + b"more"}


@pytest.mark.parametrize("encrypted", [True, False])
async def test_a_damaged_file_is_refused_with_nothing_written(
    settings: Settings, tmp_path: Path, key: tuple[str, Path], encrypted: bool
) -> None:
    """A flipped bit, a cut, an empty file, a wrong key or none: exit code 1, and not one document."""
    await seeded(settings)
    target = tmp_path / "cpd.backup"
    await backed_up(settings, target, *([key[0]] if encrypted else []))
    whole = target.read_bytes()
    options = ["--identity", str(key[1])] if encrypted else []
    for name, bad in damaged(whole).items():
        target.write_bytes(bad)
        if name == "more" and not encrypted:
            continue  # what follows the end of a frame is nobody's
        with pytest.raises(BadBackup):
            BackupReader(target, key[1]).verify()
    target.write_bytes(damaged(whole)["half"])
    code, _, err = await run(elsewhere(settings), "restore", str(target), *options)
    assert (code, "Traceback" in err) == (1, False), err
    target.write_bytes(whole)
    if encrypted:
        second = tmp_path / "other.txt"
        second.write_text(str(pyrage.x25519.Identity.generate()))
        for identity in (second, None):
            with pytest.raises(BadBackup):
                BackupReader(target, identity).verify()
    assert contents(elsewhere(settings)) == {}


async def seeded(settings: Settings) -> None:
    """Put something into the database: noise, so that a flipped bit is one of the data."""
    async with wiring.services(settings) as services:
        await services.migrations.run()
        await storage(services).pulls.insert([{"_id": n, "x": os.urandom(2000)} for n in range(200)])


async def test_only_an_empty_database_is_restored_into(settings: Settings, tmp_path: Path) -> None:
    """Conflict, with the remedy; what was there stays as it was."""
    await seeded(settings)
    await backed_up(settings, tmp_path / "cpd.backup")
    before = contents(settings)
    with pytest.raises(Conflict, match="BRIDGE_MONGO_DATABASE"):
        await restore(settings, BackupReader(tmp_path / "cpd.backup", None))
    assert contents(settings) == before


async def test_a_restore_that_was_broken_off_is_not_served(settings: Settings, tmp_path: Path) -> None:
    """The mark of a restore stays until its end, and who starts refuses it, as does the next restore."""
    await seeded(settings)
    await backed_up(settings, tmp_path / "cpd.backup")
    second = elsewhere(settings)
    async with wiring.services(second) as services:
        await services.stores.dump.note("restoring", {})
    code, _, err = await run(second, "api")
    assert (code, "restore" in err) == (1, True)
    with pytest.raises(Conflict):
        await restore(second, BackupReader(tmp_path / "cpd.backup", None))


async def test_nothing_is_overwritten_and_nothing_half_made_stays(settings: Settings, tmp_path: Path) -> None:
    """An existing file is a usage error; a backup that fails leaves no file."""
    target = tmp_path / "there"
    target.write_text("mine")
    assert (await run(settings, "backup", str(target)))[0] == 2
    assert target.read_text() == "mine"
    assert (await run(settings, "backup", str(tmp_path / "new"), "--recipient", "age1nobody"))[0] == 2
    assert not _there(tmp_path, "new")


async def test_standard_output_takes_a_backup(settings: Settings, tmp_path: Path) -> None:
    """``backup -`` writes the file and nothing else; other tools read it: zstd, tar, and BSON's own format."""
    await seeded(settings)
    process = await asyncio.create_subprocess_exec(
        CLI, "backup", "-", env=environment_of(settings), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    out, _ = await process.communicate()
    (tmp_path / "out").write_bytes(out)
    header, manifest, _ = BackupReader(tmp_path / "out", None).verify()
    assert header["format"] == 1
    assert manifest["collections"]["pulls"]["documents"] == 200


async def test_a_backup_is_of_one_moment(settings: Settings, tmp_path: Path) -> None:
    """While others write, each collection shows the same moment: as many rows in the one as in the other."""
    async with wiring.services(settings) as services:
        pulls, schedules = storage(services).pulls, storage(services).schedules

        async def write() -> None:
            for number in range(2000):
                await pulls.insert([{"_id": number}])
                await schedules.insert([{"_id": number}])

        writing_on = asyncio.create_task(write())
        while await schedules.count() < 20:
            await asyncio.sleep(0.01)
        with (tmp_path / "x").open("wb") as out, writing(out, ()) as writer:
            facts = await services.backups.write(writer, lambda _: None)
        assert not writing_on.done(), "others wrote meanwhile"
        writing_on.cancel()
    collections = BackupReader(tmp_path / "x", None).verify()[1]["collections"]
    assert facts["consistency"] in {SNAPSHOT, TRANSACTION}
    assert 0 <= collections["pulls"]["documents"] - collections["schedules"]["documents"] <= 1


def test_memory_stays_flat(tmp_path: Path, key: tuple[str, Path]) -> None:
    """Written, encrypted, read and checked: a third of a gigabyte in parts of 16 MB, in far less memory."""
    part = b"".join(_document(os.urandom(60_000)) for _ in range(260))
    target = tmp_path / "large"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with target.open("wb") as out, writing(out, [key[0]]) as writer:
        writer.header({"schema": 1})
        writer.collection("x")
        for _ in range(20):
            writer.part("x", part)
        writer.close()
    assert BackupReader(target, key[1]).verify()[1]["collections"]["x"]["documents"] == 260 * 20
    growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert growth < 200 * 2**20, f"{growth / 2**20:.0f} MB for {target.stat().st_size / 2**20:.0f}"


def _document(data: bytes) -> bytes:
    """A BSON document of one binary field (bsonspec.org)."""
    body = b"\x05x\x00" + len(data).to_bytes(4, "little") + b"\x00" + data + b"\x00"
    return (len(body) + 4).to_bytes(4, "little") + body


def test_a_manifest_that_says_otherwise_is_refused(tmp_path: Path) -> None:
    """Documents that are not those of the manifest, and a file of a later format."""
    target = tmp_path / "x"
    for wrong in ("sum", "format"):
        with target.open("wb") as out:
            writer = BackupWriter(out)
            writer.header({"schema": 1, **({"format": 99} if wrong == "format" else {})})
            writer.collection("x")
            writer.part("x", _document(b"x"))
            if wrong == "sum":
                cast("Any", writer)._sums["x"].documents = 2
            writer.close()
        with pytest.raises(BadBackup):
            BackupReader(target, None).verify()
