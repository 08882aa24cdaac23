"""Guides whose requests are run: blocks of HTTP, each followed by what it is answered with.

A request block is ``GET /v1/me`` with headers and a body below, as on the wire. The next block, which begins with
``HTTP/1.1``, says the status, and as much of headers and JSON as matters. A word in braces in an answer is kept, and
put where it stands in a later request; ``…`` stands for anything.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import FormData

from tests.support.portal import Client

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WORD = re.compile(r"{(\w+)}")
ANYTHING = "…"
BOUNDARY = "multipart/form-data"


@dataclass(frozen=True)
class Exchange:
    """A request of a guide, and the answer that it shows."""

    method: str
    path: str
    headers: dict[str, str]
    body: str
    status: int
    answer_headers: dict[str, str]
    answer: str


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language, in their order."""
    return [text for name, text in FENCE.findall(page.read_text(encoding="utf-8")) if name == language]


def exchanges(page: Path) -> list[Exchange]:
    """The requests of a guide with their answers, in their order."""
    texts = blocks(page, "http")
    return [_exchange(request, answer) for request, answer in zip(texts[::2], texts[1::2], strict=True)]


def _exchange(request: str, answer: str) -> Exchange:
    first, headers, body = _parts(request)
    status, answer_headers, answer_body = _parts(answer)
    method, path = first.split(" ", 1)
    return Exchange(method, path, headers, body, int(status.split(" ")[1]), answer_headers, answer_body)


def _parts(text: str) -> tuple[str, dict[str, str], str]:
    head, _, body = text.partition("\n\n")
    first, *lines = head.strip().splitlines()
    return first, dict(line.split(": ", 1) for line in lines), body.strip()


async def run_shell(script: str, directory: Path, **environment: str) -> str:
    """Run commands of a guide in a folder, to their good end; returns what they print."""
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script),
        cwd=directory,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await shell.communicate()
    assert shell.returncode == 0, f"{script}\n{output.decode()}{errors.decode()}"
    return output.decode()


def address_of(client: Client) -> str:
    """The address that a guide calls ``$API``."""
    return str(client.make_url("")).rstrip("/")


@dataclass
class GuideRun:
    """The words that answers brought, such as an id, and the client that makes the calls with the member's token."""

    client: Client
    token: str
    words: dict[str, str]

    async def play(self, exchange: Exchange) -> None:
        """Make the call, and compare the answer with what the guide says; ``AssertionError`` names the call."""
        headers = {"Authorization": f"Bearer {self.token}", **_filled(exchange.headers, self.words)}
        path = WORD.sub(lambda match: self.words[match[1]], exchange.path)
        body = self._body(headers, exchange.body)
        async with self.client.request(exchange.method, path, headers=headers, data=body) as reply:
            text = await reply.read()
            assert reply.status == exchange.status, (exchange, reply.status, text[:500])
            for name, value in exchange.answer_headers.items():
                self._compare(value, reply.headers.get(name), f"{exchange.path} {name}")
            if exchange.answer:
                self._compare(json.loads(exchange.answer), json.loads(text), exchange.path)

    def _body(self, headers: dict[str, str], text: str) -> FormData | str | None:
        if headers.get("Content-Type") != BOUNDARY:
            return _replaced(text, self.words) or None
        del headers["Content-Type"]  # the client's own names the boundary
        name, content = text.split("\n", 1)
        form = FormData()
        form.add_field("file", content.encode(), filename=name.removeprefix("file: "))
        return form

    def _compare(self, expected: Any, actual: Any, where: str) -> None:
        """Compare as much as the guide shows: the named members of an object, the first items of an array."""
        if isinstance(expected, dict):
            for name, value in expected.items():  # pyright: ignore[reportUnknownVariableType] - JSON
                self._compare(value, actual[name], f"{where} {name}")
        elif isinstance(expected, list):
            for number, value in enumerate(expected):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - JSON
                self._compare(value, actual[number], f"{where} {number}")
        elif isinstance(expected, str):
            self._compare_text(expected, str(actual), where)
        else:
            assert actual == expected, where

    def _compare_text(self, expected: str, actual: str, where: str) -> None:
        pieces = re.split(r"({\w+}|…)", expected)
        names = [piece[1:-1] for piece in pieces if WORD.fullmatch(piece)]
        pattern = "".join(
            "(.+)" if WORD.fullmatch(piece) else ".*" if piece == ANYTHING else re.escape(piece) for piece in pieces
        )
        match = re.fullmatch(pattern, actual, re.DOTALL)
        assert match, (where, expected, actual)
        self.words.update(zip(names, match.groups(), strict=True))


def _filled(headers: dict[str, str], words: dict[str, str]) -> dict[str, str]:
    return {name: _replaced(value, words) for name, value in headers.items()}


def _replaced(text: str, words: dict[str, str]) -> str:
    """Put in the words that are known; other braces are JSON's."""
    return WORD.sub(lambda match: words.get(match[1], match[0]), text)
