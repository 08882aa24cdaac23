"""The few HTTP calls that ``dev`` and the demo make."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT = 30.0  # seconds


class ApiRefused(Exception):
    """The API answered with an error; the text is the problem document's."""


def call(
    base: str, method: str, path: str, token: str | None = None, body: object = None, if_match: str | None = None
) -> Any:
    """Make one call and return the decoded JSON answer; raises ``ApiRefused`` for a status of 400 and above."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if if_match is not None:
        headers["If-Match"] = if_match
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=_TIMEOUT)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8")
    finally:
        connection.close()
    if answer.status >= 400:
        raise ApiRefused(f"{method} {path} was answered with {answer.status}: {text}")
    return json.loads(text) if text else None


def is_ready(base: str) -> bool:
    """Whether ``/health/ready`` says yes."""
    try:
        call(base, "GET", "/health/ready")
    except (OSError, http.client.HTTPException, ApiRefused, ValueError):
        return False
    return True
