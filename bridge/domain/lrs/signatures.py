"""Signed statements: a JSON Web Signature (RFC 7515) over the statement, as an attachment (xAPI-Data §2.6)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry

from bridge.domain.fields import check_encoded
from bridge.domain.statements import bodies
from bridge.domain.statements.comparison import SIGNATURE, same
from bridge.domain.statements.dispositions import BadBody
from schemas import xapi
from schemas.xapi import Part

ALGORITHMS = ("RS256", "RS384", "RS512")
CONTENT_TYPE = "application/octet-stream"
LARGEST_SIGNATURE = 4 * 2**20
"""Bytes of a signature: it is read into memory, since it holds the statement once more."""

_UNREADABLE = (
    JoseError,
    BadBody,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    IndexError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
)

"""What the libraries raise for a JWS or a certificate that they cannot take apart."""


class SignatureRegistry(JWSRegistry):
    """The limits of a JWS: a statement as payload, certificates in the header, each within ``LARGEST_SIGNATURE``."""

    max_header_length = LARGEST_SIGNATURE
    max_payload_length = 2 * LARGEST_SIGNATURE
    max_signature_length = LARGEST_SIGNATURE


_REGISTRY = SignatureRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)


class BadSignature(Exception):
    """The signature is malformed, or is one of another statement; the text says what was expected."""


def signature_hashes(statement: Part) -> list[str]:
    """Return the hashes of a statement's signatures; raises ``BadSignature`` for a wrong content type."""
    signatures = [part for part in statement.get("attachments", ()) if part["usageType"] == SIGNATURE]
    if any(part["contentType"].partition(";")[0].strip().lower() != CONTENT_TYPE for part in signatures):
        raise BadSignature(f"the content type {CONTENT_TYPE} was expected of a signature")
    return [part["sha2"].lower() for part in signatures]


def check_signature(signature: bytes, statement: Part) -> None:
    """Raise ``BadSignature`` unless it is a JWS over ``statement``, and true to the certificate it names, if any."""
    try:
        check_encoded(signature.strip().partition(b".")[0])
        compact = jws.extract_compact(signature.strip(), registry=_REGISTRY)
        header = cast("Mapping[str, Any]", compact.headers())
        payload = bodies.decoded(compact.payload)
    except _UNREADABLE:
        raise BadSignature("a JWS in compact form, whose payload is the statement, was expected") from None
    if header.get("alg") not in ALGORITHMS:
        raise BadSignature(f"one of the algorithms {', '.join(ALGORITHMS)} was expected")
    if not (_is_statement(payload) and same(cast("dict[str, Any]", payload), statement)):
        raise BadSignature("a payload that is this statement was expected")
    if header.get("x5c"):
        _verify(signature.strip(), header)


def _is_statement(payload: object) -> bool:
    return any(xapi.is_valid(payload, version) for version in ("1.0.3", "2.0.0"))


def _verify(signature: bytes, header: Part) -> None:
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0]))
        public = certificate.public_key()
        if not isinstance(public, RSAPublicKey):
            raise BadSignature("a certificate of an RSA key was expected in x5c")
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        jws.deserialize_compact(signature, RSAKey.import_key(pem), registry=_REGISTRY)
    except _UNREADABLE:
        raise BadSignature("a signature by the key of its certificate (x5c) was expected") from None
