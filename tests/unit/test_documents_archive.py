"""ZIPs as streams: whole, flat in memory, and safe to unpack (R75)."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.documents.archive import ArchiveFile, archive, safe_name, whole

AT = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)


async def members() -> AsyncGenerator[ArchiveFile]:
    """Two files."""
    yield ArchiveFile("a.txt", whole(b"one"))
    yield ArchiveFile("dir/b.bin", whole(bytes(100_000)), packed=True, size=100_000)


async def test_an_archive_is_whole() -> None:
    """Every member comes back under its name."""
    packed_bytes = b"".join([piece async for piece in archive(members(), AT)])
    zip_file = zipfile.ZipFile(io.BytesIO(packed_bytes))
    assert zip_file.testzip() is None
    assert {name: len(zip_file.read(name)) for name in zip_file.namelist()} == {"a.txt": 3, "dir/b.bin": 100_000}


async def test_a_broken_download_lets_its_sources_go() -> None:
    """Who stops reading leaves nothing open behind: the source of the data is closed too."""
    close_event = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes]:
        try:
            while True:
                yield bytes(range(256)) * 1000
        finally:
            close_event.set()

    async def one() -> AsyncGenerator[ArchiveFile]:
        yield ArchiveFile("x", endless(), packed=True)

    async with aclosing(archive(one(), AT)) as pieces:
        while len(await anext(pieces)) < 1000:  # the first pieces are the archive's own
            pass
    async with asyncio.timeout(10):
        await close_event.wait()


async def test_a_source_that_fails_breaks_the_archive() -> None:
    """An archive that is not whole never looks as if it were."""

    async def failing() -> AsyncGenerator[bytes]:
        yield b"x"
        raise OSError("gone")

    async def one() -> AsyncGenerator[ArchiveFile]:
        yield ArchiveFile("x", failing())

    with pytest.raises(OSError, match="gone"):
        [piece async for piece in archive(one(), AT)]


DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³")}
PIECES = [*DEVICES, "con", "Com", "¹", "1", " ", ".", "_", "$", "\u00a0", "\t", "x" * 58, "y" * 19]


def is_reserved(name: str) -> bool:
    """Whether Windows keeps a name for itself, by the rule that ``ntpath.isreserved`` has from Python 3.13."""
    return name[-1:] in {".", " "} or name.partition(".")[0].rstrip(" ").upper() in DEVICES


@given(st.text(max_size=300) | st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
def test_names_are_safe_anywhere(name: str) -> None:
    """No name leaves its folder, names a device, hides, or overflows."""
    safe = safe_name(name)
    assert safe == PurePosixPath(safe).name == PureWindowsPath(safe).name
    assert not is_reserved(safe)
    assert 0 < len(safe) <= 130
    assert not safe.startswith(".")
    assert safe.isprintable()


@pytest.mark.parametrize(
    ("given_name", "safe"),
    [
        ("certificate.pdf", "certificate.pdf"),
        ("../../etc/passwd", "etc_passwd"),
        ("C:\\x\\y.txt", "C__x_y.txt"),
        ("con.txt", "_con.txt"),
        ("COM¹ .a.txt", "_COM¹ .a.txt"),
        ("x." + "y" * 19 + " z", "x." + "y" * 19),
        ("a." + "y" * 300, "a." + "y" * 20),
        ("x" * 119 + " z", "x" * 119),
        ("שיעור 1.pdf", "שיעור 1.pdf"),
        ("a\u202egpj.exe", "a_gpj.exe"),
        ("", "file"),
    ],
)
def test_names_stay_readable(given_name: str, safe: str) -> None:
    """What is harmless in a name stays."""
    assert safe_name(given_name) == safe
