"""Connections: how many there may be and how long they may take; what is no request is answered as a problem.

aiohttp answers what it cannot read, and what fails outside the middleware, in plain text that names its version and
quotes the sender: a token at the start of a header too long, for one. Here it is a problem document without either.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import structlog
from aiohttp import web

from bridge import logs
from bridge.api.http import middleware, problems
from bridge.api.http.middleware import DRESS, Dress
from bridge.errors import BridgeError, Malformed, SettingsError
from bridge.settings import Settings
from schemas.languages import SOURCE

log = structlog.get_logger(__name__)

CLOSING: Final = 5.0
"""Seconds that a client may take to fetch the end of the last answer, once its connection is closing."""

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Connections at once; seconds for the head of a request, between two requests, and for reading an answer."""

    connections: int
    head: float
    idle: float
    answer: float


def limits_of(settings: Settings) -> ConnectionLimits:
    """The limits that the settings name."""
    return ConnectionLimits(
        settings.http_connections, settings.http_head_timeout, settings.http_idle_timeout, settings.transfer_timeout
    )


class Connection(web.RequestHandler):
    """One connection of a client; ``idle_since`` is since when it has asked for nothing (None: it is being served)."""

    def __init__(self, listener: Listener, limits: ConnectionLimits, dress: Dress, **options: Any) -> None:
        super().__init__(listener, keepalive_timeout=limits.idle, **options)
        self.idle_since: float | None = self._loop.time()
        self._listener = listener
        self._limits = limits
        self._dress = dress
        self._has_begun = False  # a head, of which not all is here
        self._head_clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; the first head has to come in time."""
        super().connection_made(transport)
        self._start_head_clock()
        self._listener.make_room(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._stop_head_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; while they do not yet make a whole head, its time runs."""
        super().data_received(data)
        is_waiting = self._waiter is not None and not self._waiter.done()
        if not is_waiting:
            self._stop_head_clock()
        elif data:
            self._has_begun = True
            if self._head_clock is None:
                self._start_head_clock()

    def _start_head_clock(self) -> None:
        self._head_clock = self._loop.call_later(self._limits.head, self._head_is_late)

    def _stop_head_clock(self) -> None:
        self._has_begun = False
        if self._head_clock is not None:
            self._head_clock.cancel()
            self._head_clock = None

    def _head_is_late(self) -> None:
        self._head_clock = None
        if self._has_begun:
            self.refuse(HTTPStatus.REQUEST_TIMEOUT, f"Send the head of a request within {self._limits.head:g} s.")
        else:
            self.force_close()

    def refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer a connection on which there is no request, and close it."""
        log.info("connection_refused", status=int(status))
        if self.transport is not None:
            self.transport.write(problems.bare_answer(status, detail))
        self.force_close()

    async def start(self) -> None:
        """Serve; afterwards a client that does not fetch what is left is cut off."""
        transport = self.transport
        try:
            await super().start()
        finally:
            if transport is not None and self._manager is not None:
                self._loop.call_later(CLOSING, transport.abort)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; a client that takes too long to read it is cut off."""
        try:
            async with asyncio.timeout(self._limits.answer):
                return await super().finish_response(request, resp, start_time)
        except TimeoutError:
            if self.transport is not None:
                self.transport.abort()
            return resp, True
        finally:
            self.idle_since = self._loop.time()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it may quote what was sent
    ) -> web.StreamResponse:
        """The answer to what is no request, or to one that failed outside the middleware; the connection closes."""
        if status == HTTPStatus.BAD_REQUEST:
            log.info("http_unreadable", error=type(exc).__name__)
            error: BridgeError = Malformed(
                f"This is no request of HTTP/1.1 (RFC 9112), or a line of it is longer than {self.max_line_size} bytes."
            )
        else:
            log.error("request_crashed", **(logs.failure(exc) if exc else {}))
            error = BridgeError()
        if request.writer.output_size > 0:  # the answer has begun: what follows would be taken for a part of it
            raise ConnectionResetError
        assert isinstance(request, web.Request)
        middleware.identify(request)
        response = problems.answer(request, error, SOURCE)
        self._dress(request, response)
        response.force_close()
        return response


class Listener(web.Server):
    """The maker of connections; when there are too many, an idle one is closed, or else the new one."""

    def __init__(self, handle: Handle, limits: ConnectionLimits, dress: Dress, **options: Any) -> None:
        self._limit = limits.connections
        self._connection = partial(Connection, self, limits, dress)
        super().__init__(partial(_handle, handle), **options)

    def __call__(self) -> Connection:
        """A connection of a client that just came."""
        return self._connection(loop=self._loop, **self._kwargs)

    def make_room(self, newcomer: Connection) -> None:
        """Close the connection that was idle the longest, or refuse the newcomer, if there are too many."""
        if len(self.connections) <= self._limit:
            return
        idle = {
            connection: connection.idle_since
            for connection in self.connections
            if isinstance(connection, Connection) and connection is not newcomer and connection.idle_since is not None
        }
        if idle:
            min(idle, key=idle.__getitem__).force_close()
        else:
            newcomer.refuse(
                HTTPStatus.SERVICE_UNAVAILABLE, "Many callers are being served just now; try again shortly."
            )


async def _handle(handle: Handle, request: web.BaseRequest) -> web.StreamResponse:
    """Answer a request; an error that aiohttp raises before the middleware is a problem document too."""
    assert isinstance(request, web.Request)
    assert isinstance(request.protocol, Connection)
    request.protocol.idle_since = None
    try:
        return await handle(request)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        return middleware.refuse(request, error)


class Runner(web.AppRunner):
    """The runner of an application that has ``DRESS``, with bounds on its connections."""

    def __init__(self, app: web.Application, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(app, access_log=None, **options)
        self._limits = limits

    async def _make_server(self) -> web.Server:
        plain = await super()._make_server()
        return Listener(
            plain.request_handler,
            self._limits,
            self.app[DRESS],
            request_factory=plain.request_factory,
            loop=asyncio.get_running_loop(),
            **self._kwargs,
        )


async def listen(runner: web.AppRunner, host: str, port: int, setting: str) -> None:
    """Take the port that ``setting`` names; raises ``SettingsError`` when it cannot be had."""
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        number = error.errno or 0
        reason = os.strerror(number) if number in errno.errorcode else error.strerror
        raise SettingsError(f"Cannot listen at {host}, port {port}: {reason}. Set {setting} to another port.") from None
