"""Authentication: bearer tokens (RFC 6750) that are JWTs (RFC 7519) signed with an asymmetric key, and their roles."""

from __future__ import annotations

from typing import Any, Final, cast

from aiohttp import web
from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError, UnsupportedAlgorithmError
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from bridge.api.http.context import ANONYMOUS, CALLER, ROLES, Caller, Role
from bridge.api.http.keys import Keys
from bridge.api.http.rates import RateLimit
from bridge.domain.statements.decoding import check_encoded
from bridge.errors import Forbidden, SettingsError, Unauthenticated
from bridge.settings import Settings

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
            raise Unauthenticated("The token has expired; get a new one.") from None
        except _UNREADABLE:
            raise Unauthenticated("The token is not one that this service takes; get one from its issuer.") from None


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
        raise Unauthenticated("Send a token as Authorization: Bearer <token>.")
    scheme, _, token = headers[0].partition(" ")
    if len(headers) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("Send exactly one Authorization header, as Authorization: Bearer <token>.")
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
            raise Forbidden(f"This needs the role {' or '.join(sorted(roles))}.")
        return caller


GATE: Final = web.AppKey("gate", Gate)


def gate(settings: Settings, keys: Keys) -> Gate:
    """The gate that the settings describe; raises ``SettingsError`` without an issuer."""
    if not settings.auth_issuer:
        raise SettingsError("No issuer to expect in tokens: set BRIDGE_AUTH_ISSUER.")
    verifier = Verifier(keys, settings.auth_issuer, settings.auth_audience, settings.auth_leeway)
    return Gate(verifier, RateLimit(settings.rate_limit) if settings.rate_limit else None)
