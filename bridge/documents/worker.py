"""The process that typesets: lines of JSON in, PDF out, one booklet after another, until it is full.

On standard input: the lines of a booklet (see ``booklet``), each a JSON object, then an empty line. On standard
output: one JSON line, ``{"bytes": n, "full": bool}`` and the ``n`` bytes of the PDF, or ``{"fault": "…"}``. After
``full`` it ends. Start it with standard error closed: the compiler's own errors quote what people typed.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from bridge.documents.typesetting import Typesetter

BOOKLETS = 50
"""Booklets a process makes before it gives its memory back."""

FULL_AT = 800 * 2**20
"""Bytes of memory after which it does so at once."""

NICE = 5
"""The API answers first."""


def main(directory: Path, memory: int, longest: int) -> None:
    """Make booklets of up to ``longest`` bytes of JSON within ``memory`` bytes of address space."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    os.nice(NICE)
    typesetter = Typesetter(directory)
    for number in range(1, BOOKLETS + 1):
        lines = _booklet(sys.stdin.buffer, longest)
        if lines is None:
            return
        if _answer(typesetter, lines, last=number == BOOKLETS):
            return
        typesetter.forget()  # nothing of one member stays while the next one's booklet is made


def _booklet(source: BinaryIO, longest: int) -> list[Any] | None:
    """Read a booklet; an empty list stands for one that is too long, None for the end of input."""
    lines, size = list[Any](), 0
    for line in iter(source.readline, b"\n"):
        if not line:
            return None
        size += len(line)
        if size <= longest:
            lines.append(orjson.loads(line))
    return lines if size <= longest else []


def _answer(typesetter: Typesetter, lines: list[Any], *, last: bool) -> bool:
    head, pdf = _made(typesetter, lines)
    full = last or _resident() > FULL_AT
    for part in (orjson.dumps({**head, "full": full}), b"\n", pdf):
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()
    return full


def _resident() -> int:
    """Return the bytes of memory in use; the peak that ``getrusage`` tells begins with that of the parent."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _made(typesetter: Typesetter, lines: list[Any]) -> tuple[dict[str, Any], bytes]:
    if not lines:
        return {"fault": "too_long"}, b""
    try:
        pdf = typesetter.pdf(lines)
    except Exception as error:  # its name only: its words may quote the member
        return {"fault": type(error).__name__}, b""
    return {"bytes": len(pdf)}, pdf


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:4]))
