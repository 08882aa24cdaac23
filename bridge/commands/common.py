"""What every command begins with."""

from __future__ import annotations

import structlog

from bridge import logs
from bridge.broker.topology import MESSAGE_BYTES
from bridge.settings import Settings, load, unknown_names

log = structlog.get_logger(__name__)


def configured() -> Settings:
    """Return the checked settings, with logging set up by them; raises ``SettingsError``."""
    settings = load()
    logs.configure(settings.log_level)
    _warn(settings)
    return settings


def _warn(settings: Settings) -> None:
    """Tell of settings that may stand and cannot work everywhere, and of names that are no setting."""
    if names := unknown_names():
        log.warning("no such settings", names=names, remedy="check their spelling; docs/settings.md has all")
    if settings.max_statement_bytes > MESSAGE_BYTES:
        log.warning(
            "statements allowed that RabbitMQ 4 takes none of",
            setting="BRIDGE_MAX_STATEMENT_BYTES",
            most=MESSAGE_BYTES,
            remedy="lower it, or raise max_message_size in rabbitmq.conf",
        )
