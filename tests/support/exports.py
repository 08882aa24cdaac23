"""Exports as a member fetches them, and the entries that they hold."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from aiohttp import ClientResponse

from tests.support.member_client import IN_YEAR, MemberClient
from tests.support.pdf import faults, text_of
from tests.support.portal import full_entry


async def complete(me: MemberClient, title: str = "A course", day: str = IN_YEAR, **extra: Any) -> str:
    """Make a complete entry; its id."""
    response = await me.call("POST", "/v1/log", json=full_entry(title=title, date=day, **extra))
    assert response.status == 201, await response.text()
    return (await response.json())["id"]


async def fetched(me: MemberClient, path: str, **query: str) -> ClientResponse:
    """A call of an export, read whole."""
    response = await me.call("GET", f"/v1/exports/{path}", params=query)
    await response.read()
    return response


async def pdf(me: MemberClient, path: str, **query: str) -> str:
    """The text of a PDF, which is compliant."""
    response = await fetched(me, path, **query)
    assert response.status == 200, await response.text()
    assert faults(await response.read()) == []
    return text_of(await response.read())


async def unpacked(me: MemberClient, path: str, **query: str) -> dict[str, bytes]:
    """The files of an archive that is whole."""
    response = await fetched(me, path, **query)
    assert response.status == 200, await response.text()
    archive = zipfile.ZipFile(io.BytesIO(await response.read()))
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}
