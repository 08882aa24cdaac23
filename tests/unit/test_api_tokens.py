"""The development key and its tokens."""

from __future__ import annotations

import multiprocessing
import stat
import time
from pathlib import Path

import orjson
import pytest
from joserfc import jwt

from bridge.api.http import auth
from bridge.errors import SettingsError
from bridge.tokens import DEV_ISSUER, PRIVATE_NAME, PUBLIC_NAME, dev_key, dev_token


def _kid(local_dir: Path) -> str | None:
    return dev_key(local_dir).kid


def test_key_is_made_once(tmp_path: Path) -> None:
    """The key stays, only its owner may read it, and its public part holds no secret."""
    first = dev_key(tmp_path / "new")
    assert dev_key(tmp_path / "new").kid == first.kid
    assert stat.S_IMODE((tmp_path / "new" / PRIVATE_NAME).stat().st_mode) == 0o600
    public = orjson.loads((tmp_path / "new" / PUBLIC_NAME).read_bytes())
    assert [key["kid"] for key in public["keys"]] == [first.kid]
    assert "d" not in public["keys"][0]


def test_processes_agree(tmp_path: Path) -> None:
    """Processes that make the key at once end up with one, and leave no draft behind."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        kids = pool.map(_kid, [tmp_path] * 8)
    assert len(set(kids)) == 1
    assert {path.name for path in tmp_path.iterdir()} == {PRIVATE_NAME, PUBLIC_NAME}


def test_token_says_who(tmp_path: Path) -> None:
    """A token carries subject, roles, issuer, audience and its hours."""
    token = dev_token(tmp_path, "m1", ["member", "ops"], hours=2)
    claims = jwt.decode(token, auth.keys_from_file(tmp_path / PUBLIC_NAME), algorithms=["ES256"]).claims
    assert (claims["sub"], claims["roles"]) == ("m1", ["member", "ops"])
    assert (claims["iss"], claims["aud"]) == (DEV_ISSUER, "cpd-bridge")
    assert abs(claims["exp"] - time.time() - 7200) < 60


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "nonsense",
        "-----BEGIN PUBLIC KEY-----\nAA==\n",
        '{"kty":"oct","k":"c2VjcmV0LWtleS1tYXRlcmlhbA"}',
        '{"keys":[]}',
        "[]",
    ],
)
def test_bad_key_files(tmp_path: Path, content: str | None) -> None:
    """A key file that is missing, unreadable or symmetric names its setting."""
    path = tmp_path / "key"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError, match="BRIDGE_AUTH_KEY_FILE"):
        auth.keys_from_file(path)
