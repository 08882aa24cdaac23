"""Credentials and times stored: what the LRS's services rest on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import Forbidden, SettingsError, Unauthenticated
from bridge.services.lrs import credentials
from bridge.services.lrs.timestamps import StoredTimestamps

ENTRY: dict[str, Any] = {
    "key": "content",
    "secret_hash": credentials.hash_secret("secret"),
    "authority": {"mbox": "mailto:lrs@example.org"},
    "scopes": ["state", "statements/write"],
}


def written(path: Path, *entries: dict[str, Any]) -> Path:
    """A credentials file."""
    path.write_text(json.dumps(entries))
    return path


async def test_a_secret_is_checked_and_then_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first check costs a scrypt, the next none; a wrong secret is refused before and after."""
    verifier = credentials.Credentials(credentials.load(written(tmp_path / "c", ENTRY)))
    for key, secret in (("content", "wrong"), ("nobody", "secret"), ("content", "")):
        with pytest.raises(Unauthenticated):
            await verifier.verify(key, secret)
    credential = await verifier.verify("content", "secret")
    monkeypatch.delattr("hashlib.scrypt")
    assert await verifier.verify("content", "secret") is credential
    credential.need("state")
    with pytest.raises(Forbidden, match="profile"):
        credential.need("profile")


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"scopes": ["everything"]}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"secret_hash": "secret"}, "secret_hash"),
        ({"authority": {"name": "nobody"}}, "identifier"),
        ({"key": "a:b"}, "key"),
        ({"secret": "plain"}, "secret"),
    ],
)
def test_a_wrong_credentials_file_is_refused_without_quoting_it(
    tmp_path: Path, changes: dict[str, Any], detail: str
) -> None:
    """The error names the field and holds none of the file's values."""
    with pytest.raises(SettingsError, match=detail) as error:
        credentials.load(written(tmp_path / "c", {**ENTRY, **changes}))
    assert ENTRY["secret_hash"] not in str(error.value)


def test_a_credentials_file_that_is_missing_or_doubled(tmp_path: Path) -> None:
    """A file that is not there, and a key that stands twice, stop the start."""
    with pytest.raises(SettingsError, match="cannot be read"):
        credentials.load(tmp_path / "none")
    with pytest.raises(SettingsError, match="once"):
        credentials.load(written(tmp_path / "c", ENTRY, ENTRY))


def test_times_stored_never_repeat_and_hold_back_what_is_read() -> None:
    """Times grow by more than each batch takes; while one is open, consistency ends before it."""
    timestamps = StoredTimestamps()
    with timestamps.reserve(1000) as first, timestamps.reserve(5) as second:
        assert second >= first + 1000
        assert timestamps.consistent_through() == first - 1
    assert timestamps.consistent_through() >= first
