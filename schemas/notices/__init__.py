"""The words of the e-mail notices in English: ``<name>.txt``, a subject and paragraphs, with blank lines between.

``{name}``, ``{start}``, ``{end}``, ``{due_date}``, ``{days}`` and ``{receipt}`` are filled in; the portal's address
goes before the last paragraph. The catalogues of ``schemas.languages`` have each paragraph in the other languages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

_HERE = Path(__file__).parent

TEMPLATES: Mapping[str, Sequence[str]] = {
    path.stem: path.read_text(encoding="utf-8").strip().split("\n\n") for path in sorted(_HERE.glob("*.txt"))
}
"""Name → subject and paragraphs."""

FRAME: str = (_HERE / "frame.html").read_text(encoding="utf-8")
"""The HTML document around the paragraphs of any notice."""
