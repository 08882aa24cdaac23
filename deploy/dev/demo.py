"""The demo: ``python -m deploy.dev.demo`` publishes the sample statements and shows what became of each.

It runs on a temporary directory, so the sample ids can stay fixed, the table is the same on every run, and each row is
compared with what the sample should get. With BRIDGE_MONGO_URL or BRIDGE_AMQP_URL set it uses those, in a database and
a namespace of its own, which stay.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.settings import PREFIX, Settings, load
from deploy.dev import samples
from deploy.dev.client import call
from deploy.dev.commands import failing_clearly
from deploy.dev.samples import SampleMessage
from deploy.dev.service import ServiceMissing
from deploy.dev.services import side_by_side
from deploy.dev.stack import Stack, own_authentication, stack

_SETTLED_WITHIN = 60.0  # seconds
_POLL = 0.05  # seconds between two looks at the worker's log
_READER = "m-1004"
_ID_WIDTH = 36  # characters of an entry's id, which is no use cut short

Settled = dict[str, dict[str, Any]]
"""The worker's log lines about settled statements, by correlation id."""

_NEXT = """What to try next:
  make run           the service until Ctrl-C, with a portal at /portal/ and
                     the API's reference at /docs of the address it prints
  docs/guides/       a guide for each reader; README.md says which is yours"""


def main() -> int:
    """Run the demo; 0 when every sample got the disposition that it should, 1 otherwise."""
    settings = load()
    if own_authentication(settings):
        raise ServiceMissing("The demo makes its own tokens: unset BRIDGE_AUTH_JWKS_URL and BRIDGE_AUTH_KEY_FILE.")
    settings.local_dir.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="demo-", dir=settings.local_dir) as directory:
        return _demonstrate(Console(markup=False), load(local_dir=Path(directory)))


def _demonstrate(console: Console, settings: Settings) -> int:
    started = datetime.now(UTC)
    console.print("Starting RabbitMQ, MongoDB, the API and the worker …")
    with stack(settings, _own_names(started), own_broker=True) as dev_stack:
        dev_stack.load_members()
        published = _publish(dev_stack, samples.statements(started), settings.local_dir)
        settlements = _wait(dev_stack.worker.log, set(published))
        wrong = _show_outcomes(console, published, settlements)
        if warning := dev_stack.catalogue_warning():
            console.print(warning, style="red")
        _show_log(console, dev_stack)
        dev_stack.discard()
    return _verdict(console, len(published), wrong)


def _own_names(started: datetime) -> dict[str, str]:
    names = {"MONGO_DATABASE": f"cpd_demo_{started:%Y%m%d%H%M%S}", "AMQP_NAMESPACE": "demo.", "LOG_LEVEL": "debug"}
    return {f"{PREFIX}{name}": value for name, value in names.items()}


def _publish(dev_stack: Stack, choice: list[SampleMessage], directory: Path) -> dict[str, SampleMessage]:
    """Publish each sample by ``cpd-bridge emit``; the samples by the correlation id of their message."""
    statements = [sample for sample in choice if sample.statement is not None]
    file = directory / "statements.ndjson"
    file.write_text("".join(f"{json.dumps(sample.statement)}\n" for sample in statements), encoding="utf-8")
    raw = [sample for sample in choice if sample.body is not None]
    raw_files = [directory / f"raw-{number}.txt" for number in range(len(raw))]
    for raw_file, sample in zip(raw_files, raw, strict=True):
        raw_file.write_text(sample.body or "", encoding="utf-8")
    outputs = side_by_side(  # most of their time goes into starting
        lambda: dev_stack.cli("emit", "--json", file, watched=True),
        lambda: dev_stack.cli("emit", "--json", "--raw", *raw_files),
    )
    ids = [key for output in outputs for key in _correlation_ids(output)]
    return dict(zip(ids, statements + raw, strict=True))


def _correlation_ids(lines: str) -> list[str]:
    return [json.loads(line)["correlation_id"] for line in lines.splitlines()]


def _wait(log: Path, statement_ids: set[str]) -> Settled:
    """Follow the worker's log until every wanted correlation id is settled, or the time is up."""
    deadline = time.monotonic() + _SETTLED_WITHIN
    settlements: Settled = {}
    while not statement_ids <= settlements.keys() and time.monotonic() < deadline:
        time.sleep(_POLL)  # a file gives no portable signal that it has grown
        settlements = {line["correlation_id"]: line for line in _settled_lines(log)}
    return settlements


def _settled_lines(log: Path) -> Iterator[dict[str, Any]]:
    for line in log.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n") and '"statement settled"' in line:
            yield json.loads(line)


def _show_outcomes(console: Console, samples_by_id: dict[str, SampleMessage], settlements: Settled) -> int:
    """Print a row a sample; how many did not get what they should."""
    table = Table("What was sent", "Disposition and reason", title="What became of each statement")
    table.add_column("Log entry", no_wrap=True, min_width=_ID_WIDTH)
    wrong = 0
    for correlation_id, sample in samples_by_id.items():
        line = settlements.get(correlation_id, {})
        outcome = " ".join(filter(None, (line.get("disposition", "not settled"), line.get("reason"))))
        right = outcome == sample.expect
        wrong += not right
        text = Text(outcome) if right else Text(f"{outcome} (should be {sample.expect})", style="red")
        table.add_row(sample.shows, text, line.get("entry_id") or "")
    console.print(table)
    return wrong


def _show_log(console: Console, dev_stack: Stack) -> None:
    token = dev_stack.token(_READER, "member")
    page = call(dev_stack.http_url, "GET", "/v1/log?period=all", token)
    table = Table("Date", "Title", "Type", "Draft", "Complete", title=f"GET /v1/log?period=all as member {_READER}")
    for entry in page["items"]:
        cells = (entry["date"], entry["title"], entry["type"], entry["draft"], entry["complete"])
        table.add_row(*(str(cell) for cell in cells))
    console.print(table)


def _verdict(console: Console, total: int, wrong: int) -> int:
    if wrong:
        console.print(f"{wrong} of {total} statements did not get what they should.", style="red")
        return 1
    console.print(f"All {total} statements got what they should.\n\n{_NEXT}", markup=False, highlight=False)
    return 0


if __name__ == "__main__":
    with failing_clearly():
        sys.exit(main())
