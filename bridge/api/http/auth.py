"""Authentication: bearer tokens (RFC 6750) that are JWTs (RFC 7519) signed with an asymmetric key, and their roles."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, cast

import aiohttp
import limits
import orjson
import structlog
from aiohttp import web
from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, Key, KeySet, OctKey, OKPKey, RSAKey, import_key
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from bridge import logs
from bridge.api.http.context import ANONYMOUS, CALLER, ROLES, Caller, Role
from bridge.domain.fields import check_encoded
from bridge.errors import Forbidden, RateLimited, SettingsError, Unauthenticated, Unavailable
from bridge.settings import Settings
from bridge.texts import Text

log = structlog.get_logger()

Keys = Callable[[str | None], Awaitable[Key | KeySet]]
"""Gives the keys to check a token with, told the token's ``kid``; raises ``Unavailable`` when there are none yet."""

FETCH_TIMEOUT = 5.0  # seconds
REFETCH_AFTER = 60.0  # seconds between fetches for an unknown kid
RETRY_AFTER = 5.0  # seconds between fetches while there is no set at all
MAX_AGE = 3600.0  # seconds after which a set is fetched anew, so that a withdrawn key goes
MAX_BYTES = 2**20

Roles = frozenset[Role] | None
PUBLIC: Final = None
"""The ``roles`` of a route that needs no token."""

ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448"}
)
MAX_SUBJECT: Final = 200  # characters, as for any id in a path

# What a token from elsewhere may do to the libraries that read it, besides failing the signature.
_UNREADABLE = (JoseError, ValueError, TypeError, AttributeError, KeyError, OverflowError)


class TokenRegistry(JWSRegistry):
    """Asymmetric algorithms only; a header parameter that we do not use is ignored (RFC 7515 §4)."""

    max_header_length = 8192  # a certificate chain (x5c) is in there at some issuers

    def get_alg(self, name: str) -> Any:
        """The algorithm of this name; raises ``UnsupportedAlgorithmError`` for any other."""
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError(f"Algorithm of '{name}' is not allowed")
        return self.algorithms[name]


_REGISTRY = TokenRegistry(strict_check_header=False)


class Verifier:
    """The check of a token's signature, issuer, audience and times, which gives the caller."""

    def __init__(self, keys: Keys, issuer: str, audience: str, leeway: int) -> None:
        self._keys = keys
        self._claims = JWTClaimsRegistry(
            leeway=leeway,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def verify(self, token: str) -> Caller:
        """The caller that ``token`` speaks for; raises ``Unauthenticated``, or ``Unavailable`` without keys."""
        try:
            keys = await self._keys(_key_id(token))
            claims = jwt.decode(token, keys, registry=_REGISTRY).claims
            self._claims.validate(claims)
            return _caller(claims)
        except ExpiredTokenError:
            raise Unauthenticated(Text("The token has expired; get a new one.")) from None
        except _UNREADABLE:
            raise Unauthenticated(
                Text("The token is not one that this service takes; get one from its issuer.")
            ) from None


def _key_id(token: str) -> str | None:
    compact = token.encode("ascii")
    for part in compact.split(b".")[:2]:  # header and claims
        check_encoded(part)
    kid = jws.extract_compact(compact, registry=_REGISTRY).headers().get("kid")
    return kid if isinstance(kid, str) else None


def _caller(claims: dict[str, Any]) -> Caller:
    subject, roles = claims["sub"], claims.get("roles", [])
    if not isinstance(subject, str):
        raise TypeError("sub")
    if not subject or len(subject) > MAX_SUBJECT or "\0" in subject:
        raise ValueError("sub")
    subject.encode()  # JSON may escape half a surrogate, which is no text: a ValueError, too
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in cast("list[object]", roles)):
        raise TypeError("roles")
    return Caller(subject, ROLES.intersection(cast("list[Role]", roles)))


def bearer(request: web.Request) -> str:
    """The bearer token of the request; raises ``Unauthenticated`` unless there is exactly one (RFC 6750 §2.1)."""
    headers = request.headers.getall("Authorization", [])
    if not headers:
        raise Unauthenticated(Text("Send a token as Authorization: Bearer <token>."))
    scheme, _, token = headers[0].partition(" ")
    if len(headers) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(Text("Send exactly one Authorization header, as Authorization: Bearer <token>."))
    return token.strip()


class Gate:
    """The gate of a route: lets a request through, or says why not."""

    def __init__(self, verifier: Verifier, limit: RateLimit | None) -> None:
        self._verifier = verifier
        self._limit = limit

    async def admit(self, request: web.Request, roles: Roles) -> Caller:
        """The verified caller; raises ``Unauthenticated``, ``RateLimited``, or ``Forbidden`` (none of ``roles``)."""
        if roles is None:  # PUBLIC
            return ANONYMOUS
        caller = await self._verifier.verify(bearer(request))
        if self._limit is not None:
            self._limit.count(caller.subject)
        request[CALLER] = caller
        if not caller.roles & roles:
            raise Forbidden(Text("This needs the role {roles}.", roles=tuple(sorted(roles))))
        return caller


GATE: Final = web.AppKey("gate", Gate)


def gate(settings: Settings, keys: Keys) -> Gate:
    """The gate that the settings describe; raises ``SettingsError`` without an issuer."""
    if not settings.auth_issuer:
        raise SettingsError("No issuer to expect in tokens: set BRIDGE_AUTH_ISSUER.")
    verifier = Verifier(keys, settings.auth_issuer, settings.auth_audience, settings.auth_leeway)
    return Gate(verifier, RateLimit(settings.rate_limit) if settings.rate_limit else None)


def configured_keys(settings: Settings) -> Keys:
    """The key source that the settings name; raises ``SettingsError`` when they name none or it cannot be read."""
    if settings.auth_key_file is not None:
        return _fixed(keys_from_file(settings.auth_key_file))
    if settings.auth_jwks_url is not None:
        return RemoteKeys(settings.auth_jwks_url).find
    raise SettingsError("No key to check tokens with: set BRIDGE_AUTH_JWKS_URL or BRIDGE_AUTH_KEY_FILE.")


def _fixed(keys: Key | KeySet) -> Keys:
    async def find(_kid: str | None) -> Key | KeySet:
        return keys

    return find


def keys_from_file(path: Path) -> Key | KeySet:
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
        self._last_try = float("-inf")
        self._last_fetch = float("-inf")
        self._fetching = asyncio.Lock()

    async def find(self, kid: str | None) -> KeySet:
        """The set to look ``kid`` up in; raises ``Unavailable`` when the issuer has never answered."""
        if self._is_due(kid):
            async with self._fetching:
                if self._is_due(kid):
                    await self._refresh()
        if self._keys is None:
            raise Unavailable(
                Text("The keys to check tokens with cannot be fetched just now."), retry_after=int(RETRY_AFTER)
            )
        return self._keys

    def _is_due(self, kid: str | None) -> bool:
        since_try = self._clock() - self._last_try
        if self._keys is None:
            return since_try >= RETRY_AFTER
        unknown = kid is not None and all(key.kid != kid for key in self._keys)
        aged = self._clock() - self._last_fetch >= MAX_AGE
        return (unknown or aged) and since_try >= REFETCH_AFTER

    async def _refresh(self) -> None:
        self._last_try = self._clock()
        try:
            new_keys = _from_jwk(orjson.loads(await self._fetch()))
            self._keys = new_keys if isinstance(new_keys, KeySet) else KeySet([new_keys])
            self._last_fetch = self._clock()
        except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError, JoseError) as error:
            log.warning("jwks_fetch_failed", has_old_set=self._keys is not None, **logs.failure(error))

    async def _fetch(self) -> bytes:
        limit = aiohttp.ClientTimeout(total=FETCH_TIMEOUT)
        async with (
            aiohttp.ClientSession(timeout=limit, raise_for_status=True) as session,
            session.get(self._url, allow_redirects=False) as response,
        ):
            content = await response.content.read(MAX_BYTES)
            while len(content) < MAX_BYTES and (chunk := await response.content.read(MAX_BYTES - len(content))):
                content += chunk
            return content


class RateLimit:
    """A limit such as ``600/minute``; raises ``SettingsError`` when it cannot be read."""

    def __init__(self, text: str) -> None:
        try:
            self._item = limits.parse(text)
        except ValueError:
            raise SettingsError(f"BRIDGE_RATE_LIMIT is wrong: {text!r}; write it as 600/minute.") from None
        # The storage that blocks: it takes microseconds, while the one for asyncio visits every subject on each hit.
        self._window = MovingWindowRateLimiter(MemoryStorage())

    def count(self, subject: str) -> None:
        """Count one call of ``subject``; raises ``RateLimited`` with the seconds to wait when it is one too many."""
        if self._window.hit(self._item, subject):
            return
        free_at = self._window.get_window_stats(self._item, subject).reset_time
        wait = max(1, math.ceil(free_at - time.time()))
        raise RateLimited(Text("Wait {seconds} s, then call again.", seconds=wait), retry_after=wait)
