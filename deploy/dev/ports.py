"""Free ports of 127.0.0.1, and what answers at a port."""

from __future__ import annotations

import secrets
import socket
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
_AMQP_PORTS = {"amqp": 5672, "amqps": 5671}
_PATIENCE = 2.0  # seconds for a local service to say something
_handed_out: set[int] = set()  # a port is free until its server has started, so each is given only once


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen at ``port`` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT does not count
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A free port below the range of outgoing connections.

    A client that tries again and again to reach a stopped server at a port of that range can end up connected to
    itself, and then the server cannot come back.
    """
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        if port not in _handed_out and is_free(port):
            _handed_out.add(port)
            return port


def is_open(port: int, host: str = LOOPBACK) -> bool:
    """Whether something accepts a TCP connection."""
    try:
        socket.create_connection((host, port), _PATIENCE).close()
    except OSError:
        return False
    return True


def speaks_amqp(url: str) -> bool:
    """Whether a broker answers the AMQP 0-9-1 protocol header at ``url``; behind TLS, whether the port is open."""
    parts = urlsplit(url)
    address = (parts.hostname or LOOPBACK, parts.port or _AMQP_PORTS.get(parts.scheme, 5672))
    if parts.scheme == "amqps":
        return is_open(address[1], address[0])
    try:
        with socket.create_connection(address, _PATIENCE) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"  # a method frame: connection.start
    except OSError:
        return False
