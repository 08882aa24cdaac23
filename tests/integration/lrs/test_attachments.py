"""Statements with attachments: multipart/mixed in and out, and signatures (xAPI-Communication §1.5, xAPI-Data §2.6)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from aiohttp import MultipartReader
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.jwk import OctKey, RSAKey

from bridge import wiring
from bridge.domain.members.identifiers import identifier_key
from tests.integration.lrs.client import BOUNDARY, JSON, Lrs, agent, attachment, multipart, new_id, part, statement
from tests.support.storage import storage

NOTES = b"first\r\n--line\x00\xff"
SIGNATURE = {
    "usageType": "http://adlnet.gov/expapi/attachments/signature",
    "contentType": "application/octet-stream",
}


async def test_attachments_come_back_as_they_went_in(lrs: Lrs) -> None:
    """The data is answered with ``attachments=true``, byte for byte and once, and left out without."""
    big = b"0123456789abcdef" * 40_000  # more than one chunk
    statements = [
        statement(attachments=[attachment(NOTES), attachment(big)]),
        statement(attachments=[attachment(NOTES)]),
    ]
    answer = await lrs.post_parts(statements, [part(NOTES), part(big)])
    assert answer.status == 200, await answer.text()
    answer = await lrs.call("GET", "statements", {"attachments": "true"})
    reader = MultipartReader.from_response(answer)
    first = await reader.next()
    assert first is not None
    assert len(orjson.loads(await first.read())["statements"]) == 2  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType] - a part, not a reader
    parts: dict[str, bytes] = {}
    while (body_part := await reader.next()) is not None:
        assert body_part.headers["Content-Transfer-Encoding"] == "binary"
        parts[body_part.headers["X-Experience-API-Hash"]] = bytes(await body_part.read())  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType] - as above
    assert parts == {attachment(data)["sha2"]: data for data in (NOTES, big)}
    assert (await lrs.call("GET", "statements")).content_type == JSON


async def test_what_is_wrong_with_attachments_is_refused(lrs: Lrs) -> None:
    """A part that no statement names, that is not what it names, or that lacks a header, is 400; nothing is stored."""
    original = statement(attachments=[attachment(NOTES)])
    cases: dict[str, list[tuple[dict[str, str], bytes]]] = {
        "no data": [],
        "too many parts": [part(NOTES), part(b"other")],
        "other data": [part(b"other", X_Experience_API_Hash=attachment(NOTES)["sha2"])],
        "no hash": [part(NOTES, X_Experience_API_Hash="")],
        "no encoding": [part(NOTES, Content_Transfer_Encoding="")],
        "another encoding": [part(NOTES, Content_Transfer_Encoding="base64")],
        "statements twice": [({"Content-Type": JSON}, orjson.dumps(original)), part(NOTES)],
    }
    for name, parts in cases.items():
        assert (await lrs.post_parts(original, parts)).status == 400, name
    assert await lrs.find() == []


async def test_a_body_that_is_not_multipart_is_refused(lrs: Lrs) -> None:
    """The boundary is in the header and in the body, and the first part is JSON (§1.5.2)."""
    whole = multipart([({"Content-Type": JSON}, orjson.dumps(statement()))])
    kind = f"multipart/mixed; boundary={BOUNDARY}"
    cases = [
        ("multipart/mixed", whole),
        ("multipart/mixed; boundary=other", whole),
        (kind, orjson.dumps(statement())),
        (kind, b""),
        (kind, multipart([part(NOTES)])),
        (kind, multipart([({"Content-Type": "text/plain"}, orjson.dumps(statement()))])),
    ]
    for header, body in cases:
        answer = await lrs.call("POST", "statements", data=body, headers={"Content-Type": header})
        assert answer.status == 400, (header, body)


async def test_put_takes_attachments_too(lrs: Lrs) -> None:
    """PUT stores one statement with its attachments."""
    body = multipart([({"Content-Type": JSON}, orjson.dumps(statement(attachments=[attachment(NOTES)]))), part(NOTES)])
    headers = {"Content-Type": f"multipart/mixed; boundary={BOUNDARY}"}
    answer = await lrs.call("PUT", "statements", {"statementId": new_id()}, data=body, headers=headers)
    assert answer.status == 204, await answer.text()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """A signer's key."""
    return rsa.generate_private_key(65537, 2048)


def certificate(key: rsa.RSAPrivateKey) -> str:
    """A certificate of the key, as ``x5c`` holds it."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "signer")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return base64.b64encode(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)).decode()


def changed(key: rsa.RSAPrivateKey, part: str, end: str) -> str:
    """A certificate of which a part, in hexadecimal, ends otherwise."""
    der = base64.b64decode(certificate(key)).hex()
    assert part in der
    return base64.b64encode(bytes.fromhex(der.replace(part, part[: -len(end)] + end))).decode()


def signed(payload: Any, key: rsa.RSAPrivateKey, **header: Any) -> bytes:
    """A signature over a payload."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    jws_header = {"alg": "RS256", **header}
    algorithms = ["RS256", "RS384", "RS512"]
    return jws.serialize_compact(jws_header, orjson.dumps(payload), RSAKey.import_key(pem), algorithms).encode()


def deep(levels: int) -> bytes:
    """A header that is JSON, and nested."""
    return base64.urlsafe_b64encode(b'{"alg":"RS256","x":' + b"[" * levels + b"]" * levels + b"}").rstrip(b"=")


async def sent(lrs: Lrs, body: dict[str, Any], signature: bytes, **extra: Any) -> int:
    """Send a statement with its signature; returns the status."""
    whole = {**body, "attachments": [attachment(signature, **{**SIGNATURE, **extra})]}
    return (await lrs.post_parts(whole, [part(signature, Content_Type=SIGNATURE["contentType"])])).status


async def test_a_true_signature_is_taken(lrs: Lrs, key: rsa.RSAPrivateKey) -> None:
    """RS256, RS384 and RS512 over the statement are taken, with and without a certificate."""
    for header in ({}, {"alg": "RS384"}, {"alg": "RS512"}, {"x5c": [certificate(key)]}):
        original = statement(id=new_id())
        assert await sent(lrs, original, signed(original, key, **header)) == 200


async def test_a_false_signature_is_refused(lrs: Lrs, key: rsa.RSAPrivateKey) -> None:
    """A signature that is malformed, of another statement, algorithm, key or content type, is 400 (xAPI-Data §2.6)."""
    original = statement(id=new_id())
    other_key = rsa.generate_private_key(65537, 2048)
    hs256 = jws.serialize_compact({"alg": "HS256"}, orjson.dumps(original), OctKey.import_key("0" * 32)).encode()
    cases = {
        "no JWS": b"signature",
        "of another": signed({**original, "verb": {"id": "https://verbs.example.org/burnt"}}, key),
        "of no statement": signed({"a": 1}, key),
        "of more values than fit into the memory": signed([{}] * 210_000, key),
        "another algorithm": hs256,
        "another key than its certificate's": signed(original, other_key, x5c=[certificate(key)]),
        "a certificate that is none": signed(original, key, x5c=["AAAA"]),
        "a certificate of an unknown kind of key": signed(
            original, key, x5c=[changed(key, "2a864886f70d010101", "63")]
        ),
        "a certificate of an unknown version": signed(original, key, x5c=[changed(key, "a003020102", "05")]),
        **{
            f"a header nested {levels} deep": b".".join([deep(levels), *signed(original, key).split(b".")[1:]])
            for levels in (253, 900, 5000, 200_000)
        },
    }
    for name, signature in cases.items():
        assert await sent(lrs, original, signature) == 400, name
    assert await sent(lrs, original, signed(original, key), contentType="text/plain") == 400
    without = {**original, "attachments": [attachment(b"x", **SIGNATURE, fileUrl="https://files.example.org/x")]}
    assert (await lrs.call("POST", "statements", json=without)).status == 400


async def test_an_attachment_goes_with_the_last_who_has_it(lrs: Lrs, services: wiring.Services) -> None:
    """Data that two statements of an erased person have goes, unless somebody else has it too."""
    statements = [statement(path=path, attachments=[attachment(NOTES)]) for path in ("book", "film")]
    for copies in (1, 0):
        foreign_statements = [statement("bob", attachments=[attachment(NOTES)])] * copies
        assert (await lrs.post_parts([*statements, *foreign_statements], [part(NOTES)])).status == 200
        await services.stores.removal.statements(
            await services.stores.subjects.of_identifiers([identifier_key(agent("ada"))])
        )
        assert await services.stores.lrs_attachments.has(attachment(NOTES)["sha2"]) is bool(copies)
        await services.stores.removal.statements(
            await services.stores.subjects.of_identifiers([identifier_key(agent("bob"))])
        )
    assert await storage(services).lrs_chunks.count() == 0


async def test_data_that_is_erased_while_it_is_uploaded_is_kept(lrs: Lrs, services: wiring.Services) -> None:
    """Somebody sends what only a person had who is erased meanwhile: it is stored, or asked for once more."""
    data, second = NOTES * 20_000, b"other" * 100_000
    attachments = [attachment(data), attachment(second)]
    headers = {"Content-Type": f"multipart/mixed; boundary={BOUNDARY}"}

    async def during(body: bytes, cut: int) -> AsyncGenerator[bytes]:
        yield body[:cut]
        await asyncio.sleep(0.5)
        await services.stores.removal.statements(
            await services.stores.subjects.of_identifiers([identifier_key(agent("ada"))])
        )
        yield body[cut:]

    for inside, expected in ((data, 200), (second, 503)):
        assert (await lrs.post_parts(statement(attachments=[attachment(data)]), [part(data)])).status == 200
        own_statement = statement("bob", id=new_id(), attachments=attachments)
        body = multipart([({"Content-Type": JSON}, orjson.dumps(own_statement)), part(data), part(second)])
        upload = during(body, body.index(inside) + 70_000)
        assert (await lrs.call("POST", "statements", data=upload, headers=headers)).status == expected
        assert (await lrs.call("POST", "statements", data=body, headers=headers)).status == 200
        answer = await lrs.call("GET", "statements", {"statementId": own_statement["id"], "attachments": "true"})
        assert data in (whole := await answer.read())
        assert second in whole
        await services.stores.removal.statements(
            await services.stores.subjects.of_identifiers([identifier_key(agent("bob"))])
        )
        assert await storage(services).lrs_chunks.count() == 0
