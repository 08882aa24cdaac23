"""A real SMTP server on the loopback, which can be slow, refuse, and drop the connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Literal

from aiosmtpd.smtp import SMTP

Mood = Literal["good", "busy", "refuses", "refuses data", "drops before", "drops after", "waits"]

BUSY, NO_SUCH, SPAM = "451 4.3.0 Later", "550 5.1.1 No such user <sam@example.org>", "554 5.7.1 Not this"


@dataclass
class Post:
    """What was delivered, and how the server is to behave; ``gate`` holds back its answer while it ``waits``."""

    port: int = 0
    mood: Mood = "good"
    mails: list[EmailMessage] = field(default_factory=list[EmailMessage])
    tries: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    _change: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        """For BRIDGE_SMTP_URL."""
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name for it
        self,
        server: Any,  # noqa: ARG002 - aiosmtpd's signature, here and below
        session: Any,  # noqa: ARG002
        envelope: Any,
        address: str,
        options: list[str],  # noqa: ARG002
    ) -> str:
        """Take the address, or not."""
        if self.mood in {"busy", "refuses"}:
            await self._tried()
            return BUSY if self.mood == "busy" else NO_SUCH
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ARG002, N802 - as above
        """Take the message, or not."""
        if self.mood == "waits":
            await self._tried()
            await self.gate.wait()
        if self.mood == "refuses data":
            await self._tried()
            return SPAM
        if self.mood != "drops before":
            message = message_from_bytes(envelope.original_content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            message["X-To"] = ",".join(envelope.rcpt_tos)
            self.mails.append(message)
        await self._tried()
        if self.mood.startswith("drops"):
            server.transport.abort()
        return "250 OK"

    async def _tried(self) -> None:
        async with self._change:
            self.tries += 1
            self._change.notify_all()

    async def until(self, tries: int, within: float = 20) -> None:
        """Wait until the server was tried so many times."""
        async with asyncio.timeout(within), self._change:
            await self._change.wait_for(lambda: self.tries >= tries)


@asynccontextmanager
async def post_office() -> AsyncGenerator[Post]:
    """Run the server meanwhile."""
    post = Post()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(post, hostname="test"), "127.0.0.1", 0)
    post.port = server.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        post.gate.set()
        server.close()
