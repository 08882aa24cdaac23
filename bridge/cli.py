"""The console script; what it does is elsewhere, and the commands of other packages come by entry point."""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import entry_points
from typing import Annotated

import structlog
import typer

from bridge import tracing, wiring
from bridge.commands import dead_letters
from bridge.commands.access_log import verify_access_log
from bridge.commands.backup import backup, erasures, restore
from bridge.commands.common import configured
from bridge.commands.emit import emit
from bridge.commands.lrs_credential import lrs_credential
from bridge.commands.pull import pull
from bridge.commands.purge import purge
from bridge.errors import BridgeError
from bridge.runtime import run
from bridge.settings import Settings, SettingsError, load
from bridge.tokens import DEV_ISSUER, dev_token

log = structlog.get_logger(__name__)

app = typer.Typer(
    name="cpd-bridge",
    help="From xAPI completed statements to draft CPD log entries, and the plan/log/audit API that portals call.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(emit)
app.command()(pull)
app.command()(verify_access_log)
app.command()(purge)
app.command()(lrs_credential)
app.command()(backup)
app.command()(restore)
app.command()(erasures)
app.add_typer(dead_letters.app, name="dead-letters")


@app.command()
def api() -> None:
    """Serve the HTTP API until SIGTERM or Ctrl-C.

    Example: BRIDGE_HTTP_PORT=8080 cpd-bridge api
    """
    from bridge.serve import serve  # noqa: PLC0415 - the other commands start faster without aiohttp

    settings = configured()
    tracing.start("cpd-bridge-api")
    run(serve(settings))


@app.command()
def openapi() -> None:
    """Print the OpenAPI 3.1 document of the API, with the forms and the public address that the settings name.

    Example: cpd-bridge openapi > docs/openapi.json
    """
    from bridge.serve import reference  # noqa: PLC0415 - as above

    settings = load()
    sys.stdout.buffer.write(reference(wiring.forms(settings), settings.public_url))


@app.command()
def migrate() -> None:
    """Bring the database to this release: indexes, validators, and what changed since; doing it again changes nothing.

    Run it before the new release serves; the one before it may go on meanwhile. A newer database is refused.

    Example: cpd-bridge migrate
    """
    asyncio.run(_migrate(configured()))


async def _migrate(settings: Settings) -> None:
    async with wiring.services(settings) as services:
        done = await services.migrations.run()
    log.info("database migrated", **done.told())


@app.command()
def token(
    sub: Annotated[str, typer.Option(help="The subject: a member id, or a name for a member of staff.")],
    role: Annotated[list[str], typer.Option(help="member, register, support, platform, privacy or ops; repeatable.")],
) -> None:
    """Print one token signed with the development key, and nothing else. For development only.

    Example: cpd-bridge token --sub m-1001 --role member
    """
    settings = load()
    issuer = settings.auth_issuer or DEV_ISSUER
    print(dev_token(settings.local_dir, sub, role, issuer, settings.auth_audience))  # noqa: T201 - it is the answer


def main() -> None:
    """Run the console script: exit code 0 when done, 1 when it failed, 2 for wrong usage or wrong settings."""
    for command in entry_points(group="cpd_bridge.commands"):
        app.command(command.name)(command.load())
    try:
        app()
    except SettingsError as error:
        sys.stderr.write(f"cpd-bridge: {error}\n")
        sys.exit(2)
    except BridgeError as error:
        sys.stderr.write(f"cpd-bridge: {error.detail}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
