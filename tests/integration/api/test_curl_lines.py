"""The lines for a shell in ``/docs``: each is run as it stands, in the order of a story, and goes well."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Mapping
from html import unescape
from pathlib import Path
from typing import Final, NamedTuple

import orjson
import pytest

from bridge.tokens import dev_token
from deploy.dev.samples import members
from tests.support.audit import Office, office
from tests.support.journey import Journey, mirroring
from tests.support.statements import completed

FIRST: Final = (
    *("put_member", "create_item", "create_entry", "add_evidence", "link", "add_case", "get_readiness"),
    *("ask_extension", "submit", "get_record", "get_record_pdf", "get_submitted_evidence", "decide", "add_grant"),
    *("dead_letters", "dead_letter", "replay_one", "dead_letters", "discard_one"),
)
LAST: Final = ("erase_member",)
"""What a line needs is made before it, and undone after it; all others come between, in the order of the page."""

NEW_IDS: Final = {
    "create_item": ("ITEM_ID", "PLAN_ID"), "create_entry": ("ENTRY_ID",), "add_evidence": ("EVIDENCE_ID",),
    "add_case": ("CASE_ID",), "add_grant": ("GRANT_ID",),
}  # fmt: skip
"""Operation → the variables that the ``id`` in its answer is for."""


LISTED_IDS: Final = {"dead_letters": "LETTER_ID", "list_statements": "STATEMENT_ID"}
"""Operation → the variable that the last ``id`` in its list is for."""


class Line(NamedTuple):
    """A line of the page: the operation, its first role, the method, the line itself, and a status that is expected."""

    operation: str
    role: str
    method: str
    text: str
    other_status: int


def lines_of(page: str) -> list[Line]:
    """Return the lines of the page of the reference."""
    lines: list[Line] = []
    for article in re.findall(r'<article class="card"><h3 id="\w+" tabindex="-1">.*?</article>', page, re.DOTALL):
        line = re.search(r'<pre class="curl">(.*?)</pre>', article, re.DOTALL)
        operation, method = re.search(r'id="(\w+)"', article), re.search(r'<p class="call"><b class="(\w+)"', article)
        if line and operation and method:
            role = re.search(r"Roles: (\w+)", article)
            note = re.search(r"Expect (\d+)", article)
            status = int(note[1]) if note else 200
            lines.append(Line(operation[1], role[1] if role else "", method[1], unescape(line[1]), status))
    return lines


def in_order(lines: list[Line]) -> list[Line]:
    """Return the lines in an order in which each finds what it needs."""
    by_operation = {line.operation: line for line in lines}
    first, last = [by_operation[name] for name in FIRST], [by_operation[name] for name in LAST]
    rest = [line for line in lines if line not in first and line not in last]
    deleting = [line for line in rest if line.method == "delete"]
    return [*first, *(line for line in rest if line not in deleting), *reversed(deleting), *last]


@pytest.fixture
async def desk(bridge: Journey) -> AsyncGenerator[Office]:
    """The API over the sample members of ``make run``, with a parked completion and dead letters."""
    async with office(bridge.settings, bridge.services) as staff_office, mirroring(bridge):
        for sample in members():
            await bridge.add_member(sample.member_id, sample.body)
        await bridge.send(completed("1001"), completed("nobody"), *({"no": number} for number in range(3)))
        yield staff_office


async def test_every_line_of_the_reference_works(desk: Office, tmp_path: Path) -> None:
    """Each operation has a line, which a shell runs as it stands; the answer is a success, or what was expected."""
    page = await (await desk.client.get("/docs")).text()
    document = await (await desk.client.get("/openapi.json")).json()
    lines = lines_of(page)
    operations = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert [line.operation for line in lines if line.operation in operations] == operations
    (tmp_path / ".curlrc").write_text('silent\nwrite-out = "\\n%{http_code}"\n', encoding="utf-8")
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "CURL_HOME": str(tmp_path),
        "API": str(desk.client.make_url("")),
    }
    environment |= dict.fromkeys(("NOTICE_ID", "SAMPLE_ID"), "none")
    wrong: list[str] = []
    for line in in_order(lines):
        token = token_of(desk, line.role)
        status, body = await run(line.text, {**environment, "TOKEN": token}, tmp_path)
        if not (status == line.other_status or 200 <= status < 300):
            wrong.append(f"{line.text}\n{status} {body[:600]}")
        environment |= ids_in(line.operation, body)
    assert not wrong, "\n\n".join(wrong)


def token_of(desk: Office, role: str) -> str:
    """Return a token of the role; a member's is that of the first sample member."""
    subject = "m-1001" if role == "member" else f"dev-{role}"
    return dev_token(desk.settings.local_dir, subject, [role], audience=desk.settings.auth_audience)


async def run(text: str, environment: Mapping[str, str], directory: Path) -> tuple[int, str]:
    """Run a line in a shell; returns the status of the answer and its body."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", text), env=environment, cwd=directory, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    body, _, status = out.decode().rpartition("\n")
    return int(status or 0), body


def ids_in(operation: str, body: str) -> dict[str, str]:
    """Return the variables that an answer gives values to."""
    if operation in LISTED_IDS:
        return {LISTED_IDS[operation]: str(orjson.loads(body)["items"][-1]["id"])}
    if operation not in NEW_IDS:
        return {}
    return {name: str(orjson.loads(body)["id"]) for name in NEW_IDS[operation]}
