"""Lines of booklets, with everything that a person might type."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bridge.domain.forms import STANDARD

LOREM = (
    "I worked through the material in two sittings and talked it over with my supervisor afterwards. It made me look "
    "again at how I end a session, and at what I take for granted when somebody is silent. "
)
TYPES = ("course", "seminar_or_conference", "further_study", "reading_and_research", "supervision_related")

HOSTILE = {
    "Welsh": "Ŵythnos ŷ gwaith: ymarfer myfyriol yng Nghaerdydd",
    "Arabic": "ورشة عمل عن الحزن، مع English في الوسط",
    "Hebrew": "שיעור על אבל, 12 שעות",
    "Chinese": "悲傷輔導課程",
    "simplified Chinese": "悲伤辅导课程",
    "Japanese": "グリーフケアの講座",
    "Korean": "애도 상담 강좌",
    "emoji": "Well done 👍🏽 👨‍👩‍👧 ❤️ 🏴󠁧󠁢󠁷󠁬󠁳󠁿 1️⃣",
    "combining marks": "e\u0301 z\u0323\u0301 \u0301alone " + "a" + "\u0301" * 500,
    "control characters": "a\x00b\x01c\x1bd\x7fe\u0085f\ufefffg\ufffe\u202eh",
    "no font": "கற்றல் and \ue000",
    "Typst": '#panic("no") #eval("1") $ sum_1 $ *bold* `raw` \\ #import "@preview/x" // c /* d */ <label> @ref = H',
    "markup": "<script>alert(1)</script> &amp; <b>bold</b> ]]> \\input{x} %s {0}",
    "blanks": "\u00a0\u3000\t\u2003",
}
"""What a text may hold, and the booklet has to bear."""


def header(**changes: Any) -> dict[str, Any]:
    """The line of a cover."""
    fields = {
        "title": "CPD log",
        "member": "Ffion Prosser",
        "span": "1 June 2025 to 31 May 2026",
        "made_at": "2026-05-04T10:00:00+00:00",
        "language": "en-GB",
        "facts": [["Included", "Completed entries only"]],
        "progress": {"percent": 92.6, "text": "Day 338 of 365: 93% of your membership year has passed."},
    }
    return {"header": {**fields, **changes}}


def forms() -> list[dict[str, Any]]:
    """The lines of the standard forms."""
    return [{"form": asdict(form)} for name in ("log", "plan") for form in STANDARD.versions(name)]


def entry(number: int = 1, **changes: Any) -> dict[str, Any]:
    """The line of a complete log entry."""
    fields = {
        "form_version": "1",
        "reference": f"L{number}",
        "title": f"Working with silence, part {number}",
        "type": TYPES[number % len(TYPES)],
        "date": f"2025-{number % 12 + 1:02}-{number % 27 + 1:02}",
        "minutes": 30 + number * 7 % 240,
        "provider": "Learning centre",
        "participatory": True,
        "tags": ["silence", "endings"],
        **dict.fromkeys(("description", "learning", "impact_on_practice"), LOREM * 2),
        **dict.fromkeys(("reason", "evaluation"), LOREM),
        "draft": False,
        "complete": True,
        "missing_fields": [],
        "plan": [{"reference": "P1", "title": "Endings"}],
        "evidence": [{"name": "certificate.pdf", "size": 123456, "uploaded_at": "2025-05-01T10:00:00Z"}],
    }
    return {"entry": {**fields, **changes}}


def item(**changes: Any) -> dict[str, Any]:
    """The line of a plan item."""
    fields = {"form_version": "1", "reference": "P1", "title": "Endings", "status": "planned", "complete": False}
    return {"item": {**fields, "missing_fields": ["learning_need"], "log": [], **changes}}


def comment(**changes: Any) -> dict[str, Any]:
    """The line of a comment."""
    fields = {"text": "It was cancelled.", "author": "Ffion Prosser", "created_at": "2025-07-01T10:00:00Z"}
    return {"comment": {**fields, "about": "P1 · Endings", **changes}}
