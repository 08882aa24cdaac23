"""The words of the e-mail notices: ``<language>/<name>.txt``, a subject, a blank line and paragraphs; and their frame.

``$name``, ``$start``, ``$end``, ``$due_date``, ``$days`` and ``$receipt`` are filled in; the portal's address goes
before the last paragraph.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_HERE = Path(__file__).parent

TEMPLATES: Mapping[tuple[str, str], str] = {
    (path.parent.name, path.stem): path.read_text(encoding="utf-8") for path in sorted(_HERE.glob("*/*.txt"))
}
"""(Language, name) → template."""

FRAME: str = (_HERE / "frame.html").read_text(encoding="utf-8")
"""The HTML document around the paragraphs of any notice."""
