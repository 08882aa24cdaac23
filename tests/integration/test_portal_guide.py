"""The guide to building a portal: each of its requests is made, and its typed client compiled."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from pathlib import Path

from bridge.tokens import dev_token
from tests.support.guides import GuideRun, blocks, exchanges
from tests.support.packages import npm_package
from tests.support.portal import Portal

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "building-a-portal.md"
MEMBER = "m-1"
CHECKSUMS = {
    "openapi-typescript": "EFP392gcqXS7ntPvbhBzbF8TyBA+baIYEm791Hy5YkjDYKTnk/Tn5OQeKm5BIZvJihpp8Zzr4hzx0Irde1LNGQ==",
    "openapi-fetch": "PsbZR1wAPcG91eEthKhN+Zn92FMHxv+/faECIwjXdxfTODGSGegYv0sc1Olz+HYPvKOuoXfp+0pA2XVt2cI0Ig==",
}
"""SHA-512 that npm has to have checked the packages by."""

STRICTEST = ("--strict", "--noEmit", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler")


async def test_each_request_is_answered_as_the_guide_says(portal: Portal) -> None:
    """From the overview to the frozen record, in the guide's order, with the ids that its answers bring."""
    await portal.member(MEMBER)
    tokens = {role: dev_token(portal.settings.local_dir, MEMBER, [role]) for role in ("member", "register")}
    run = GuideRun(portal.client, tokens["member"], {"register": tokens["register"], "member": MEMBER})
    for exchange in exchanges(GUIDE):
        await run.play(exchange)
    assert run.words["receipt"]
    address = str(portal.client.make_url("")).rstrip("/")
    shell = await asyncio.create_subprocess_exec(
        "bash", "-ec", blocks(GUIDE, "sh")[0], env={**os.environ, "MEMBER": tokens["member"], "API": address},
        stdout=subprocess.PIPE,
    )  # fmt: skip
    output, _ = await shell.communicate()
    assert (shell.returncode, json.loads(output)["member_id"]) == (0, MEMBER)


def test_what_the_guide_names_is_there() -> None:
    """Each link, each file of the example, and each path of the API."""
    text = GUIDE.read_text(encoding="utf-8")
    paths = {blank(path) for path in json.loads((ROOT / "docs" / "openapi.json").read_bytes())["paths"]}
    assert {blank(path) for path in re.findall(r"/v1/[\w/{}.-]+", text)} - paths == set()
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", text) if "//" not in target]
    assert [target for target in targets if not (GUIDE.parent / target).exists()] == []
    scripts = set(re.findall(r"`(\w+\.js)`", text))
    assert scripts
    assert scripts <= {path.name for path in (ROOT / "deploy" / "dev" / "portal").iterdir()}


def blank(path: str) -> str:
    """A path whose parameters have no names, as the guide calls them after what they hold."""
    return re.sub(r"{\w+}|current|(?<=forms/)log", "{}", path)


def test_the_typed_client_compiles(tmp_path: Path) -> None:
    """openapi-typescript takes our document, and tsc the guide's client against it, both as the guide says."""
    generator, client = (package(name) for name in ("openapi-typescript", "openapi-fetch"))
    (tmp_path / "node_modules").symlink_to(client.parent)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "client.ts").write_text("".join(blocks(GUIDE, "ts")), encoding="utf-8")
    (command,) = re.findall(r"^npx openapi-typescript (.*)$", blocks(GUIDE, "sh")[1], re.MULTILINE)
    run_node(tmp_path, generator / "bin" / "cli.js", *command.split())
    run_node(tmp_path, generator.parent / "typescript" / "bin" / "tsc", *STRICTEST, "client.ts")


def package(name: str) -> Path:
    """A package in the version that the guide installs, once its checksum is the one we know."""
    (version,) = re.findall(rf"{name}@([\d.]+)", blocks(GUIDE, "sh")[1])
    folder = npm_package(name, version)
    lockfile = json.loads((folder.parent / ".package-lock.json").read_text(encoding="utf-8"))
    assert lockfile["packages"][f"node_modules/{name}"]["integrity"] == f"sha512-{CHECKSUMS[name]}"
    return folder


def run_node(directory: Path, *command: str | Path) -> None:
    """Run a script of Node.js in a folder, to its good end."""
    ran = subprocess.run(["node", *command], cwd=directory, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
