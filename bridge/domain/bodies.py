"""What may be wrong with a message's body as a whole."""

from __future__ import annotations

MOST_STATEMENTS = 500
"""Statements that one message may hold (api.md, AMQP in)."""


class UnreadableBody(Exception):
    """The body is not JSON in a known encoding; the text says what was expected and quotes nothing."""


class BodyTooLarge(Exception):
    """The body, or what it unpacks to, or the number of statements, is over the limit."""
