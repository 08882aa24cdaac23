"""Small files of each kind that evidence may be, and some that only look like it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(20)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(20)
ODT_TYPE = "application/vnd.oasis.opendocument.text"


def archive(parts: Mapping[str, str | bytes]) -> bytes:
    """Return a ZIP of these parts, in this order, not compressed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        for name, content in parts.items():
            opened.writestr(name, content)
    return packed.getvalue()


def docx(**parts: str | bytes) -> bytes:
    """Return the bones of a Word document, its own parts after those given, as some programs order them."""
    return archive({**parts, "word/document.xml": "<document/>", "[Content_Types].xml": "<Types/>"})


def odt(media_type: str = ODT_TYPE) -> bytes:
    """Return the bones of an OpenDocument file."""
    return archive({"mimetype": media_type, "content.xml": "<office:document-content/>"})
