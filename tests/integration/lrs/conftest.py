"""The LRS as the service mounts it, with a credential of each kind."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from bridge import wiring
from bridge.api.app import create_app
from bridge.serve import parts
from bridge.services.lrs import credentials
from bridge.settings import Settings, load
from tests.integration.lrs.client import Lrs
from tests.support.databases import prepare
from tests.support.portal import Server

SCOPES = {
    "all": ["all"],
    "content": ["statements/write", "statements/read/mine", "state"],
    "reader": ["statements/read"],
    "profiles": ["profile"],
}


@pytest.fixture
def secrets_are_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret is hashed in no time, where no process of its own checks it (RFC 7914: the cost is a power of two)."""
    monkeypatch.setattr(credentials, "COST", 2)


@pytest.fixture
async def lrs_settings(settings: Settings, secrets_are_cheap: None, tmp_path: Path) -> Settings:
    """Settings with a credentials file: for each name in ``SCOPES`` a key of that name, its secret ``secret``."""
    file = tmp_path / "credentials.json"
    secret_hash = credentials.hash_secret("secret")
    entries: list[dict[str, Any]] = [
        {
            "key": name,
            "secret_hash": secret_hash,
            "authority": {"account": {"homePage": "https://lrs.example.org", "name": name}},
            "scopes": scopes,
        }
        for name, scopes in SCOPES.items()
    ]
    file.write_text(json.dumps(entries))
    fields = {name: getattr(settings, name) for name in settings.model_fields_set}
    return load(**{**fields, "lrs_credentials_file": file})


@pytest.fixture
async def services(lrs_settings: Settings) -> AsyncGenerator[wiring.Services]:
    """The services over a prepared store."""
    async with wiring.services(lrs_settings) as live_services:
        await prepare(live_services)
        yield live_services


@pytest.fixture
async def lrs(
    services: wiring.Services,
    lrs_settings: Settings,
    aiohttp_client: Callable[..., Awaitable[TestClient[Any, Any]]],
) -> Lrs:
    """A client of ``/xapi/`` with the credential that may do all, speaking 1.0.3."""
    app = create_app(lrs_settings, parts(services, lrs_settings))
    return Lrs(await aiohttp_client(Server(app)))
