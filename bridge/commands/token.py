"""``cpd-bridge token``: a token to call the API with while developing."""

from __future__ import annotations

from typing import Annotated

import typer

from bridge.settings import load
from bridge.tokens import DEV_ISSUER, dev_token


def token(
    sub: Annotated[str, typer.Option(help="The subject: a member id, or a name for a member of staff.")],
    role: Annotated[list[str], typer.Option(help="member, register, support, platform, privacy or ops; repeatable.")],
) -> None:
    """Print one token signed with the development key, and nothing else. For development only.

    Example: cpd-bridge token --sub m-1001 --role member
    """
    settings = load()
    issuer = settings.auth_issuer or DEV_ISSUER
    typer.echo(dev_token(settings.local_dir, sub, role, issuer, settings.auth_audience))
