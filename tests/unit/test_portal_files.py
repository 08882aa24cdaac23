"""The files of the reference portal: small, of ours alone, and served in development only."""

from __future__ import annotations

from pathlib import Path

from bridge.api.app import Parts, everything
from bridge.domain.forms import STANDARD
from bridge.serve import resources
from deploy.dev.portal_api import FILES

PORTAL = Path(__file__).parents[2] / "deploy" / "dev" / "portal"
MOST_LINES = 1500


def test_the_portal_is_small_and_of_ours() -> None:
    """It can be read in an hour, and has no address of elsewhere, no inline script or style, and no HTML from text."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in PORTAL.iterdir()}
    assert texts.keys() == FILES.keys()
    assert sum(len(text.splitlines()) for text in texts.values()) <= MOST_LINES
    for name, text in texts.items():
        markup = text.replace("// ", "").replace("http://www.w3.org/2000/svg", "")
        assert (name, [part for part in ("//", "innerHTML", "style=", "onclick=", "eval(") if part in markup]) == (
            name,
            [],
        )


def test_the_api_serves_no_portal() -> None:
    """``cpd-bridge api`` has none of its paths: the portal signs anybody in."""
    paths = [route.path for routes in everything(Parts(resources(STANDARD))) for route in routes.table()]
    assert "/v1/log" in paths
    assert [path for path in paths if path.startswith("/portal")] == []
