"""The guide to running it: each of its commands is run, in the guide's order, and each of its links leads somewhere."""

from __future__ import annotations

import asyncio
import re
import textwrap
from pathlib import Path

from bridge.tokens import dev_token
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
        API=str(portal.client.make_url("")).rstrip("/"),
        OPS=tokens["ops"],
        PRIVACY=tokens["privacy"],
        MEMBER="m-1",
        BACKUPS=str(tmp_path / "backups"),
        CURL_HOME=str(tmp_path),
    )
    environment["PATH"] = f"{Path(CLI).parent}:{environment['PATH']}"
    guide = GUIDE.read_text(encoding="utf-8").replace("cpd-restored", f"{portal.settings.mongo_database}_restored")
    scripts = [textwrap.dedent(script) for script in COMMANDS.findall(guide)]
    outputs = [await shell(script, environment) for script in scripts]
    assert '"status":"ready"' in outputs[0]
    assert any('"state":"erased"' in output for output in outputs)


async def shell(script: str, environment: dict[str, str]) -> str:
    """Run a block of the guide to its end; returns what it printed, ``AssertionError`` names the block."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", script, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, f"{script}\n{output.decode()}"
    return output.decode()


def test_each_link_leads_somewhere() -> None:
    """A file that is there, and a heading in it."""
    for target, heading in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", GUIDE.read_text(encoding="utf-8")):
        page = (GUIDE.parent / target).resolve() if target else GUIDE
        assert page.exists(), target
        titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE) if heading else []
        assert not heading or heading in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]
