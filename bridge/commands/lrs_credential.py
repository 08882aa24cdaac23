"""``cpd-bridge lrs-credential``: an entry for the file of those who may use the LRS."""

from __future__ import annotations

import secrets
from typing import Annotated

import orjson
import typer
from pydantic import ValidationError

from bridge.services.lrs.credentials import SCOPES, CredentialIn, hash_secret


def lrs_credential(
    key: Annotated[str, typer.Argument(help="What the client gives as its user name.")],
    home_page: Annotated[str, typer.Option(help="Account homePage of the authority that vouches for its statements.")],
    scope: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(SCOPES)}; repeatable.")] = None,
) -> None:
    """Make a credential: print an entry for BRIDGE_LRS_CREDENTIALS_FILE (a JSON array); the secret goes to stderr.

    The secret is made here, shown this once, and kept nowhere; the entry has its hash. The authority is the account
    KEY at the home page.

    Example: cpd-bridge lrs-credential storyline --home-page https://cpd.example.org --scope statements/write
    """
    secret = secrets.token_urlsafe(24)
    entry = {
        "key": key,
        "secret_hash": hash_secret(secret),
        "authority": {"objectType": "Agent", "account": {"homePage": home_page, "name": key}},
        "scopes": scope or ["statements/write"],
    }
    try:
        CredentialIn.model_validate(entry)
    except ValidationError as error:
        faults = "; ".join(f"{'/'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise typer.BadParameter(faults) from None
    typer.echo(orjson.dumps(entry, option=orjson.OPT_INDENT_2))
    typer.echo(f"The secret of {key}, shown this once: {secret}", err=True)
