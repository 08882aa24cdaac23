"""schemathesis against the running API, with its worker, store and broker, as each role: no failure and no 5xx.

The short form is part of the suite; ``make fuzz`` runs the long one (``FUZZ_EXAMPLES``) and prints its figures.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest

from bridge.api.http.context import Role
from bridge.tokens import dev_token
from tests.support.audit import Office, office
from tests.support.journey import Journey
from tests.support.log_lines import collected_lines
from tests.support.statements import completed

ROOT = Path(__file__).parents[2]
CLI = Path(sys.executable).parent / "schemathesis"
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
"""Of each operation and role in the long form; 0 is the short one."""

SUBJECTS = {"member": "m-1"}
ROLES = get_args(Role) if EXAMPLES else ("member", "register")
"""Who calls: in the short form a member, and who reads most of members."""

LEAST = 5_000 if EXAMPLES else 150


@pytest.fixture
async def desk(bridge: Journey) -> AsyncGenerator[Office]:
    """The API over a record with everything in it, a case, a grant, parked statements and dead letters."""
    async with office(bridge.settings, bridge.services) as staff_office:
        sam, team = await staff_office.add_member("m-1"), staff_office.staff()
        await sam.record()
        await sam.good("POST", "/v1/support-grants", {"reason": "Please look at my log.", "hours": 24})
        colleague = await staff_office.add_member("m-2")
        await colleague.record()
        await colleague.submit(await team.select("m-2"))
        await bridge.send(completed("m-1"), completed("nobody"), *({"no": number} for number in range(20)))
        yield staff_office


async def fuzzed(desk: Office, role: str, directory: Path) -> dict[str, Any]:
    """Run schemathesis as a role; returns its report, and what it printed as ``output``."""
    settings, report = desk.settings, directory / f"{role}.json"
    token = dev_token(settings.local_dir, SUBJECTS.get(role, f"{role}-1"), [role], audience=settings.auth_audience)
    short = ["--max-examples", "1", "--phases", "examples,fuzzing", "--generation-deterministic"]
    size = ["--max-examples", str(EXAMPLES)] if EXAMPLES else short
    process = await asyncio.create_subprocess_exec(
        *(CLI, "--config-file", "tests/fuzz/schemathesis.toml", "run", str(desk.client.make_url("/openapi.json"))),
        *(
            "--checks",
            "all",
            "--continue-on-failure",
            "--no-color",
            "--warnings",
            "off",
            "--request-timeout",
            "60",
            *size,
        ),
        *("--header", f"Authorization: Bearer {token}", "--report", "json", "--report-json-path", str(report)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    outcome = orjson.loads(report.read_bytes()) if report.exists() else {"exit_code": process.returncode}
    return {**outcome, "output": output.decode(errors="replace")}


@pytest.mark.timeout(1800 if EXAMPLES else 180)
async def test_every_role(desk: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each role may call anything: what it is told is in the document, and nothing crashes or is let through."""
    with collected_lines() as lines:
        reports = {role: await fuzzed(desk, role, tmp_path) for role in ROLES}
    failed = [
        f"as {role}:\n{outcome['output'][-20_000:]}" for role, outcome in reports.items() if outcome["exit_code"] != 0
    ]
    assert not failed, "\n".join(failed)
    cases = {role: report["test_cases"]["generated"] for role, report in reports.items()}
    if EXAMPLES:
        with capsys.disabled():
            sys.stdout.write(f"\nCases: {sum(cases.values())}, of them {cases}; failures 0, 5xx 0.\n")
    assert sum(cases.values()) >= LEAST
    assert crashes(lines) == []


def crashes(lines: io.BytesIO) -> list[dict[str, Any]]:
    """The log lines of calls that ended as a fault of ours."""
    log_lines = [orjson.loads(line) for line in lines.getvalue().splitlines()]
    return [line for line in log_lines if line["event"] in {"request_crashed", "request_failed"}]
