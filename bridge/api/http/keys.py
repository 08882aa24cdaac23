"""Public keys of the issuer, from a file or the JWK set (RFC 7517) that it publishes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, OctKey, OKPKey, RSAKey, import_key

from bridge import logs
from bridge.errors import SettingsError, Unavailable
from bridge.settings import Settings

log = structlog.get_logger()

Keys = Callable[[str | None], Awaitable[Key | KeySet]]
"""Gives the keys to check a token with, told the token's ``kid``; raises ``Unavailable`` when there are none yet."""

FETCH_TIMEOUT = 5.0  # seconds
REFETCH_AFTER = 60.0  # seconds between fetches for an unknown kid
RETRY_AFTER = 5.0  # seconds between fetches while there is no set at all
MAX_AGE = 3600.0  # seconds after which a set is fetched anew, so that a withdrawn key goes
MAX_BYTES = 2**20


def configured(settings: Settings) -> Keys:
    """The key source that the settings name; raises ``SettingsError`` when they name none or it cannot be read."""
    if settings.auth_key_file is not None:
        return _fixed(from_file(settings.auth_key_file))
    if settings.auth_jwks_url is not None:
        return RemoteKeys(settings.auth_jwks_url).find
    raise SettingsError("No key to check tokens with: set BRIDGE_AUTH_JWKS_URL or BRIDGE_AUTH_KEY_FILE.")


def _fixed(keys: Key | KeySet) -> Keys:
    async def find(_kid: str | None) -> Key | KeySet:
        return keys

    return find


def from_file(path: Path) -> Key | KeySet:
    """Read a PEM public key, a JWK or a JWK set; raises ``SettingsError`` naming the setting.

    A lone key is used whatever a token's ``kid``; in a set the ``kid`` chooses.
    """
    try:
        content = path.read_bytes()
        return _from_pem(content) if content.lstrip().startswith(b"-----BEGIN") else _from_jwk(orjson.loads(content))
    except (OSError, ValueError, KeyError, TypeError, JoseError):
        raise SettingsError(
            "BRIDGE_AUTH_KEY_FILE cannot be read as a public key: give a PEM, JWK or JWK set file (RSA, EC or OKP)."
        ) from None


def _from_pem(content: bytes) -> Key:
    for kind in (RSAKey, ECKey, OKPKey):
        try:
            return kind.import_key(content)
        except (ValueError, TypeError, JoseError):
            continue
    raise ValueError("no public key")


def _from_jwk(content: Any) -> Key | KeySet:
    if "keys" not in content:
        return _asymmetric([import_key(content)])[0]
    return KeySet(_asymmetric(KeySet.import_key_set(content).keys))


def _asymmetric(keys: list[Key]) -> list[Key]:
    usable: list[Key] = [key for key in keys if not isinstance(key, OctKey)]
    if not usable:
        raise ValueError("no public key")
    return usable


class RemoteKeys:
    """The issuer's JWK set, fetched when needed and again for an unknown ``kid``; a failed fetch keeps the old."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._keys: KeySet | None = None
        self._tried = float("-inf")
        self._fetched = float("-inf")
        self._fetching = asyncio.Lock()

    async def find(self, kid: str | None) -> KeySet:
        """The set to look ``kid`` up in; raises ``Unavailable`` when the issuer has never answered."""
        if self._is_due(kid):
            async with self._fetching:
                if self._is_due(kid):
                    await self._refresh()
        if self._keys is None:
            raise Unavailable("The keys to check tokens with cannot be fetched just now.", retry_after=int(RETRY_AFTER))
        return self._keys

    def _is_due(self, kid: str | None) -> bool:
        since_try = self._clock() - self._tried
        if self._keys is None:
            return since_try >= RETRY_AFTER
        unknown = kid is not None and all(key.kid != kid for key in self._keys)
        aged = self._clock() - self._fetched >= MAX_AGE
        return (unknown or aged) and since_try >= REFETCH_AFTER

    async def _refresh(self) -> None:
        self._tried = self._clock()
        try:
            fetched = _from_jwk(orjson.loads(await self._fetch()))
            self._keys = fetched if isinstance(fetched, KeySet) else KeySet([fetched])
            self._fetched = self._clock()
        except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError, JoseError) as error:
            log.warning("jwks_fetch_failed", has_old_set=self._keys is not None, **logs.failure(error))

    async def _fetch(self) -> bytes:
        limit = aiohttp.ClientTimeout(total=FETCH_TIMEOUT)
        async with (
            aiohttp.ClientSession(timeout=limit, raise_for_status=True) as session,
            session.get(self._url, allow_redirects=False) as response,
        ):
            content = await response.content.read(MAX_BYTES)
            while len(content) < MAX_BYTES and (more := await response.content.read(MAX_BYTES - len(content))):
                content += more
            return content
