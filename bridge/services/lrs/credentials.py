"""Credentials of the LRS: keys with hashed secrets, scopes, and the authority of what each one stores."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from bridge.errors import Forbidden, SettingsError, Unauthenticated
from schemas import xapi
from schemas.xapi import NewPart, Part

Scope = Literal["statements/write", "statements/read/mine", "statements/read", "state", "profile", "all"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

COST, BLOCK, LANES = 2**14, 8, 1
"""scrypt's N, r and p (RFC 7914): about 50 ms and 16 MB for one check."""

REMEMBERED = 1024
"""Verified secrets remembered, as a keyed hash in memory alone, so that not each request costs a scrypt."""

AT_ONCE = 2
"""Checks made at once: guessing must not take the process's memory."""


class CredentialIn(BaseModel):
    """One entry of the credentials file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^:\x00-\x1f]+$")]
    secret_hash: Annotated[str, Field(pattern=r"^scrypt\$[A-Za-z0-9+/=]{16,}\$[A-Za-z0-9+/=]{40,}$")]
    authority: NewPart
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]

    @field_validator("authority")
    @classmethod
    def _agent(cls, value: NewPart) -> NewPart:
        if not xapi.fits_part("agent", value):
            raise ValueError("an xAPI Agent with exactly one identifier was expected")
        return {"objectType": "Agent", **value}


_FILE: Final = TypeAdapter(Annotated[tuple[CredentialIn, ...], Field(min_length=1)])


@dataclass(frozen=True, slots=True)
class Credential:
    """A verified caller of the LRS."""

    key: str
    authority: Part
    scopes: frozenset[Scope]

    def may(self, *scopes: Scope) -> bool:
        """Say whether it has one of these scopes, or ``all``."""
        return bool(self.scopes.intersection(("all", *scopes)))

    def need(self, *scopes: Scope) -> None:
        """Raise ``Forbidden`` unless it has one of these scopes."""
        if not self.may(*scopes):
            raise Forbidden(f"This needs a credential with the scope {' or '.join(scopes)}.")


def hash_secret(secret: str) -> str:
    """Return what the credentials file keeps of a secret."""
    salt = secrets.token_bytes(16)
    return f"scrypt${base64.b64encode(salt).decode()}${base64.b64encode(_scrypt(secret, salt)).decode()}"


def _scrypt(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=COST, r=BLOCK, p=LANES, maxmem=2**26)


def load(path: Path) -> Sequence[CredentialIn]:
    """Read the credentials file; raises ``SettingsError`` that names what is wrong and never a value."""
    try:
        entries = _FILE.validate_json(path.read_bytes())
    except OSError:
        raise SettingsError(f"BRIDGE_LRS_CREDENTIALS_FILE cannot be read: {path}") from None
    except ValidationError as error:
        faults = "\n".join(f"  {'/'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise SettingsError(f"BRIDGE_LRS_CREDENTIALS_FILE is wrong:\n{faults}") from None
    if len({entry.key for entry in entries}) < len(entries):
        raise SettingsError("BRIDGE_LRS_CREDENTIALS_FILE is wrong: each key may stand there once.")
    return entries


class Credentials:
    """The credentials of the file; keys and secrets are checked in constant time."""

    def __init__(self, entries: Sequence[CredentialIn]) -> None:
        self._entries = {entry.key: entry for entry in entries}
        self._unknown_hash = hash_secret(secrets.token_hex())  # an unknown key costs what a known one does
        self._memory_key = secrets.token_bytes(32)
        self._verified_credentials: OrderedDict[bytes, Credential] = OrderedDict()
        self._lanes = asyncio.Semaphore(AT_ONCE)

    async def verify(self, key: str, secret: str) -> Credential:
        """Return the credential; raises ``Unauthenticated``."""
        proof = hmac.digest(self._memory_key, f"{key}:{secret}".encode(), "sha256")
        credential = self._verified_credentials.get(proof)
        if credential is not None:
            self._verified_credentials.move_to_end(proof)
            return credential
        credential = await self._check(key, secret)
        self._verified_credentials[proof] = credential
        while len(self._verified_credentials) > REMEMBERED:
            self._verified_credentials.popitem(last=False)
        return credential

    async def _check(self, key: str, secret: str) -> Credential:
        entry = self._entries.get(key)
        _, salt, expected = (entry.secret_hash if entry else self._unknown_hash).split("$")
        async with self._lanes:
            secret_digest = await asyncio.to_thread(_scrypt, secret, base64.b64decode(salt))
        if not hmac.compare_digest(secret_digest, base64.b64decode(expected)) or entry is None:
            raise Unauthenticated("The key or the secret is not known here.")
        return Credential(entry.key, entry.authority, frozenset(entry.scopes))
