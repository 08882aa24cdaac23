"""``BRIDGE_CORS_ORIGINS`` holds what browsers send, or the start is refused (Fetch standard, RFC 6454 §6.2)."""

from __future__ import annotations

import os
import subprocess

import pytest

from bridge.errors import SettingsError
from bridge.settings import load
from tests.support.processes import CLI

ORIGINS = (
    "https://portal.example.org",
    "http://localhost:3000",
    "http://[::1]:8080",
    "https://xn--bcher-kva.example",
    "capacitor://localhost",
)


def test_what_a_browser_sends_is_taken() -> None:
    """Scheme, host and port; several with commas."""
    assert load(cors_origins=",".join(ORIGINS)).cors_origins == ORIGINS
    assert load(cors_origins="").cors_origins == ()


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "https://portal.example.org/",
        "https://portal.example.org/app",
        "https://portal.example.org?",
        "portal.example.org",
        "//portal.example.org",
        "https://",
        "HTTPS://Portal.example.org",
        "https://Portal.example.org",
        "https://bücher.example",
        "https://portal.example.org:443",
        "http://portal.example.org:80",
        "https://portal.example.org:",
        "https://portal.example.org:65536",
        "https://portal.example.org:0443",
        "https://me@portal.example.org",
        "https://*.example.org",
        "https://portal.example.org https://other.example.org",
        "[::1]",
    ],
)
def test_what_can_never_match_is_refused(origin: str) -> None:
    """Each is named with the setting, among good ones too."""
    with pytest.raises(SettingsError, match="BRIDGE_CORS_ORIGINS"):
        load(cors_origins=f"{ORIGINS[0]}, {origin}")


def test_the_start_is_refused() -> None:
    """Exit code 2, with the setting's name."""
    environment = {**os.environ, "BRIDGE_CORS_ORIGINS": "portal.example.org"}
    process = subprocess.run([CLI, "api"], env=environment, capture_output=True, timeout=60, check=False)
    assert (process.returncode, b"BRIDGE_CORS_ORIGINS" in process.stderr) == (2, True)
