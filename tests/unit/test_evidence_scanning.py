"""How clamd is asked: a verdict, or none, and never a wrong one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from bridge.clients.clamd import Scanner
from bridge.errors import SettingsError, Unavailable
from bridge.settings import load
from tests.support.clamd import VIRUS, Clamd, Mood, clamd


async def pieces(*chunks: bytes) -> AsyncGenerator[bytes]:
    """Give a file's content in pieces."""
    for piece in chunks:
        yield piece


@pytest.fixture
async def scanner() -> AsyncGenerator[Clamd]:
    """Run a clamd on TCP."""
    async with clamd() as started:
        yield started


async def test_clean(scanner: Clamd) -> None:
    """A clean file is clean, and the scanner got all of it."""
    large = bytes(300_000)
    assert await Scanner(scanner.url, 5).scan(pieces(b"begin", large, b"end")) is None
    assert scanner.streams == [b"begin" + large + b"end"]


async def test_found(scanner: Clamd) -> None:
    """What is found is named, even when it lies across two pieces."""
    assert await Scanner(scanner.url, 5).scan(pieces(VIRUS[:10], VIRUS[10:])) == "Test-Signature"


async def test_unix_socket(tmp_path: Path) -> None:
    """A Unix socket serves as well."""
    async with clamd(str(tmp_path / "clamd.sock")) as scanner:
        assert await Scanner(scanner.url, 5).scan(pieces(VIRUS)) == "Test-Signature"


@pytest.mark.parametrize("mood", ["stuck", "broken", "limited"])
async def test_no_verdict(scanner: Clamd, mood: Mood) -> None:
    """A scanner that hangs, hangs up or gives up has given no verdict."""
    scanner.mood = mood
    with pytest.raises(Unavailable):
        await Scanner(scanner.url, 0.2).scan(pieces(VIRUS))


async def test_away(tmp_path: Path) -> None:
    """A scanner that is not there has given no verdict."""
    async with clamd() as scanner:
        pass
    for url in (scanner.url, f"unix://{tmp_path}/none.sock", "tcp://no-such-host.invalid:3310"):
        with pytest.raises(Unavailable):
            await Scanner(url, 5).scan(pieces(b"x"))


@pytest.mark.parametrize("url", ["clamd:3310", "http://clamd:3310", "tcp://clamd", "unix://relative.sock"])
def test_setting(url: str) -> None:
    """A scanner's address that could not work is refused at start, by the setting's name."""
    with pytest.raises(SettingsError, match="BRIDGE_CLAMD_URL"):
        load(clamd_url=url)
