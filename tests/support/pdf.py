"""Reads PDFs back: what an independent checker finds wrong, the text, the tags."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import page
from pypdf import PdfReader
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject

PROFILES = (page.ValidationProfile.PDF_UA_1, page.ValidationProfile.PDF_A_2A)
_LENGTH = "a stream /Length does not match its raw content length"
_LANGUAGE = re.compile(rb"/Lang ?\(([A-Za-z-]+)\)")
_STREAM = re.compile(rb"<<[^\n]*?/Length (\d+)[^\n]*>>\nstream\n")


def faults(pdf: bytes) -> list[str]:
    """What the checker (page-validation, MIT) finds against PDF/UA-1 and PDF/A-2a, as "profile: message".

    It takes a carriage return that ends a stream's data for part of the line end after it. That one finding counts
    only when a length is indeed wrong, which is checked here for every stream.
    """
    limits = page.SafetyLimits(max_reference_depth=100_000, max_object_count=5_000_000)
    rule_faults = [
        f"{profile.value}: {failure.message}"
        for profile in PROFILES
        for failure in page.validate_pdf_bytes(pdf, profile=profile, limits=limits).failures
    ]
    return rule_faults if not lengths_are_right(pdf) else [fault for fault in rule_faults if _LENGTH not in fault]


def lengths_are_right(pdf: bytes) -> bool:
    """Whether every stream ends where its length says."""
    streams = list(_STREAM.finditer(pdf))
    return bool(streams) and all(
        pdf.startswith(b"\nendstream\nendobj", stream.end() + int(stream[1])) for stream in streams
    )


def text_of(pdf: bytes) -> str:
    """All text, page by page; what was put in to let long words break is left out."""
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages).replace("\u200b", "")


def tags(pdf: bytes) -> Iterator[dict[str, Any]]:
    """Every element of the structure tree."""
    root: Any = PdfReader(io.BytesIO(pdf)).trailer["/Root"]
    pending_rows: list[Any] = [root["/StructTreeRoot"]["/K"]]
    while pending_rows:
        element: Any = pending_rows.pop()
        element = element.get_object() if isinstance(element, IndirectObject) else element
        if isinstance(element, ArrayObject):
            pending_rows += element
        elif isinstance(element, DictionaryObject):
            yield element
            pending_rows.append(element.get("/K"))


def languages(pdf: bytes) -> set[str]:
    """Every language that a passage is marked with, by its tag or in the page."""
    contents: list[Any] = [page.get_contents() for page in PdfReader(io.BytesIO(pdf)).pages]
    marked_languages = {name.decode() for content in contents for name in _LANGUAGE.findall(content.get_data())}
    return marked_languages | {str(tag["/Lang"]) for tag in tags(pdf) if "/Lang" in tag}
