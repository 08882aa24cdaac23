"""Starts the sample application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bridge import tokens
from bridge.api.app import Parts, create_app
from bridge.settings import Settings
from tests.integration.api.sample import NOTES, PORTAL, Client, Notes, Start, bearer, routes
from tests.support.portal import Server


@pytest.fixture
async def start(aiohttp_client: Callable[..., Awaitable[Client]], tmp_path: Path) -> Start:
    """Start the sample application with any settings."""

    async def begin(**options: Any) -> Client:
        tokens.dev_key(tmp_path)
        defaults: dict[str, Any] = {"auth_issuer": tokens.DEV_ISSUER, "cors_origins": (PORTAL,), "rate_limit": ""}
        if "auth_jwks_url" not in options:
            defaults["auth_key_file"] = tmp_path / tokens.PUBLIC_NAME
        settings = Settings(_env_file=None, **{**defaults, **options})  # pyright: ignore[reportCallIssue] - pydantic-settings' own argument
        return await aiohttp_client(
            Server(create_app(settings, Parts([routes], {NOTES: Notes()}, options.get("pings", {}))))
        )

    return begin


@pytest.fixture
async def client(start: Start) -> Client:
    """The sample application with its usual settings."""
    return await start()


@pytest.fixture
def member(tmp_path: Path) -> dict[str, str]:
    """The headers of a member."""
    return bearer(tokens.dev_token(tmp_path, "m1", ["member", "unknown-role"]))
