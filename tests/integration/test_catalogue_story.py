"""The story of a wrong prefix: told by the alert, the log and the page, mended, and brought back once (issue 17)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import yaml
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from bridge.domain.members.messages import MemberIn
from bridge.logs import NOTHING_COUNTS
from bridge.settings import Settings
from bridge.wiring import topology
from deploy.dev.stack import catalogue_warning
from tests.integration.test_reconsider import PATH, drafted, serving
from tests.support.calls import calls
from tests.support.commands import run
from tests.support.journey import publish_raw
from tests.support.monitoring import RULES
from tests.support.processes import CLI, Running, environment_of, worker_process
from tests.support.promtool import promtool
from tests.support.statements import HOME, completed, member
from tests.support.storage import storage
from tests.unit.monitoring.test_alerts import OUTSIDE, RECORDED, Case, played, rising, still

COMPLETIONS = 600


async def outside(process: Running) -> float:
    """How many statements a worker says that it settled as outside the catalogue."""
    async with ClientSession() as client, client.get(f"http://127.0.0.1:{process.port}/metrics") as answer:
        families = text_string_to_metric_families(await answer.text())
    samples = [sample for family in families for sample in family.samples]
    return sum(sample.value for sample in samples if sample.labels.get("reason") == "not_catalogue")


async def test_a_wrong_prefix_is_told_and_made_good(settings: Settings, tmp_path: Path) -> None:
    """The alert fires on what the worker counted, the page says why, a dry run counts, and each becomes a draft once.

    The command that brings them back is killed -9 in the middle, and done again.
    """
    statements = [completed(activity=f"course/{number}") for number in range(COMPLETIONS)]
    wrong_prefix = "https://wrong.example.org/"
    async with serving(settings, wrong_prefix) as services:
        await services.members.put("m-1", MemberIn.model_validate(member()))
    wrong_settings = settings.model_copy(update={"catalogue_prefixes": (wrong_prefix,)})
    worker = worker_process(wrong_settings, tmp_path)
    worker.start()
    try:
        for part in (statements[:300], statements[300:]):
            exchange = topology(settings).statements
            await publish_raw(settings, exchange, "statement.completed", orjson.dumps(part))
        async with asyncio.timeout(60):
            while (count := await outside(worker)) < COMPLETIONS:
                await asyncio.sleep(0.05)  # another process works; its metrics are the sign of it
    finally:
        worker.stop()
    series = {OUTSIDE: rising(count / 60), RECORDED: still(0)}
    file = tmp_path / "story.yml"
    case = played(Case("nothing is in the catalogue", ("NotInCatalogue",), {**series}))
    cases = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [case]}
    file.write_text(yaml.safe_dump(cases, width=1000), encoding="utf-8")
    assert "SUCCESS" in promtool("test", "rules", file)
    text = (tmp_path / "worker.log").read_text()
    lines = [orjson.loads(line) for line in text.splitlines()]
    (start,) = (line for line in lines if line["event"] == "what counts")
    (warning,) = (line for line in lines if line["event"] == NOTHING_COUNTS)
    assert start["prefixes"] == [wrong_prefix]
    assert warning["remedy"] in (catalogue_warning(text) or ""), "the developer at the terminal is told too"
    assert "BRIDGE_CATALOGUE_PREFIXES" in warning["remedy"]

    right_settings = settings.model_copy(update={"catalogue_prefixes": (HOME,)})
    async with serving(right_settings, HOME) as services, calls(right_settings, services) as ops:
        _, fate = await ops("GET", f"/v1/ops/statements/{statements[0]['id']}")
        assert "its activity is not in the catalogue (`BRIDGE_CATALOGUE_PREFIXES`" in fate["text"]
        _, counts = await ops("POST", PATH, {"reason": "not_catalogue", "dry_run": True})
        assert counts["by_reason"] == [{"reason": "not_catalogue", "statements": COMPLETIONS, "counting": COMPLETIONS}]
        process = await asyncio.create_subprocess_exec(CLI, "reconsider", "--yes", env=environment_of(right_settings))
        async with asyncio.timeout(60):
            while not await storage(services).log_entries.estimate():
                await asyncio.sleep(0.005)  # another process works; the store is the only sign of it
        process.kill()
        await process.wait()
        assert 0 < len(await drafted(services)) < COMPLETIONS, "it was killed in the middle of the work"
        assert (await run(right_settings, "reconsider", "--yes"))[0] == 0
        assert await drafted(services) == sorted(statement["id"] for statement in statements)
        _, page = await ops.by("m-1", "member")("GET", "/v1/log?period=all&limit=1")
        assert page["total"] == COMPLETIONS
        _, entry = await ops.by("m-1", "member")("GET", f"/v1/log/{page['items'][0]['id']}")
        assert entry["provenance"]["text"].startswith("From the Learning centre. Recorded on ")
