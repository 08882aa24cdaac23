"""Collects what the logging writes, and puts the logging back as it was."""

from __future__ import annotations

import io
import logging
from collections.abc import Generator
from contextlib import contextmanager

import structlog

from bridge import logs


@contextmanager
def own_logging() -> Generator[None]:
    """The logging may be set up otherwise meanwhile, as on a stream that pytest closes with its test."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)
        structlog.reset_defaults()


@contextmanager
def collected_lines(least: str = "info") -> Generator[io.BytesIO]:
    """The JSON lines of everything logged meanwhile, at this level."""
    stream = io.BytesIO()
    with own_logging():
        logs.configure(least, stream)
        yield stream
