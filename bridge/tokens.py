"""The development signing key and tokens made with it: for ``cpd-bridge dev`` and ``token``, never for production."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable
from pathlib import Path

import orjson
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

DEV_ISSUER = "cpd-bridge-dev"
PRIVATE_NAME = "dev-signing-key.json"
PUBLIC_NAME = "dev-public-key.json"
_ALGORITHM = "ES256"


def dev_key(local_dir: Path) -> ECKey:
    """The P-256 signing key of ``local_dir``, made when missing (mode 0600); its public JWK set is written beside it.

    Two processes that make it at once end up with the same key: the first to link its file wins (POSIX ``link``).
    Raises ``OSError`` when the directory cannot be written.
    """
    local_dir.mkdir(parents=True, exist_ok=True)
    path = local_dir / PRIVATE_NAME
    if not path.exists():
        _make(path)
    key = ECKey.import_key(orjson.loads(path.read_bytes()))
    _publish(local_dir / PUBLIC_NAME, KeySet([key]))
    return key


def dev_token(
    local_dir: Path,
    subject: str,
    roles: Iterable[str],
    issuer: str = DEV_ISSUER,
    audience: str = "cpd-bridge",
    hours: float = 12,
) -> str:
    """A compact JWT (RFC 7519) for ``subject`` with ``roles``, good for ``hours`` from now."""
    key = dev_key(local_dir)
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": audience,
        "sub": subject,
        "roles": list(roles),
        "iat": now,
        "exp": now + int(hours * 3600),
    }
    return jwt.encode({"alg": _ALGORITHM, "kid": key.kid}, claims, key)


def _make(path: Path) -> None:
    key = ECKey.generate_key("P-256", private=True, auto_kid=True, parameters={"use": "sig", "alg": _ALGORITHM})
    draft = _draft(path, orjson.dumps(key.as_dict(private=True)), mode=0o600)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first; its key is the key
    finally:
        draft.unlink()


def _publish(path: Path, keys: KeySet) -> None:
    content = orjson.dumps(keys.as_dict(private=False))
    if not path.exists() or path.read_bytes() != content:
        _draft(path, content, mode=0o644).replace(path)


def _draft(path: Path, content: bytes, mode: int) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    draft.touch(mode)
    draft.write_bytes(content)
    return draft
