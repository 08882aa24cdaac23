"""The guide to building a portal: each of its requests is made, and its typed client compiled."""

from __future__ import annotations

import json
import re
from pathlib import Path

from bridge.tokens import dev_token
from tests.support.guides import GuideRun, address_of, blocks, exchanges, run_shell
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

CALL, MAKE_TYPES, COMPILE = blocks(GUIDE, "sh")


async def test_each_request_is_answered_as_the_guide_says(portal: Portal, tmp_path: Path) -> None:
    """From the overview to the frozen record, in the guide's order, with the ids that its answers bring."""
    await portal.member(MEMBER)
    tokens = {role: dev_token(portal.settings.local_dir, MEMBER, [role]) for role in ("member", "register")}
    run = GuideRun(portal.client, tokens["member"], {"register": tokens["register"], "member": MEMBER})
    for exchange in exchanges(GUIDE):
        await run.play(exchange)
    assert run.words["receipt"]
    output = await run_shell(CALL, tmp_path, API=address_of(portal.client), MEMBER=tokens["member"])
    assert json.loads(output)["member_id"] == MEMBER


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


async def test_the_typed_client_compiles(portal: Portal, tmp_path: Path) -> None:
    """openapi-typescript takes the document of a service, and tsc the guide's client, both as the guide says."""
    generator, client = (package(name) for name in ("openapi-typescript", "openapi-fetch"))
    (tmp_path / "node_modules").symlink_to(client.parent)
    (tmp_path / "client.ts").write_text("".join(blocks(GUIDE, "ts")), encoding="utf-8")
    scripts = {
        "openapi-typescript": generator / "bin" / "cli.js",
        "tsc": generator.parent / "typescript" / "bin" / "tsc",
    }
    for program, options in re.findall(r"^npx (\S+) (.*)$", MAKE_TYPES + COMPILE, re.MULTILINE):
        command = f"node {scripts[program]} {options}"
        await run_shell(command, tmp_path, API=address_of(portal.client))


def package(name: str) -> Path:
    """A package in the version that the guide installs, once its checksum is the one we know."""
    (version,) = re.findall(rf"{name}@([\d.]+)", MAKE_TYPES)
    folder = npm_package(name, version)
    lockfile = json.loads((folder.parent / ".package-lock.json").read_text(encoding="utf-8"))
    assert lockfile["packages"][f"node_modules/{name}"]["integrity"] == f"sha512-{CHECKSUMS[name]}"
    return folder
