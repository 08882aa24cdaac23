"""Collects what the logging writes, and puts the logging back as it was."""

from __future__ import annotations

import io
import logging
from collections.abc import Generator
from contextlib import contextmanager

import structlog

from bridge import logs


@contextmanager
def collected_lines(least: str = "info") -> Generator[io.BytesIO]:
    """The JSON lines of everything logged meanwhile, at this level."""
    stream, root = io.BytesIO(), logging.getLogger()
    handlers, level = root.handlers, root.level
    logs.configure(least, stream)
    try:
        yield stream
    finally:
        root.handlers = handlers
        root.setLevel(level)
        structlog.reset_defaults()
