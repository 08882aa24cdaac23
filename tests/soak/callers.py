"""The API traffic of a soak: members who read, search, write, upload, download and export."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from bridge.settings import Settings
from bridge.tokens import dev_token

TEXT_BYTES = 20_000
"""Bytes of an uploaded file."""

PLAN_ITEM = {"title": "Older clients", "start_date": "2026-05-01", "completion_date": "2026-11-30"}


@dataclass
class Tally:
    """Milliseconds by kind of call, and what was answered otherwise than it should be."""

    durations: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict[str, list[float]](list))
    wrong: Counter[str] = field(default_factory=Counter[str])
    stale: int = 0  # 412: the worker was at the entry in between, as may happen to anybody


@dataclass
class Caller:
    """One member's portal: a call of some kind now and then, each counted in ``tally``."""

    session: aiohttp.ClientSession
    settings: Settings
    base: str
    member_id: str
    tally: Tally
    rng: random.Random
    _entries: list[str] = field(default_factory=list[str])
    _files: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        token = dev_token(self.settings.local_dir, self.member_id, ["member"])
        self._headers = {"Authorization": f"Bearer {token}"}

    async def run(self, pause: float) -> None:
        """Call until cancelled, with pauses of this mean length in seconds."""
        kinds: dict[Callable[[], Awaitable[object]], int] = {
            self._list: 30, self._period: 12, self._search: 10, self._plan: 8, self._read: 14, self._edit: 14,
            self._add: 4, self._upload: 4, self._download: 2, self._pdf: 1, self._zip: 1,
        }  # fmt: skip
        await self._list()
        while True:
            await asyncio.sleep(self.rng.expovariate(1 / pause))
            await self.rng.choices(list(kinds), list(kinds.values()))[0]()

    async def _list(self) -> None:
        page = await self._json("list", "GET", "/v1/log?period=all&limit=50")
        self._entries = [entry["id"] for entry in page["items"]] if page else []

    async def _period(self) -> None:
        await self._json("period", "GET", "/v1/periods/current")

    async def _search(self) -> None:
        await self._json("search", "GET", "/v1/log?period=all&q=grief")

    async def _plan(self) -> None:
        await self._json("plan", "GET", "/v1/plan")

    async def _add(self) -> None:
        await self._json("add", "POST", "/v1/plan", (201,), json=PLAN_ITEM)

    async def _read(self) -> None:
        if self._entries:
            await self._json("read", "GET", f"/v1/log/{self.rng.choice(self._entries)}")

    async def _edit(self) -> None:
        if not self._entries:
            return
        path = f"/v1/log/{self.rng.choice(self._entries)}"
        before = await self._json("read", "GET", path)
        if before is not None:
            headers = {"If-Match": f'"{before["version"]}"'}
            body = {"reason": f"Grief in later life {uuid.uuid4()}", "learning": "To listen longer."}
            await self._json("edit", "PATCH", path, (200, 412), headers=headers, json=body)

    async def _upload(self) -> None:
        if not self._entries:
            return
        form = aiohttp.FormData()
        content = uuid.uuid4().hex.encode() * (TEXT_BYTES // 32)
        form.add_field("file", content, filename="notes.txt", content_type="text/plain")
        path = f"/v1/log/{self.rng.choice(self._entries)}/evidence"
        file = await self._json("upload", "POST", path, (201,), data=form)
        if file is not None:
            self._files.append(file["id"])

    async def _download(self) -> None:
        if self._files:
            await self._call("download", "GET", f"/v1/evidence/{self.rng.choice(self._files)}")

    async def _pdf(self) -> None:
        await self._call("pdf", "GET", "/v1/exports/log.pdf?period=current&include=all")

    async def _zip(self) -> None:
        await self._call("zip", "GET", "/v1/exports/record.zip?period=current&include=all")

    async def _json(self, kind: str, method: str, path: str, good: tuple[int, ...] = (200,), **options: Any) -> Any:
        status, body = await self._call(kind, method, path, good, **options)
        return orjson.loads(body) if status in good and status != 412 else None

    async def _call(
        self, kind: str, method: str, path: str, good: tuple[int, ...] = (200,), **options: Any
    ) -> tuple[int, bytes]:
        headers = {**self._headers, **options.pop("headers", {})}
        start = time.monotonic()
        try:
            async with self.session.request(method, self.base + path, headers=headers, **options) as answer:
                status, body = answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.tally.wrong[f"{kind}: {type(error).__name__}"] += 1
            return 0, b""
        self.tally.durations[kind].append((time.monotonic() - start) * 1000)
        self.tally.stale += status == 412
        if status not in good:
            self.tally.wrong[f"{kind}: {status}"] += 1
        return status, body
