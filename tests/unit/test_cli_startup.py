"""A command loads what it needs and no more, so that help and small commands are quick."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("aio_pika", "aiohttp", "jsonschema", "motor", "pydantic", "pymongo", "structlog", "typst")

IMPORT_SCRIPT = """
import sys
from bridge.cli import main
sys.argv = ["cpd-bridge", *{arguments}]
try:
    main()
finally:
    print(*[name for name in {heavy} if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "may_load"),
    [
        (["--help"], set[str]()),
        (["token", "--sub", "m-1", "--role", "member"], {"pydantic"}),
        (["backup", "--help"], set(HEAVY) - {"jsonschema", "typst"}),
    ],
)
def test_a_command_loads_what_it_needs(arguments: list[str], may_load: set[str]) -> None:
    """The heavy libraries come with the commands that use them."""
    script = IMPORT_SCRIPT.format(arguments=arguments, heavy=HEAVY)
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(ran.stderr.split()) <= may_load
    assert ran.stdout
