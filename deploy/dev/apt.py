"""Installing RabbitMQ with apt on a bare Debian, without leaving a system broker running."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
from collections.abc import Generator
from pathlib import Path

from deploy.dev.processes import run

_APT = ["apt-get", "-y", "-q", "-o", "DPkg::Lock::Timeout=300"]
_WITHIN = 600.0  # seconds; a slow mirror


def available() -> bool:
    """Whether this is root on a system with apt."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


@contextlib.contextmanager
def _alone(directory: Path) -> Generator[None]:
    """One at a time on this machine: test workers that start together would share a policy file."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def services_forbidden(root: Path = Path("/")) -> Generator[None]:
    """While open, a package's postinst starts no service: ``policy-rc.d`` says 101 (invoke-rc.d(8)).

    A policy that is there already is the machine owner's, and stays as it is.
    """
    policy = root / "usr/sbin/policy-rc.d"
    try:
        handle = os.open(policy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755)
    except FileExistsError:
        yield
        return
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)  # whatever the umask
        yield
    finally:
        policy.unlink(missing_ok=True)


def install(package: str, deb: Path) -> None:
    """Install ``package`` unless the file ``found`` exists by now; raises ``ProcessFailed`` with what apt said."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _alone(Path("/usr/sbin")):
        if deb.exists():
            return
        print(f"Installing {package} with apt-get; this happens once and takes about a minute …", file=sys.stderr)
        with services_forbidden():
            run([*_APT, "update"], environment, _WITHIN)
            run([*_APT, "install", "--no-install-recommends", package], environment, _WITHIN)
