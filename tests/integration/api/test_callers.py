"""Who may call: tokens, keys, roles and rates."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from joserfc import jws, jwt
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey

from bridge import tokens
from bridge.api.http.auth import RemoteKeys
from tests.integration.api.sample import Client, Start, bearer, claims, problem, signed


async def test_good_token_reads(client: Client, member: dict[str, str]) -> None:
    """A good token lets a member read, and the answer holds what its type declares and no more."""
    response = await client.get("/v1/notes/n1", headers=member)
    assert response.status == 200
    assert await response.json() == {"id": "n1", "title": "Note 1", "minutes": None, "version": 1}


async def test_no_token(client: Client) -> None:
    """Without a token the challenge carries no error code (RFC 6750 §3.1)."""
    response = await client.get("/v1/notes")
    await problem(response, 401, "unauthenticated")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="cpd-bridge"'


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "someone-else"},
        {"iss": None},
        {"aud": "another-service"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": float("nan")},
        {"exp": True},
        {"nbf": 2**40},
        {"iat": 2**40},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 201},
        {"sub": ["m1"]},
        {"roles": "member"},
        {"roles": [1]},
        {"roles": {"member": True}},
        pytest.param({"deep": orjson.loads(b"[" * 300 + b"]" * 300)}, id="deep"),
    ],
    ids=str,
)
async def test_bad_claims(client: Client, tmp_path: Path, changes: dict[str, Any]) -> None:
    """A claim that is wrong or missing is 401, whoever signed it."""
    response = await client.get("/v1/notes", headers=bearer(signed(tmp_path, **changes)))
    await problem(response, 401, "unauthenticated")
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("subject", ["m\ud83d", "\udc00m"], ids=ascii)
async def test_half_a_surrogate_is_no_subject(client: Client, tmp_path: Path, subject: str) -> None:
    """JSON may escape what UTF-8 cannot hold; such a subject is 401, not a crash where it is looked up."""
    key = tokens.dev_key(tmp_path)
    content = json.dumps(claims(sub=subject)).encode()
    token = jws.serialize_compact({"alg": "ES256", "kid": key.kid}, content, key)
    await problem(await client.get("/v1/notes", headers=bearer(token)), 401, "unauthenticated")


def _packed(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _unsigned() -> str:
    return f"{_packed(orjson.dumps({'alg': 'none'}))}.{_packed(orjson.dumps(claims()))}."


def _confused(local_dir: Path) -> str:
    """Signed with HMAC, the public key being the secret; by hand, as the library refuses to."""
    key = tokens.dev_key(local_dir)
    content = f"{_packed(orjson.dumps({'alg': 'HS256', 'kid': key.kid}))}.{_packed(orjson.dumps(claims()))}"
    return f"{content}.{_packed(hmac.digest(key.as_pem(private=False), content.encode(), 'sha256'))}"


async def test_bad_signatures(client: Client, tmp_path: Path) -> None:
    """Unsigned tokens, HMAC with the public key, and keys of others are 401; so is what is no token at all."""
    stranger = ECKey.generate_key("P-256", auto_kid=True)
    kid = tokens.dev_key(tmp_path).kid
    bad = [
        _unsigned(),
        _confused(tmp_path),
        jwt.encode({"alg": "ES256", "kid": stranger.kid}, claims(), stranger),
        jwt.encode({"alg": "ES256", "kid": kid}, claims(), stranger),
        signed(tmp_path)[:-4] + "AAAA",
        "W10.W10.W10",
        "WyJhbGciXQ.e30.e30",
        "a.b.c.d.e",
        "x",
    ]
    for token in bad:
        await problem(await client.get("/v1/notes", headers=bearer(token)), 401, "unauthenticated")


@pytest.mark.parametrize("header", ["Basic bTpt", "Bearer", "Bearer  ", "bearer\tx"])
async def test_bad_authorization_headers(client: Client, header: str) -> None:
    """An Authorization header that is no bearer token is 401."""
    await problem(await client.get("/v1/notes", headers={"Authorization": header}), 401, "unauthenticated")


async def test_other_algorithms(start: Start, tmp_path: Path) -> None:
    """RSA and EdDSA keys work, from PEM and from a JWK set, and a lone key whatever the token's kid."""
    rsa, okp = RSAKey.generate_key(2048), OKPKey.generate_key("Ed25519", auto_kid=True)
    (tmp_path / "rsa.pem").write_bytes(rsa.as_pem(private=False))
    (tmp_path / "okp.json").write_bytes(orjson.dumps(KeySet([okp]).as_dict(private=False)))
    by_pem, by_set = await start(auth_key_file=tmp_path / "rsa.pem"), await start(auth_key_file=tmp_path / "okp.json")
    for algorithm in ("RS256", "PS512"):
        token = jwt.encode({"alg": algorithm, "kid": "any"}, claims(), rsa, algorithms=[algorithm])
        assert (await by_pem.get("/v1/notes", headers=bearer(token))).status == 200
    token = jwt.encode({"alg": "Ed25519", "kid": okp.kid}, claims(), okp, algorithms=["Ed25519"])
    assert (await by_set.get("/v1/notes", headers=bearer(token))).status == 200


async def test_jwks_url(start: Start, tmp_path: Path) -> None:
    """Keys come from the issuer's JWK set and outlive the issuer; until it first answers, calls are 503."""
    keys = KeySet([tokens.dev_key(tmp_path)]).as_dict(private=False)
    answers = [web.Response(status=500), web.json_response(keys)]
    headers = bearer(signed(tmp_path))
    async with issuer(answers) as url:
        too_early = await start(auth_jwks_url=url)
        response = await too_early.get("/v1/notes", headers=headers)
        await problem(response, 503, "unavailable")
        assert response.headers["Retry-After"] == "5"
        client = await start(auth_jwks_url=url)
        assert (await client.get("/v1/notes", headers=headers)).status == 200
    assert (await client.get("/v1/notes", headers=headers)).status == 200


async def test_jwks_is_fetched_again(tmp_path: Path) -> None:
    """An unknown kid fetches the set again, once a minute at most; a set that cannot be read keeps the old one."""
    old, new = (ECKey.generate_key("P-256", auto_kid=True) for _ in range(2))
    sets = [web.json_response(KeySet(keys).as_dict(private=False)) for keys in (keys_of(old), keys_of(old, new))]
    answers = [sets[0], web.Response(text="not a set"), sets[1]]
    now = [0.0]
    async with issuer(answers) as url:
        remote = RemoteKeys(url, clock=lambda: now[0])
        calls_left: list[int] = []
        for now[0], kid in ((0, old.kid), (30, new.kid), (61, new.kid), (100, new.kid), (130, new.kid), (200, old.kid)):
            remote_key = await remote.find(kid)
            assert any(key.kid == old.kid for key in remote_key)
            calls_left.append(len(answers))
    assert calls_left == [2, 2, 1, 1, 0, 0]
    assert [key.kid for key in remote_key] == [old.kid, new.kid]


def keys_of(*keys: Key) -> list[Key]:
    """The keys as a list of any kind."""
    return list(keys)


@asynccontextmanager
async def issuer(answers: list[web.Response]) -> AsyncGenerator[str]:
    """Serve these answers one after the other; gives the address."""

    async def publish(_request: web.Request) -> web.Response:
        return answers.pop(0)

    app = web.Application()
    app.router.add_get("/jwks", publish)
    async with TestServer(app) as server:
        yield str(server.make_url("/jwks"))


async def test_wrong_role(client: Client, tmp_path: Path) -> None:
    """A role that the route does not take is 403, and names what it takes."""
    headers = bearer(tokens.dev_token(tmp_path, "x", ["ops"]))
    body = await problem(await client.get("/v1/notes", headers=headers), 403, "forbidden")
    assert "member" in body["detail"]


async def test_rate_limit(start: Start, tmp_path: Path, member: dict[str, str]) -> None:
    """One subject's calls are counted, another's are not its own."""
    client = await start(rate_limit="2/minute")
    for _ in range(2):
        assert (await client.get("/v1/notes", headers=member)).status == 200
    response = await client.get("/v1/notes", headers=member)
    await problem(response, 429, "rate-limited")
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    second = bearer(tokens.dev_token(tmp_path, "m2", ["member"]))
    assert (await client.get("/v1/notes", headers=second)).status == 200
