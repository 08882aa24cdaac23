"""The audit's commands and the worker, as operations run them."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE
from pathlib import Path

import orjson
import pytest
from pydantic import SecretStr

from bridge import wiring
from bridge.domain.privacy.access import Reader, Right
from bridge.settings import Settings
from tests.support.audit import office
from tests.support.processes import CLI, environment_of, worker_process
from tests.support.smtp import post_office
from tests.support.storage import storage
from tests.unit.test_bounces import report

READER = Reader("staff-1", ("register",), "GET /v1/register/cases/{case_id}/record", "c-1")


async def run(settings: Settings, *arguments: str, stdin: bytes = b"") -> tuple[int, bytes, str]:
    """Run a command; returns its exit code, standard output and standard error without log lines."""
    process = await asyncio.create_subprocess_exec(
        CLI, *arguments, env=environment_of(settings), stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate(stdin)
    lines = [line for line in err.decode().splitlines() if not line.startswith("{")]
    return process.returncode or 0, out, "\n".join(lines)


async def test_verify_access_log(settings: Settings, tmp_path: Path) -> None:
    """Exit code 0 with the heads on standard output, which a later run is checked against; 1 naming what is wrong."""
    async with wiring.services(settings) as services:
        await services.stores.prepare()
        for number in range(3):
            await services.access.record_read(READER, "m-1", Right("audit_case", f"c-{number}"), ("submission",))
        code, heads, lines = await run(settings, "verify-access-log")
        assert (code, lines) == (0, "3 rows, 0 faults")
        assert sum(orjson.loads(line)["seq"] for line in heads.splitlines()) == 3
        heads_file = tmp_path / "noted.ndjson"
        heads_file.write_bytes(heads)
        assert (await run(settings, "verify-access-log", "--noted", str(heads_file)))[0] == 0
        rows = storage(services).access_log
        await rows.set({"seq": 2}, subject="nobody")
        code, _, lines = await run(settings, "verify-access-log")
        assert (code, "row 2: changed" in lines) == (1, True)
    heads_file.write_bytes(b"{}")
    assert (await run(settings, "verify-access-log", "--noted", str(heads_file)))[0] == 2


@pytest.mark.timeout(180)
async def test_the_worker_sends_and_hears_of_a_bounce(settings: Settings, tmp_path: Path) -> None:
    """A worker with a mail server turns a selection into an e-mail; when it comes back, operations see it."""
    async with post_office() as post, wiring.services(settings) as services, office(settings, services) as desk:
        await services.stores.prepare()
        await desk.add_member(email="sam@example.org")
        worker = worker_process(settings.model_copy(update={"smtp_url": SecretStr(post.url)}), tmp_path)
        await asyncio.to_thread(worker.start)
        try:
            await desk.staff().select()
            await post.until(1, within=60)
        finally:
            await asyncio.to_thread(worker.stop)
        mark = str(post.mails[0]["Message-ID"])
        code, _, lines = await run(settings, "bounced", stdin=report().replace(b"<abc@example.org>", mark.encode()))
        assert (code, lines) == (0, "noted: 5.1.1")
        (notice,) = (await desk.staff("ops").good("GET", "/v1/ops/notices?state=bounced"))["items"]
        assert notice["status"] == "5.1.1"
        code, _, lines = await run(settings, "bounced", stdin=b"Subject: I am away\n\n")
        assert (code, lines) == (0, "not a notice that came back")
