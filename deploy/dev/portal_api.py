"""The API as ``cpd-bridge dev`` runs it: with the reference portal at ``/portal/``, which ``cpd-bridge api`` never has.

The portal is files (deploy/dev/portal) that call the public API and nothing else. What stands in for an organisation's
sign-in is one JSON file beside them: the sample members, each with a token of the development key.
"""

from __future__ import annotations

import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from bridge import tracing
from bridge.api.http.auth import PUBLIC
from bridge.api.http.context import SETTINGS, Call
from bridge.api.http.routing import Routes
from bridge.api.pages import files_of
from bridge.commands.common import configured
from bridge.errors import NotFound
from bridge.runtime import run
from bridge.serve import serve
from bridge.settings import Settings
from bridge.tokens import dev_token
from deploy.dev.samples import SampleMember, members

FILES: Final = files_of(Path(__file__).parent / "portal")


def portal_routes(sample_members: list[SampleMember]) -> Routes:
    """Return the routes of the portal, where these members may sign in."""
    routes = Routes("Portal")

    @routes.get("/portal", roles=PUBLIC, gives={"text/html": {}}, hidden=True)
    async def portal_short(_call: Call) -> web.Response:
        """The portal, by a short name."""
        return web.Response(status=HTTPStatus.PERMANENT_REDIRECT, headers={"Location": "portal/"})

    @routes.get("/portal/", roles=PUBLIC, gives={"text/html": {}}, hidden=True, etag=True)
    async def portal_page(call: Call) -> web.Response:
        """The portal."""
        return FILES["index.html"].answer(call)

    @routes.get("/portal/members.json", roles=PUBLIC, answer=Any, hidden=True)
    async def portal_members(call: Call) -> list[dict[str, str]]:
        """Who may sign in."""
        return [_signed_in(call.request.app[SETTINGS], member) for member in sample_members]

    @routes.get("/portal/{file}", roles=PUBLIC, gives={"*/*": {}}, hidden=True)
    async def portal_file(call: Call) -> web.Response:
        """A file of the portal."""
        if (file := FILES.get(call.path["file"])) is None:
            raise NotFound("The portal has no such file.")
        return file.answer(call)

    return routes


def _signed_in(settings: Settings, member: SampleMember) -> dict[str, str]:
    """Return a sample member with a token that is good for twelve hours."""
    issuer, audience = settings.auth_issuer or "", settings.auth_audience
    token = dev_token(settings.local_dir, member.member_id, ["member"], issuer, audience)
    return {"member_id": member.member_id, "name": member.body["name"], "token": token}


def main(arguments: list[str]) -> None:
    """Serve the API and the portal until SIGTERM; with ``--samples`` the sample members may sign in."""
    settings = configured()
    tracing.start("cpd-bridge-api")
    run(serve(settings, [portal_routes(members() if "--samples" in arguments else [])]))


if __name__ == "__main__":
    main(sys.argv[1:])
