"""The files of the product that are entered meanwhile, in order, and the functions of each."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from tests.support.code import PRODUCT, ROOT

_FOLDERS = tuple(f"{ROOT / folder}/" for folder in PRODUCT)


@dataclass
class Trace:
    """The functions entered, by file, in the order in which each was entered first; ``begin`` is the first file.

    With a ``caller`` only that function counts, and what it calls.
    """

    begin: str
    caller: str | None = None
    functions: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def record(self, frame: FrameType, event: str, _argument: Any) -> None:
        """A call that a profiler reports: a function of the product is entered, or goes on."""
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(_FOLDERS):
            return
        if self.caller is not None and not _is_called_by(frame, self.caller):
            return
        path = Path(code.co_filename).relative_to(ROOT).as_posix()
        if self.functions or path == self.begin:
            names = self.functions.setdefault(path, [])
            if code.co_qualname not in names and not code.co_name.startswith("<"):
                names.append(code.co_qualname)

    def __str__(self) -> str:
        lines = [f"{n:2}. {path}: {', '.join(names)}" for n, (path, names) in enumerate(self.functions.items(), 1)]
        return "\n".join(lines)


def _is_called_by(frame: FrameType | None, name: str) -> bool:
    while frame is not None and frame.f_code.co_qualname != name:
        frame = frame.f_back
    return frame is not None


@contextmanager
def traced(begin: str, caller: str | None = None) -> Generator[Trace]:
    """Trace this thread meanwhile, and whatever runs on its event loop, from the moment when ``begin`` is entered."""
    trace = Trace(begin, caller)
    sys.setprofile(trace.record)
    try:
        yield trace
    finally:
        sys.setprofile(None)
