"""Character sets that a sender may declare: the body becomes UTF-8, which JSON between systems is (RFC 8259 §8.1)."""

from __future__ import annotations

import codecs
import re
from encodings.aliases import aliases
from typing import Final

from bridge.domain.statements.bodies import UnreadableBody

_PARAMETER: Final = re.compile(r""";\s*charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)
_CODECS: Final = {
    name: codec
    for alias, codec in aliases.items()
    for name in (alias, codec)
    if not codec.endswith("_codec") and codec not in {"mbcs", "rot_13"}  # those are no character sets
}
_BOMS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)  # that of UTF-32LE begins as UTF-16LE's


def codec_of(charset: str) -> str | None:
    """Return Python's name of a character set; None when it is not known."""
    return _CODECS.get(re.sub(r"[^a-z0-9]+", "_", charset.lower()))


def declared_by(content_type: str | None) -> str | None:
    """Return the codec of a media type's parameter ``charset``, if it has one that is known."""
    parameter = _PARAMETER.search(content_type or "")
    return codec_of(parameter[1]) if parameter else None


def is_wide(body: bytes) -> bool:
    """Say whether a JSON text is UTF-16 or UTF-32: it begins with ASCII, so that either shows."""
    return body.startswith(_BOMS) or b"\0" in body[:4]


def in_utf8(body: bytes, codec: str | None) -> bytes:
    """Return a body that was declared to be of a character set in UTF-8; raises ``UnreadableBody``.

    What is UTF-8 in spite of what was declared stays as it is: many clients declare a default of theirs.
    """
    if codec is None or codec in {"ascii", "utf_8"}:
        return body
    wide = codec.startswith(("utf_16", "utf_32"))
    if (not is_wide(body)) if wide else _is_utf8(body):
        return body
    if codec in {"utf_16", "utf_32"} and not body.startswith(_BOMS):
        codec += "_be" if body.startswith(b"\0") else "_le"
    try:
        return body.decode(codec, "surrogatepass" if wide else "strict").encode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise UnreadableBody(f"a body in the character set {codec}, as its properties say, was expected") from None


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
