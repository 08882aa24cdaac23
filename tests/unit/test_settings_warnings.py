"""Settings that may stand, and cannot work everywhere, are told of at the start."""

from __future__ import annotations

import pytest

from bridge.broker.topology import MESSAGE_BYTES
from bridge.commands.common import configured
from tests.support.log_lines import own_logging


@pytest.mark.parametrize(("limit", "warned"), [(MESSAGE_BYTES, False), (MESSAGE_BYTES + 1, True)])
def test_statements_larger_than_the_broker_takes(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], limit: int, warned: bool
) -> None:
    """A limit above that of RabbitMQ 4 is a warning that names the setting and the remedy."""
    monkeypatch.setenv("BRIDGE_MAX_STATEMENT_BYTES", str(limit))
    with own_logging():
        configured()
    output = capfd.readouterr().err
    assert ("BRIDGE_MAX_STATEMENT_BYTES" in output and "max_message_size" in output) is warned


def test_a_name_that_is_no_setting(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """A misspelt setting is named, without its value; those that are settings, and their files, are not."""
    monkeypatch.setenv("BRIDGE_CATALOG_PREFIXES", "https://secret.example/")
    monkeypatch.setenv("BRIDGE_LOG_LEVEL_FILE", "/dev/null")
    monkeypatch.setenv("BRIDGE_LOG_LEVEL", "info")
    with own_logging():
        configured()
    output = capfd.readouterr().err
    assert "BRIDGE_CATALOG_PREFIXES" in output
    assert "secret.example" not in output
    assert "BRIDGE_LOG_LEVEL" not in output
