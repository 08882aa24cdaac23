"""``cpd-bridge dev``: the whole service on embedded defaults, for people and for end-to-end tests."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bridge.errors import SettingsError
from bridge.settings import Settings, load
from deploy.dev import samples as sample_data
from deploy.dev.client import ApiRefused
from deploy.dev.processes import ProcessFailed
from deploy.dev.service import ServiceMissing
from deploy.dev.stack import STAFF_ROLES, Stack, own_authentication, stack
from deploy.dev.year import fill_records

VARIABLES_NAME = "variables.sh"
"""File in the local directory, for ``.`` of a shell."""

_DONE, _FAILED, _WRONG_USAGE = 0, 1, 2


@contextmanager
def failing_clearly() -> Generator[None]:
    """SIGTERM ends the run like Ctrl-C, with exit code 0; what goes wrong is said in words, with exit code 1."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except SettingsError as error:
        print(f"cpd-bridge: {error}", file=sys.stderr)
        sys.exit(_WRONG_USAGE)
    except (ProcessFailed, ServiceMissing, ApiRefused, OSError) as error:
        print(f"cpd-bridge: {error}", file=sys.stderr)
        sys.exit(_FAILED)
    except KeyboardInterrupt:
        sys.exit(_DONE)


def dev(
    *,
    samples: Annotated[
        bool, typer.Option("--samples/--no-samples", help="Load the sample members, each with a year of data.")
    ] = True,
) -> None:
    """Run the API and the worker with their own RabbitMQ and MongoDB, sample members and ready-made tokens.

    Stays up until Ctrl-C or SIGTERM. The last line of the start-up is one JSON object with the addresses.

    Example: cpd-bridge dev --no-samples
    """
    with failing_clearly():
        settings = load()
        _refuse_samples_that_cannot_be_loaded(settings, samples)
        print(
            "Starting RabbitMQ, MongoDB, the API and the worker; this may take a minute …", file=sys.stderr, flush=True
        )
        with stack(settings, samples=samples) as dev_stack:
            _present(dev_stack, samples)
            dev_stack.watch()


def _refuse_samples_that_cannot_be_loaded(settings: Settings, samples: bool) -> None:
    if samples and own_authentication(settings):
        print(
            "cpd-bridge: the settings name an issuer's keys (BRIDGE_AUTH_JWKS_URL or BRIDGE_AUTH_KEY_FILE), so a "
            "development token cannot load the sample members. Add --no-samples, or unset them.",
            file=sys.stderr,
        )
        sys.exit(_WRONG_USAGE)


def _present(dev_stack: Stack, samples: bool) -> None:
    if samples:
        dev_stack.load_members()
        fill_records(dev_stack)
    if not own_authentication(dev_stack.settings):
        _print_tokens(dev_stack, samples)
    if samples:
        print(f"Portal, where the sample members sign in: {dev_stack.http_url}/portal/")
    print(f"Logs: {dev_stack.services.logs}. Ctrl-C stops everything; records stay in {dev_stack.settings.local_dir}.")
    print(f"For the guides, in another terminal: . {_write_variables(dev_stack, samples)}")
    services = dev_stack.services
    ready = {"ready": True, "http": dev_stack.http_url, "amqp": services.amqp_url, "mongo": services.mongo_url}
    print(json.dumps(ready), flush=True)


def _write_variables(dev_stack: Stack, samples: bool) -> Path:
    """Write the variables that the guides use, for a shell to read, and return the file."""
    path = dev_stack.settings.local_dir / VARIABLES_NAME
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in _variables(dev_stack, samples).items()]
    path.touch(mode=0o600)
    path.write_text("".join([*lines, f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"\n']))
    return path


def _variables(dev_stack: Stack, samples: bool) -> dict[str, str]:
    addresses = {
        "API": dev_stack.http_url,
        "AMQP": dev_stack.services.amqp_url.rstrip("/"),
        "MONGO": dev_stack.services.mongo_url,
    }
    if own_authentication(dev_stack.settings):
        return addresses
    member = {"MEMBER": dev_stack.token(sample_data.members()[0].member_id, "member")} if samples else {}
    return {**addresses, "TOKEN": dev_stack.token("dev-ops", "ops"), **member}


def _print_tokens(dev_stack: Stack, samples: bool) -> None:
    print("Tokens for development, good for twelve hours:")
    for member in sample_data.members() if samples else []:
        print(f"  member {member.member_id} ({member.body['name']})\n    {dev_stack.token(member.member_id, 'member')}")
    for role in STAFF_ROLES:
        print(f"  {role}\n    {dev_stack.token(f'dev-{role}', role)}")
