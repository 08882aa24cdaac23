"""What every command begins with."""

from __future__ import annotations

from bridge import logs, wiring
from bridge.settings import Settings, load


def configured() -> Settings:
    """Return the checked settings, with logging set up by them; raises ``SettingsError``."""
    settings = load()
    logs.configure(settings.log_level)
    wiring.rules(settings)
    return settings
