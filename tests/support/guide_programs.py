"""Runs the fenced code of a guide, in order and in one folder, as a reader of it does.

A block's language says how it is run. The word after it, if any, is the file that the block is saved as.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.packages import npm_package

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
BLOCK = re.compile(r"^( *)```(\w+) ?(\S*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
WITHIN = 120.0
"""Seconds that one block may take."""

FILE_NAMES = {"python": "block.py", "javascript": "block.cjs", "java": "Block.java", "php": "block.php"}
NODE_PACKAGES = {"amqplib": "2.3.1"}
DEBIAN_AMQPLIB = Path("/usr/share/php/PhpAmqpLib")
"""Where Debian puts php-amqplib; its ``autoload.php`` does what Composer's does."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it is saved as, its text, and the line in the guide that it is at."""

    language: str
    file: str
    text: str
    line: int


def blocks_of(guide: str) -> list[Block]:
    """Return the blocks of a guide, in their order."""
    text = (GUIDES / guide).read_text(encoding="utf-8")
    return [
        Block(match[2], match[3], re.sub(f"^{match[1]}", "", match[4], flags=re.MULTILINE), _line(text, match))
        for match in BLOCK.finditer(text)
    ]


def _line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start()) + 1


async def run_block(block: Block, directory: Path, environment: Mapping[str, str], classpath: str = "") -> str:
    """Save the block, run it where its language is one that is run, and return what it printed; fails with its words.

    A language whose tool is not here skips the test with the reason.
    """
    path = directory / (block.file or FILE_NAMES.get(block.language, f"block.{block.language}"))
    path.write_text(block.text, encoding="utf-8")
    command = _command(block, path, classpath)
    if not command:
        return ""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=directory,
        env={**environment, "NODE_PATH": _node_path(block)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(WITHIN):
        out, err = await process.communicate()
    output = (out + err).decode()[-4000:]
    assert process.returncode == 0, f"line {block.line}, {block.language}:\n{block.text}\n{output}"
    return out.decode()


def _command(block: Block, path: Path, classpath: str) -> Sequence[str | Path]:
    commands: Mapping[str, Sequence[str | Path]] = {
        "sh": ("bash", "-eu", "-o", "pipefail", path),
        "python": (sys.executable, path),
        "javascript": ("node", path),
        "java": ("java", "-cp", classpath, path),
    }
    command = _php_command(path) if block.language == "php" else commands.get(block.language, ())
    if command and shutil.which(str(command[0])) is None:
        pytest.skip(f"needs {command[0]} for the block at line {block.line}")
    return command


def _php_command(path: Path) -> Sequence[str | Path]:
    """Return how to run a PHP program with Debian's php-amqplib in place of Composer's, or how to check its syntax."""
    if not DEBIAN_AMQPLIB.exists():
        return ("php", "-l", path)
    (path.parent / "vendor").symlink_to(DEBIAN_AMQPLIB)
    return ("php", path)


def _node_path(block: Block) -> str:
    names = [name for name in NODE_PACKAGES if block.language == "javascript" and f'require("{name}")' in block.text]
    return ":".join(str(npm_package(name, NODE_PACKAGES[name]).parent) for name in names)
