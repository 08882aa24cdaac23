"""Small files of each kind that evidence may be, and some that only look like it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from types import MappingProxyType

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(20)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(20)
ODT_TYPE = "application/vnd.oasis.opendocument.text"


NO_PARTS: Mapping[str, str | bytes] = MappingProxyType({})
OFFICE, SCRIPT = (f"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0" for name in ("office", "script"))
TYPES = "application/vnd.openxmlformats-officedocument.wordprocessingml"
RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"


def archive(parts: Mapping[str, str | bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    """Return a ZIP of these parts, in this order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as zip_file:
        for name, content in parts.items():
            zip_file.writestr(name, content, zipfile.ZIP_STORED if name == "mimetype" else None)
    return buffer.getvalue()


def content_types(name: str = "/word/styles.xml", kind: str = f"{TYPES}.styles+xml") -> str:
    """Return a Word document's list of content types: that of one part beside the document's own."""
    all_parts = {"/word/document.xml": f"{TYPES}.document.main+xml", name: kind}
    overrides = "".join(f'<Override PartName="{name}" ContentType="{kind}"/>' for name, kind in all_parts.items())
    return f'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">{overrides}</Types>'


def relationship(kind: str, target: str) -> str:
    """Return a list of one relationship."""
    element = f'<Relationship Id="rId1" Type="{kind}" Target="{target}"/>'
    return f'<Relationships xmlns="{RELATIONSHIPS}">{element}</Relationships>'


def docx(parts: Mapping[str, str | bytes] = NO_PARTS, packing: int = zipfile.ZIP_STORED) -> bytes:
    """Return the bones of a Word document, its own parts after those given, as some programs order them."""
    all_parts = {"word/document.xml": "<document/>", "[Content_Types].xml": content_types()}
    return archive({**parts, **{name: content for name, content in all_parts.items() if name not in parts}}, packing)


def content(body: str = "") -> str:
    """Return an OpenDocument text's content."""
    spaces = f'xmlns:office="{OFFICE}" xmlns:script="{SCRIPT}" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"<office:document-content {spaces}>{body}<office:scripts/></office:document-content>"


def odt(
    media_type: str = ODT_TYPE, parts: Mapping[str, str | bytes] = NO_PARTS, packing: int = zipfile.ZIP_STORED
) -> bytes:
    """Return the bones of an OpenDocument file."""
    return archive({"mimetype": media_type, "content.xml": content(), **parts}, packing)
