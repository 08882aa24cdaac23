"""The guide "Sending completions": each of its programs is run against the service, and what they send is recorded."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from bridge.api.app import create_app
from bridge.serve import parts, relaying
from bridge.services.lrs.credentials import hash_secret
from bridge.services.lrs.credentials import load as load_credentials
from bridge.settings import Settings, load
from bridge.tokens import dev_token
from deploy.dev.samples import members
from tests.support.guide_programs import DEBIAN_AMQPLIB, Block, blocks_of, run_block
from tests.support.journey import Journey, journey
from tests.support.packages import jars
from tests.support.portal import Server
from tests.support.processes import CLI
from tests.support.storage import storage
from tests.support.topologies import delete_topology

BLOCKS = blocks_of("sending-completions.md")
RUN = [block for block in BLOCKS if block.language in {"json", "sh", "python"}]
PROGRAMS = [block for block in BLOCKS if block.language in {"javascript", "java", "php", "csharp"}]


@dataclass
class Reader:
    """A reader of the guide beside a running service: the folder that they work in, and their variables."""

    bridge: Journey
    directory: Path
    environment: dict[str, str]

    async def run(self, block: Block) -> str:
        """Do what a block says."""
        classpath = jars("org.springframework.amqp", "spring-rabbit", "3.2.0") if block.language == "java" else ""
        return await run_block(block, self.directory, self.environment, classpath)

    async def dispositions(self, number: int) -> Counter[str | None]:
        """Wait until so many messages are settled; returns how their statements ended."""
        await self.bridge.settled_messages(number)
        return Counter(row.get("disposition") for row in await storage(self.bridge.services).statements.all({}))


@pytest.fixture
async def reader(settings: Settings, tmp_path: Path) -> AsyncGenerator[Reader]:
    """The service with the exchange names of the guide, the sample members, and a credential of the LRS."""
    credential = {
        "key": "storyline",
        "secret_hash": hash_secret("secret"),
        "authority": {"account": {"homePage": "https://cpd.example.org", "name": "storyline"}},
        "scopes": ["statements/write"],
    }
    (tmp_path / "credentials.json").write_text(json.dumps([credential]), encoding="utf-8")
    fields = {name: getattr(settings, name) for name in settings.model_fields_set}
    here = {"amqp_namespace": "", "lrs_credentials_file": tmp_path / "credentials.json"}
    guide_settings = load(**{**fields, **here})
    async with journey(guide_settings) as bridge:
        for sample in members():
            await bridge.add_member(sample.member_id, sample.body)
        app = create_app(guide_settings, parts(bridge.services, guide_settings))
        async with relaying(bridge.services), TestClient[web.Request, web.Application](Server(app)) as client:
            variables = {
                "AMQP": guide_settings.amqp_url.get_secret_value().rstrip("/"),
                "API": str(client.make_url("")).rstrip("/"),
                "TOKEN": dev_token(guide_settings.local_dir, "dev-ops", ["ops"], audience=guide_settings.auth_audience),
                "SECRET": "secret",
                "MONGO": guide_settings.mongo_url.get_secret_value(),
                "BRIDGE_MONGO_DATABASE": guide_settings.mongo_database,
                "PATH": f"{CLI.parent}:{os.environ['PATH']}",
            }
            yield Reader(bridge, tmp_path, {**os.environ, **variables})
        await delete_topology(bridge.topology, bridge.channel)


async def test_each_command_and_request_works(reader: Reader) -> None:
    """In the order of the guide; all that is sent is in the log, and the last calls say so, and what was wrong."""
    *sending, reconciling, single, letters = RUN
    for block in sending:
        await reader.run(block)
    assert await reader.dispositions(5) == {"recorded": 4, "merged": 1, "withdrawn": 2}
    answer = json.loads(await reader.run(reconciling))
    assert [item["disposition"] for item in answer["items"]] == ["recorded", "withdrawn"]
    assert await reader.bridge.dead_letters() == []
    await reader.bridge.settled(await reader.bridge.publish([b'{"id": "0a6e2c1e-8a0b-4f3e-9a54-6d2f1c7b9e11"}']))
    assert json.loads(await reader.run(single))["detail"] is None
    assert "/actor: the property" in await reader.run(letters)
    assert [entry.key for entry in load_credentials(reader.directory / "lrs.json")] == ["storyline"]


@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: block.language)
async def test_the_programs_in_other_languages_work(reader: Reader, block: Block) -> None:
    """Each is run where its tools are; where PHP has no amqplib, its syntax is checked."""
    if block.language == "csharp":
        pytest.skip("needs the .NET SDK, which is not here")
    await reader.run(next(block for block in BLOCKS if block.file == "completed.json"))
    output = await reader.run(block)
    if block.language != "php" or DEBIAN_AMQPLIB.exists():
        assert re.search(r"^sent [0-9a-f-]{36}$", output, re.MULTILINE), output
        assert await reader.dispositions(1) == {"recorded": 1}
