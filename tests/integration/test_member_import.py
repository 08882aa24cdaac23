"""Members in bulk: a file is checked whole, then written in batches, and an import may be run again (R82)."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import re
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from bridge import wiring
from bridge.commands.members import import_file
from bridge.domain.members.files import COLUMNS
from bridge.domain.members.messages import MemberIn
from bridge.errors import BridgeError, Conflict
from bridge.services.members.imports import FileIndex, ImportOutcome, NumberedMember
from bridge.settings import Settings
from bridge.tokens import dev_token
from tests.support.commands import run
from tests.support.guides import address_of, blocks, run_shell
from tests.support.journey import Journey
from tests.support.portal import portal_over
from tests.support.processes import CLI, environment_of
from tests.support.statements import HOME, account, completed, member
from tests.support.storage import storage

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "members.md"


@pytest.fixture
async def services(settings: Settings) -> AsyncGenerator[wiring.Services]:
    """The services over a database that is prepared."""
    async with wiring.services(settings) as live_services:
        await live_services.stores.prepare()
        yield live_services


def ndjson(*members: Any) -> bytes:
    """A file of members, each as JSON on a line (bytes as they are)."""
    return b"".join(m + b"\n" if isinstance(m, bytes) else orjson.dumps(m) + b"\n" for m in members)


def table(*rows: Sequence[str], header: Sequence[str] = ()) -> bytes:
    """A CSV file."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header or [column.name for column in COLUMNS], *rows])
    return text.getvalue().encode()


async def imported(services: wiring.Services, raw: bytes) -> tuple[int, int, int]:
    """Import a file; returns how many were new, changed, the same."""
    counts = await import_file(services.member_imports, raw)
    return counts[ImportOutcome.NEW], counts[ImportOutcome.CHANGED], counts[ImportOutcome.AS_BEFORE]


async def faults_of(services: wiring.Services, raw: bytes) -> list[tuple[str, str]]:
    """The faults of a file that is not imported: labels and messages."""
    with pytest.raises(BridgeError) as refusal:
        await import_file(services.member_imports, raw)
    return [(fault.label, fault.message) for fault in refusal.value.field_errors]


def brought(number: int, **extra: Any) -> dict[str, Any]:
    """A member of a file."""
    return {"member_id": f"m-{number}", **member(str(number)), **extra}


async def test_a_file_is_imported_and_again_changes_nothing(services: wiring.Services) -> None:
    """New members, then the same, then two changes; again writes nothing, so that a stopped import can be run again."""
    file = ndjson(*map(brought, range(450)))
    assert await imported(services, file) == (450, 0, 0)
    once = await storage(services).everything()
    assert await imported(services, file) == (0, 0, 450)
    assert await storage(services).everything() == once
    leave = [{"from": "2026-05-01", "to": "2026-05-31"}]
    assert await imported(
        services, ndjson(brought(1, leave=leave), brought(2, identifiers=[account("new")]), brought(3))
    ) == (0, 2, 1)
    assert (await services.members.get("m-1"))["leave"] == leave
    assert await services.stores.identifiers.owners([f'account:["{HOME}","2"]', f'account:["{HOME}","new"]']) == {
        f'account:["{HOME}","new"]': "m-2"
    }


async def test_a_table_says_what_the_put_says(services: wiring.Services) -> None:
    """Every column of the template, with several values in a cell; the member is stored as by ``PUT``."""
    years, away = "2025-04-01/2026-03-31; 2026-04-01/2027-03-31", "2026-05-01/2026-05-31"
    accounts, mails = f"{HOME}#1001; {HOME}#1002", "mailto:sam@example.org; mailto:s@example.org"
    row = ["m-1", "Sam", "sam@example.org", "cy", "yes", "2021-06-01", "", years, away, accounts, mails, "a" * 40]
    assert await imported(services, table([*row, "https://id.example.org/sam"])) == (1, 0, 0)
    by_import = await services.members.get("m-1")
    body = {
        "name": "Sam", "email": "sam@example.org", "language": "cy", "registered": True,
        "registered_since": "2021-06-01",
        "periods": [{"start": "2025-04-01", "end": "2026-03-31"}, {"start": "2026-04-01", "end": "2027-03-31"}],
        "leave": [{"from": "2026-05-01", "to": "2026-05-31"}],
        "identifiers": [
            account("1001"), account("1002"), {"mbox": "mailto:sam@example.org"}, {"mbox": "mailto:s@example.org"},
            {"mbox_sha1sum": "a" * 40}, {"openid": "https://id.example.org/sam"},
        ],
    }  # fmt: skip
    await services.members.put("m-1", MemberIn.model_validate(body))
    by_put = await services.members.get("m-1")
    assert by_put == {**by_import, "version": 2, "acts": by_put["acts"]}


def test_the_guide_has_every_column() -> None:
    """The published template and the guide name the same columns, in the same order."""
    guide = GUIDE.read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE) == [column.name for column in COLUMNS]


async def test_every_fault_is_told_and_nothing_is_written(services: wiring.Services) -> None:
    """By row and column: what a ``PUT`` would refuse, what is twice in the file, and what is another member's."""
    await services.members.put("m-9", MemberIn.model_validate(member("9")))
    file = table(
        ["m-1", "Sam", "perhaps", "2026-04-01", f"{HOME}#1", ""],
        ["m-2", "", "yes", "2026-13-01", "no-account", "mailto:two@example.org"],
        ["", "Ann", "yes", "2026-04-01", "", "mailto:TWO@example.org; mailto:x"],
        ["m-4", "Ben", "yes", "2026-04-01", "", "mailto:four@example.org"],
        ["m-4", "Ben", "yes", "2026-04-01", "", "mailto:five@example.org; mailto:Four@example.org"],
        ["m-6", "Cai", "yes", "2026-04-01", f"{HOME}#9", ""],
        ["m-7", "Dai", "yes"],
        header=["member_id", "name", "registered", "renewal_date", "account", "mbox"],
    )
    before = await storage(services).everything()
    assert sorted((label, message[:40]) for label, message in await faults_of(services, file)) == [
        ("Row 2, registered", "Give yes or no, or true or false."),
        ("Row 3, account", "Give an absolute IRI with a scheme, such"),
        ("Row 3, name", "This is needed: fill it in."),
        ("Row 3, renewal_date", "Give a date as YYYY-MM-DD, for example 2"),
        ("Row 4, mbox", "Give a mailto IRI with one address, such"),
        ("Row 4, member_id", "This is needed: fill it in."),
        ("Row 6, mbox", "This identifier is in row 5 already: it "),
        ("Row 6, member_id", "This member is in row 5 already: keep on"),
        ("Row 7, account", "This identifier belongs to another membe"),
        ("Row 8", "This row has 3 cells, the header 6: give"),
    ]
    assert await storage(services).everything() == before


async def test_an_identifier_may_go_from_an_earlier_row_to_a_later(services: wiring.Services) -> None:
    """Also within one batch; the other way round it is told."""
    await imported(services, ndjson(brought(1), brought(2)))
    rows = [brought(1, identifiers=[account("new")]), brought(3, identifiers=[account("1"), account("3")])]
    ((label, message),) = await faults_of(services, ndjson(*reversed(rows)))
    assert (label, "belongs to another member" in message) == ("Row 1, account", True)
    assert await imported(services, ndjson(*rows)) == (1, 1, 0)
    assert (await services.stores.identifiers.owners([f'account:["{HOME}","1"]'])).popitem()[1] == "m-3"


async def test_an_identifier_that_goes_elsewhere_meanwhile_is_told(services: wiring.Services) -> None:
    """Another call may take it after the check: its row is named, and nothing of its batch is written."""
    rows = [NumberedMember(n, f"m-{n}", MemberIn.model_validate(member(str(n)))) for n in (1, 2)]
    assert await services.member_imports.check(rows, FileIndex()) == []
    await services.members.put("m-9", MemberIn.model_validate(member("2")))
    with pytest.raises(Conflict, match="since the file was checked") as refusal:
        await services.member_imports.write(rows)
    assert [fault.label for fault in refusal.value.field_errors] == ["Row 2, account"]
    assert await services.stores.members.get("m-1") is None


async def test_lines_that_hold_no_member_are_told(services: wiring.Services) -> None:
    """What is no JSON, no object, or has a field that is not known; an erased member; and a file that is empty."""
    await services.members.put("m-7", MemberIn.model_validate(member("7")))
    await services.erasures.request("m-7", "privacy")
    deep = b'{"member_id":"m-1","x":' + b"[" * 300 + b"]" * 300 + b"}"
    file = ndjson(brought(1, phone="1"), b"{", b"[1]", b"", deep, brought(2, member_id="a b"), brought(7), brought(8))
    labels = sorted(label for label, _ in await faults_of(services, file))
    assert labels == ["Row 1, phone", "Row 2", "Row 3", "Row 5", "Row 6, member_id", "Row 7, member_id"]
    ((_, message),) = await faults_of(services, b"")
    assert "There is no header row" in message
    assert await services.stores.members.get("m-8") is None


async def test_what_waited_for_a_newcomer_follows(bridge: Journey) -> None:
    """Parked statements of members whom an import brings are recorded by the worker, and nobody else is looked at."""
    await bridge.send(*[completed(str(number)) for number in (1, 2)])
    await imported(bridge.services, ndjson(*map(brought, range(5))))
    assert await storage(bridge.services).rows("follow_ups").ids() == ["m-1", "m-2"]
    await asyncio.gather(*(bridge.services.follow_ups.run(member_id) for member_id in ("m-1", "m-2")))
    assert [len(await bridge.log(f"m-{number}")) for number in range(5)] == [0, 1, 1, 0, 0]


async def test_the_command_says_what_it_did(settings: Settings, services: wiring.Services, tmp_path: Path) -> None:
    """Exit code 0 with a report, 1 with each fault, 2 for a file that is not there; progress is on standard error."""
    good, bad = tmp_path / "good.csv", tmp_path / "bad.ndjson"
    code, header, _ = await run(settings, "members", "template")
    assert (code, next(csv.reader([header]))) == (0, [column.name for column in COLUMNS])
    row = ["m-1", "Sam", "", "", "yes", "", "2026-04-01", "", "", f"{HOME}#1", "", "", ""]
    good.write_bytes(header.encode() + table(row).partition(b"\n")[2])
    code, out, err = await run(settings, "members", "import", str(good))
    assert (code, out) == (0, "1 new, 0 changed, 0 the same.\n"), err
    assert all(words in err for words in ("Checking", "Writing", "1/1"))
    bad.write_bytes(ndjson(brought(1, name=""), brought(2)))
    code, out, err = await run(settings, "members", "import", str(bad), "--json")
    assert (code, orjson.loads(out)["pointer"], "1 fault was found" in err) == (1, "/rows/1/name", True)
    assert (await run(settings, "members", "import", str(tmp_path / "none.csv")))[0] == 2
    assert await services.stores.members.get("m-2") is None


async def test_the_guide_s_commands_bring_a_member(settings: Settings, tmp_path: Path) -> None:
    """From the header row over a row to the member, as the guide says it."""
    commands, call = blocks(GUIDE, "sh")
    make_file, import_it = commands.splitlines()
    async with portal_over(settings) as portal:
        environment = environment_of(settings, PATH=f"{CLI.parent}:{os.environ['PATH']}")
        await run_shell(make_file, tmp_path, **environment)
        with (tmp_path / "members.csv").open("a", encoding="utf-8") as file:
            csv.DictWriter(file, [column.name for column in COLUMNS]).writerow(
                {"member_id": "m-1001", "name": "Sam Example", "registered": "yes", "renewal_date": "2026-04-01"}
            )
        assert await run_shell(import_it, tmp_path, **environment) == "1 new, 0 changed, 0 the same.\n"
        token = dev_token(settings.local_dir, "membership", ["platform"])
        answer = await run_shell(call, tmp_path, API=address_of(portal.client), TOKEN=token)
    assert orjson.loads(answer)["name"] == "Sam Example"
