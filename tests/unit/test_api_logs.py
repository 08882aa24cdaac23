"""What reaches a log line, and what never does."""

from __future__ import annotations

import asyncio
import io
import logging
import warnings
from collections.abc import Generator
from typing import Any

import orjson
import pytest
import structlog

from tests.support.log_lines import collected_lines

WORDS = "my private reflection"


@pytest.fixture
def stream() -> Generator[io.BytesIO]:
    """What is logged during a test."""
    with collected_lines() as stream:
        yield stream


def told(stream: io.BytesIO) -> list[dict[str, Any]]:
    """The lines, read back."""
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


def _fail() -> None:
    try:
        _ = dict[str, str]()[WORDS]
    except KeyError as error:
        raise ValueError(WORDS) from error


def raised() -> Exception:
    """An exception with a cause, as it was raised."""
    try:
        _fail()
    except ValueError as error:
        return error
    raise AssertionError


def test_line_is_json_with_context(stream: io.BytesIO) -> None:
    """A line holds its event, level, time and what is bound to the context."""
    with structlog.contextvars.bound_contextvars(correlation_id="abc"):
        structlog.get_logger().info("statement_recorded", count=3)
    (line,) = told(stream)
    assert (line["event"], line["level"], line["count"], line["correlation_id"]) == (
        "statement_recorded",
        "info",
        3,
        "abc",
    )
    assert line["timestamp"].endswith("Z")


def test_level_is_kept(stream: io.BytesIO) -> None:
    """Below the level nothing is written; other libraries are written from WARNING up."""
    structlog.get_logger().debug("hidden")
    logging.getLogger("aiohttp.access").info("hidden")
    assert told(stream) == []


def test_exception_without_its_words(stream: io.BytesIO) -> None:
    """An exception shows its type, causes and frames, and never what it says."""
    structlog.get_logger().error("failed", exc_info=raised())
    logging.getLogger("aio_pika").error("Lost %r", WORDS, exc_info=raised())
    assert WORDS.encode() not in stream.getvalue()
    for line in told(stream):
        assert (line["error"], line["cause"]) == ("builtins.ValueError", ["builtins.KeyError"])
        assert any(frame.endswith(" raised") for frame in line["frames"])
    assert told(stream)[1]["event"] == "Lost …"


async def test_lost_task_without_its_words(stream: io.BytesIO) -> None:
    """What asyncio writes of a task that failed unseen has no words of the exception."""
    asyncio.get_running_loop().call_exception_handler({"message": "Task failed", "exception": raised(), "word": WORDS})
    (line,) = told(stream)
    assert (line["event"], line["logger"]) == ("Task failed", "asyncio")
    assert WORDS.encode() not in stream.getvalue()


def test_warnings_without_their_words(stream: io.BytesIO) -> None:
    """Python's warnings become lines, without their text."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(WORDS, stacklevel=1)
    (line,) = told(stream)
    assert (line["event"], line["error"]) == ("python_warning", "UserWarning")
    assert WORDS.encode() not in stream.getvalue()


def test_personal_keys_are_dropped(stream: io.BytesIO) -> None:
    """Well-known personal keys are dropped as the last resort, and the line says so."""
    structlog.get_logger().warning("saved", title=WORDS, email="a@b.example", entry_id="e1")
    (line,) = told(stream)
    assert line["dropped"] == ["email", "title"]
    assert line["entry_id"] == "e1"
    assert WORDS.encode() not in stream.getvalue()
