"""What an installation by compose makes for itself: passwords that fit together, and files for whoever needs them."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
from pathlib import Path
from urllib.parse import urlsplit

from bridge.api.http.auth import keys_from_file
from bridge.tokens import PRIVATE_NAME, PUBLIC_NAME
from deploy.passwords import make


def read(directory: Path) -> dict[str, str]:
    """Path → text of every file."""
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


def test_everybody_gets_what_fits_and_nothing_of_others(tmp_path: Path) -> None:
    """The addresses' passwords are those that store and broker are told; each consumer has its own."""
    assert make(tmp_path)
    files = read(tmp_path)
    hashes = {user["name"]: user["password_hash"] for user in json.loads(files["broker/definitions.json"])["users"]}
    for home in ("api", "worker"):
        store, broker = urlsplit(files[f"{home}/mongo-url"]), urlsplit(files[f"{home}/amqp-url"])
        assert (store.username, store.password) == (f"cpd-{home}", files[f"store/{home}"])
        assert broker.username == f"cpd-{home}"
        raw = base64.b64decode(hashes[f"cpd-{home}"])
        assert raw[4:] == hashlib.sha256(raw[:4] + str(broker.password).encode()).digest()
    assert urlsplit(files["jobs/backup-mongo-url"]).password == files["store/backup"]
    assert len(base64.b64decode(files["store/keyfile"], validate=True)) == 512
    assert not (tmp_path / "api" / PRIVATE_NAME).exists()
    keys_from_file(tmp_path / "api" / PUBLIC_NAME)


def test_nobody_else_can_read_a_password(tmp_path: Path) -> None:
    """Every file is its owner's alone."""
    make(tmp_path)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_file()}
    assert [path for path, mode in modes.items() if mode & 0o077 and path.name != PUBLIC_NAME] == []


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    """Store and broker know the first passwords, so they stay."""
    make(tmp_path)
    before = read(tmp_path)
    assert make(tmp_path) is False
    assert read(tmp_path) == before


def test_a_start_that_was_broken_off_is_made_good(tmp_path: Path) -> None:
    """Without the keyfile, which is written last, everything is made anew, over what cannot be read any more."""
    make(tmp_path)
    (tmp_path / "store" / "keyfile").unlink()
    before = read(tmp_path)
    assert make(tmp_path)
    after = read(tmp_path)
    assert set(after) == {*before, "store/keyfile"}
    assert all(after[name] != before[name] for name in before)
