"""Child processes that cannot outlive their parent, with a log file each and a wait until they are ready."""

from __future__ import annotations

import subprocess  # nosec B404 # the development services are programs of their own
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_KEEPER = Path(__file__).with_name("keeper.py")
_POLL = 0.05  # seconds between two looks at a port; the child's death is seen at once
_TAIL = 4096  # bytes of a log quoted in an error


class ProcessFailed(Exception):
    """A child could not be started, was not ready in time, or ended by itself; the text quotes its log."""


@dataclass
class Process:
    """One program, held by a keeper (``keeper.py``) that ends it and all it started when this process ends or dies.

    ``environment`` is the whole environment. ``held`` are file descriptors that stay open as long as the program runs,
    so that a lock on its data outlasts a parent that was killed. ``grace`` is how many seconds SIGTERM gets.
    """

    name: str
    argv: Sequence[str | Path]
    log: Path
    environment: Mapping[str, str]
    held: tuple[int, ...] = ()
    grace: float = 10.0
    _keeper: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _log_start: int = field(default=0, init=False, repr=False)

    def start(self, ready: Callable[[], bool], within: float) -> None:
        """Start, and return once ``ready()``; raises ``ProcessFailed`` after ``within`` seconds or at its death."""
        self.launch()
        self.wait_until(ready, within)

    def launch(self) -> None:
        """Start, and wait for nothing."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self._keeper = subprocess.Popen(  # nosec B603 # our own argument list, no shell
                [sys.executable, "-I", "-S", _KEEPER, str(self.grace), *self.argv],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=self.environment,
                pass_fds=self.held,
                start_new_session=True,  # Ctrl-C in a terminal is for the parent, who stops its children in order
            )

    def wait_until(self, ready: Callable[[], bool], within: float) -> None:
        """Wait for what was launched, as ``start`` does; when it fails, nothing of it is left."""
        assert self._keeper is not None
        try:
            self._await(self._keeper, ready, time.monotonic() + within)
        except BaseException:
            self.kill()
            raise

    def _await(self, keeper: subprocess.Popen[bytes], ready: Callable[[], bool], deadline: float) -> None:
        while not ready():
            self._check(keeper)
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{self.name} is not ready in time; the end of {self.log}:\n{self.tail()}")
            _wait(keeper, _POLL)
        self._check(keeper)  # somebody else may be what answers at its port

    @property
    def running(self) -> bool:
        """Whether the program has been started and has not ended."""
        return self._keeper is not None and self._keeper.poll() is None

    def check(self) -> None:
        """Raise ``ProcessFailed``, quoting the log, when the program has ended by itself."""
        if self._keeper is not None:
            self._check(self._keeper)

    def _check(self, keeper: subprocess.Popen[bytes]) -> None:
        if (code := keeper.poll()) is not None:
            raise ProcessFailed(f"{self.name} ended with exit code {code}; the end of {self.log}:\n{self.tail()}")

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after ``grace``; returns when nothing of it is left. Harmless when it does not run."""
        self._end(b"")

    def kill(self) -> None:
        """SIGKILL to the program and all that it started, at once; returns when they are gone."""
        self._end(b"k")

    def _end(self, pull: bytes) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        try:
            keeper.communicate(pull)  # a keeper that is gone already is no error here
        except BaseException:
            keeper.wait()  # the leash is let go already: a second Ctrl-C must not leave children behind
            raise

    def written(self) -> str:
        """All that it has written since it was started."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode("utf-8", "replace")

    def tail(self) -> str:
        """The end of what it has written since it was started."""
        with self.log.open("rb") as log:
            log.seek(max(self._log_start, self.log.stat().st_size - _TAIL))
            return log.read().decode("utf-8", "replace").strip() or "(it has written nothing)"


def _wait(keeper: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        keeper.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def run(argv: Sequence[str | Path], environment: Mapping[str, str], within: float, *, watched: bool = False) -> str:
    """Run a program to its end and return its standard output; raises ``ProcessFailed`` with what it wrote.

    With ``watched`` its standard error, such as a progress bar, goes where ours goes.
    """
    name = Path(argv[0]).name
    try:
        result = subprocess.run(  # nosec B603 # our own argument list, no shell
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if watched else subprocess.PIPE,
            timeout=within,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProcessFailed(f"{name}: {error}") from None
    if result.returncode:
        output_end = (result.stdout + (result.stderr or b""))[-_TAIL:].decode("utf-8", "replace").strip()
        raise ProcessFailed(f"{name} ended with exit code {result.returncode}:\n{output_end}")
    return result.stdout.decode("utf-8")
