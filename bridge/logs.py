"""Structured logs for the API and the worker: one JSON object a line on standard error, and no personal text in it.

Log ids, states, counts and durations only. An exception is logged by ``failure``, without its words, and a line of
another library without its values: they may quote what a member wrote.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import orjson
import structlog
from structlog.contextvars import get_contextvars
from structlog.typing import EventDict, WrappedLogger

PERSONAL_KEYS = frozenset(
    {"authorization", "body", "description", "email", "mbox", "name", "password", "subject", "text", "title", "token"}
)

NOTHING_COUNTS = "nothing counts: every activity is outside the catalogue"
"""The worker's warning; ``cpd-bridge dev`` and the demo look for it in its log."""

_SAID_BY_US = ("aiormq.connection",)
"""Loggers of libraries whose lines, without their values, only come before ours that say the same (``broker away``)."""

_LINE = 200  # characters kept of a foreign template
_PLACE = re.compile(r"%(\(\w+\))?[-#0 +.\d]*[a-zA-Z]")  # of a value in one (Python's printf-style formatting)


def correlation_id() -> str | None:
    """Return the correlation id that is bound to the work at hand, if any."""
    return get_contextvars().get("correlation_id")


def failure(error: BaseException) -> dict[str, Any]:
    """What may be told of an exception: ``error`` (type), ``frames`` (``file:line function``), ``cause`` (types)."""
    stack = traceback.extract_tb(error.__traceback__)
    frames = [f"{_place(frame.filename, frame.lineno)} {frame.name}" for frame in stack]
    return {"error": _kind(error), "frames": frames, "cause": [_kind(cause) for cause in _causes(error)]}


def _kind(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _causes(error: BaseException) -> list[BaseException]:
    errors: list[BaseException] = []
    cause = error.__cause__ or error.__context__
    while cause is not None and cause not in errors:
        errors.append(cause)
        cause = cause.__cause__ or cause.__context__
    return errors


def _safe_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    exc_info = event.pop("exc_info", None)
    error = exc_info if isinstance(exc_info, BaseException) else sys.exc_info()[1] if exc_info else None
    return {**event, **failure(error)} if error else event


def _drop_personal(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop well-known personal keys: the last resort, after not logging them, and it says which were dropped."""
    dropped_keys = sorted(PERSONAL_KEYS.intersection(event))
    for key in dropped_keys:
        del event[key]
    return {**event, "dropped": dropped_keys} if dropped_keys else event


def _as_json(event: EventDict, **_: Any) -> bytes:
    return orjson.dumps(event, default=lambda value: type(value).__name__, option=orjson.OPT_NON_STR_KEYS)


class _Foreign(logging.Handler):
    """Passes a line of the standard library's logging on, as its template's first line and its frames."""

    def emit(self, record: logging.LogRecord) -> None:
        words = record.msg.partition("\n")[0][:_LINE] if isinstance(record.msg, str) else type(record.msg).__name__
        template = _PLACE.sub("…", words) if record.args else words
        error = record.exc_info[1] if record.exc_info else None
        error_fields = failure(error) if error else {}
        structlog.get_logger().log(record.levelno, template, logger=record.name, **error_fields)


def _show_warning(
    _message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: TextIO | str | None
) -> None:
    """Log a Python warning by its kind and place; pydantic's quote the value they are about."""
    structlog.get_logger().warning("python_warning", error=category.__name__, frames=[_place(filename, lineno)])


def release(error: BaseException) -> None:
    """Let go of what the frames of a handled exception hold, such as half a body.

    An exception that a stream keeps, and raises, is in a cycle with the frames that it passed through: Python may
    leave those, and megabytes in their variables, for a long time.
    """
    for passed in (error, *_causes(error)):
        traceback.clear_frames(passed.__traceback__)


def _place(filename: str, lineno: int | None) -> str:
    return f"{'/'.join(Path(filename).parts[-2:])}:{lineno}"


def configure(level: str = "info", stream: BinaryIO | TextIO | None = None) -> None:
    """Write ``level`` and above to ``stream`` (standard error unless given), and other libraries' from WARNING up."""
    target = stream if stream is not None else sys.stderr
    binary: BinaryIO = getattr(target, "buffer", target)  # pyright: ignore[reportAssignmentType] - text streams have one
    least = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _safe_exception,
            _drop_personal,
            structlog.processors.JSONRenderer(serializer=_as_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.BytesLoggerFactory(binary),
        cache_logger_on_first_use=False,  # so that a later configure reaches loggers made at import
    )
    root = logging.getLogger()
    root.handlers = [_Foreign()]
    root.setLevel(max(least, logging.WARNING))
    for name in _SAID_BY_US:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.showwarning = _show_warning
