"""A client that goes away in the middle of a body is no crash of ours."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

import pytest

from bridge.services.lrs.credentials import hash_secret
from bridge.settings import Settings
from tests.support.log_lines import collected_lines
from tests.support.member_client import serving

AUTHORITY = {"account": {"homePage": "https://lrs.example.org", "name": "key"}}


@pytest.mark.parametrize("path", ["/v1/log", "/xapi/statements"])
async def test_a_body_that_breaks_off(settings: Settings, tmp_path: Path, path: str) -> None:
    """Half a JSON body and a closed line is logged as a call that was malformed, with no frames and no error."""
    file = tmp_path / "credentials.json"
    entry = {"key": "key", "secret_hash": hash_secret("secret"), "authority": AUTHORITY, "scopes": ["all"]}
    file.write_text(json.dumps([entry]))
    async with serving(settings.model_copy(update={"lrs_credentials_file": file})) as me:
        basic = f"Basic {base64.b64encode(b'key:secret').decode()}"
        headers = {
            "Host": "localhost",
            "Authorization": basic if path.startswith("/xapi") else me.headers["Authorization"],
            "X-Experience-API-Version": "1.0.3",
            "Content-Type": "application/json",
            "Content-Length": "100",
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        with collected_lines() as lines:
            _, writer = await asyncio.open_connection(me.client.host, me.client.port)
            writer.write(f"POST {path} HTTP/1.1\r\n{head}\r\n{{".encode())
            await writer.drain()
            writer.close()
            async with asyncio.timeout(30):
                while b'"event":"http_request"' not in lines.getvalue():
                    await asyncio.sleep(0.01)
        assert b'"status":400' in lines.getvalue()
        assert b"crashed" not in lines.getvalue()
