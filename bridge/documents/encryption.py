"""Encryption of a stream in the age format (age-encryption.org/v1), in a thread, since its library pulls and pushes."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

pyrage: Any = importlib.import_module("pyrage")  # it has no types

AGE: Final = b"age-encryption.org/v1"
"""How a file in this format begins."""


class WrongKey(Exception):
    """A key that is none, or does not open the file; also a damaged file, as the two cannot be told apart."""


@contextmanager
def encrypt_stream(out: BinaryIO, recipients: Sequence[str]) -> Generator[BinaryIO]:
    """Give a stream to write to; it comes out encrypted at ``out``. Raises ``WrongKey`` for what is no public key."""
    keys = [_recipient(recipient) for recipient in recipients]
    with _piped(lambda source, _: pyrage.encrypt_io(source, out, keys), reading=False) as pipe:
        yield pipe


@contextmanager
def decrypt_stream(file: BinaryIO, identity: Path) -> Generator[BinaryIO]:
    """Give a stream to read what is encrypted in ``file``; raises ``WrongKey`` where it is not whole."""
    keys = _identities(identity)
    with _piped(lambda _, sink: pyrage.decrypt_io(file, sink, keys), reading=True) as pipe:
        yield pipe


def _recipient(text: str) -> Any:
    kind = pyrage.ssh if text.startswith("ssh-") else pyrage.x25519
    try:
        return kind.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise WrongKey("A recipient is no age public key (age1…) and no SSH public key.") from None


def _identities(file: Path) -> list[Any]:
    text = file.read_text(encoding="utf-8")
    try:
        if "PRIVATE KEY-----" in text:
            return [pyrage.ssh.Identity.from_buffer(text.encode())]
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        return [pyrage.x25519.Identity.from_str(line) for line in lines]
    except pyrage.IdentityError:
        raise WrongKey("The identity file holds no age identity (AGE-SECRET-KEY-…) and no SSH private key.") from None


@contextmanager
def _piped(work: Callable[[BinaryIO, BinaryIO], None], *, reading: bool) -> Generator[BinaryIO]:
    """Give one end of a pipe, while ``work`` has the other in a thread; raises what it raised."""
    source, sink = os.pipe()
    inner, outer = os.fdopen(source, "rb"), os.fdopen(sink, "wb")
    near, far = (inner, outer) if reading else (outer, inner)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work(inner, outer)
        except BaseException as error:  # raised again in the thread that waits
            failed.append(error)
        finally:
            with suppress(OSError):
                far.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield near
    except OSError:
        if not failed:
            raise
    finally:
        with suppress(OSError):
            near.close()
        thread.join()
    if failed and isinstance(failed[0], pyrage.DecryptError):
        raise WrongKey("The backup is damaged, or this key does not open it.") from None
    if failed:
        raise failed[0]
