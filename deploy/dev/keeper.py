"""The keeper of one program: ends it, with all that it started, when told to or when the parent is gone.

``python keeper.py SECONDS PROGRAM ARGUMENT…``. Standard input is the leash: the byte ``k`` kills at once; its
end, which the kernel brings about even when the parent is killed with -9, asks with SIGTERM and kills after SECONDS. A
leash and not PR_SET_PDEATHSIG alone, because that signal follows the *thread* that started the child, and does not
reach grandchildren. The exit code is the program's, 128 + n after signal n. It imports nothing of ours, so that it
starts in milliseconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess  # nosec B404 # starting programs is what a keeper does
import sys
from collections.abc import Iterator
from pathlib import Path

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36  # prctl(2)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _children(parent: int) -> Iterator[int]:
    """Process ids whose parent is ``parent``, zombies included; none where there is no /proc."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # gone since the listing
            after_name = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(after_name[1]) == parent:
                yield int(stat.parent.name)


def _kill_all(child: subprocess.Popen[bytes]) -> int:
    """Kill the program's group, then every orphan that comes to us, until none is left; the program's exit code."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    code = child.wait()
    with contextlib.suppress(ChildProcessError):
        while True:
            for orphan in _children(os.getpid()):
                os.kill(orphan, signal.SIGKILL)
            os.wait()
    return code if code >= 0 else 128 - code


def _wait(child: subprocess.Popen[bytes], wake: int) -> bool:
    """Wait for the program's end or a pull on the leash; true when it is to end by SIGTERM first."""
    leash = sys.stdin.fileno()
    while child.poll() is None:
        ready, _, _ = select.select([leash, wake], [], [])
        if leash in ready:
            return os.read(leash, 1) != b"k"
        if signal.SIGTERM in os.read(wake, 64):
            return True
    return False


def _note(_number: int, _frame: object) -> None:
    """The signal's byte on the wake-up pipe is what counts."""


def _signals() -> int:
    """Turn SIGCHLD and SIGTERM into bytes on a pipe, whose end to read from is returned."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # a mask would be inherited from the parent's waiting thread
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, _note)
    return reader


def main(seconds: float, argv: list[str]) -> int:
    """Run ``argv`` until it or the leash ends; leave nothing behind."""
    _prctl(_SET_CHILD_SUBREAPER, 1)
    wake = _signals()
    child = subprocess.Popen(  # nosec B603 # the parent's own argument list, no shell
        argv,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: _prctl(_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509 - this process has no threads
    )
    if _wait(child, wake):
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
    return _kill_all(child)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
