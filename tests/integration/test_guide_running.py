"""The guide to running it: each of its commands is run, in the guide's order, and each of its links leads somewhere."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from bridge.tokens import dev_token
from tests.support.guides import address_of, run_shell
from tests.support.portal import Portal
from tests.support.processes import CLI, environment_of

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "running-it.md"
COMMANDS = re.compile(r"^ *```sh\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
"""A block of commands, also one within a list."""


async def test_each_command_does_what_the_guide_says(portal: Portal, tmp_path: Path) -> None:
    """From the first look to an upgrade: every command and call succeeds, and a member erased stays erased."""
    await portal.member("m-1")
    tokens = {role: dev_token(portal.settings.local_dir, "me", [role]) for role in ("ops", "privacy")}
    (tmp_path / "backups").mkdir()
    (tmp_path / ".curlrc").write_text("fail-with-body\n", encoding="ascii")
    environment = environment_of(
        portal.settings,
        API=address_of(portal.client),
        OPS=tokens["ops"],
        PRIVACY=tokens["privacy"],
        MEMBER="m-1",
        BACKUPS=str(tmp_path / "backups"),
        CURL_HOME=str(tmp_path),
    )
    environment["PATH"] = f"{Path(CLI).parent}:{environment['PATH']}"
    guide = GUIDE.read_text(encoding="utf-8").replace("cpd-restored", f"{portal.settings.mongo_database}_restored")
    scripts = [textwrap.dedent(script) for script in COMMANDS.findall(guide)]
    outputs = [await run_shell(script, ROOT, **environment) for script in scripts]
    assert '"status":"ready"' in outputs[0]
    assert any('"state":"erased"' in output for output in outputs)


def test_each_link_leads_somewhere() -> None:
    """A file that is there, and a heading in it."""
    for target, heading in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", GUIDE.read_text(encoding="utf-8")):
        page = (GUIDE.parent / target).resolve() if target else GUIDE
        assert page.exists(), target
        titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE) if heading else []
        assert not heading or heading in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]
