"""A command loads what it needs and no more, so that help and small commands are quick."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = frozenset(
    (
        *("aio_pika", "aiohttp", "aiosmtplib", "fontTools", "icalendar", "joserfc", "jsonschema", "motor"),
        *("opentelemetry", "prometheus_client", "pydantic", "pymongo", "stream_zip", "structlog", "tincan", "typst"),
    )
)
LATER = {"fontTools", "icalendar", "jsonschema", "opentelemetry", "stream_zip", "tincan", "typst"}
"""What no process loads before somebody asks for what needs it."""

IMPORT_SCRIPT = """
import sys
from bridge.cli import main
sys.argv = ["cpd-bridge", *{arguments}]
try:
    main()
finally:
    print(*{heavy} & sys.modules.keys(), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "may_load"),
    [
        (["--help"], frozenset[str]()),
        (["token", "--sub", "m-1", "--role", "member"], {"joserfc", "pydantic"}),
        (["openapi"], {"pydantic"}),
        (["api", "--help"], HEAVY - LATER - {"aiosmtplib"}),
        (["worker", "--help"], HEAVY - LATER),
    ],
)
def test_a_command_loads_what_it_needs(arguments: list[str], may_load: frozenset[str]) -> None:
    """The heavy libraries come with the commands that use them."""
    script = IMPORT_SCRIPT.format(arguments=arguments, heavy=set(HEAVY))
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(ran.stderr.split()) <= may_load
    assert ran.stdout
