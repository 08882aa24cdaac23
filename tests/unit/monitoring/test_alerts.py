"""The alerts: each fires for its own fault and for no other, is explained in the runbook, and loads in Prometheus."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.support.monitoring import MONITORING, ROOT, RULES, alerts
from tests.support.promtool import promtool

MINUTES = 180
"""How long each case is played; everything is healthy but what it says."""


def still(value: float) -> str:
    """A series that stays at a value."""
    return f"{value}+0x{MINUTES}"


def rising(by: float) -> str:
    """A series that grows by so much a minute."""
    return f"0+{by}x{MINUTES}"


def buckets(metric: str, labels: str, *, slow: bool) -> dict[str, str]:
    """A histogram of sixty observations a minute, all of them quick or all of them slow."""
    comma = "," if labels else ""
    quick = still(0) if slow else rising(60)
    return {f'cpd_bridge_{metric}_bucket{{{labels}{comma}le="{le}"}}': quick for le in ("0.1", "60")} | {
        f'cpd_bridge_{metric}_bucket{{{labels}{comma}le="{le}"}}': rising(60) for le in ("300", "+Inf")
    }


def state(now: str) -> dict[str, str]:
    """The state of the part that takes statements."""
    states = ("working", "starting", "broker", "store", "itself")
    return {f'cpd_bridge_part_state{{part="statements",state="{state}"}}': still(int(state == now)) for state in states}


WORKER, API = 'up{job="cpd-bridge-worker"}', 'up{job="cpd-bridge-api"}'
QUEUE_SERIES = 'cpd_bridge_queue_messages{queue="completions"}'
OLDEST = 'cpd_bridge_queue_oldest_seconds{queue="completions"}'
LETTERS = 'cpd_bridge_statements_total{disposition="dead-lettered",reason="not_json"}'
OUTSIDE = 'cpd_bridge_statements_total{disposition="ignored",reason="not_catalogue"}'
RECORDED = 'cpd_bridge_statements_total{disposition="recorded",reason=""}'
CHANGES = 'cpd_bridge_member_changes_total{result="conflict"}'
FAILED = 'cpd_bridge_http_requests_total{status="503"}'
DENIALS_SERIES = 'cpd_bridge_access_denials_total{reason="forbidden",role="support"}'

HEALTHY: dict[str, str] = {
    WORKER: still(1),
    API: still(1),
    **state("working"),
    QUEUE_SERIES: "5 0 "  + still(3),
    'cpd_bridge_queue_messages{queue="dead_letters"}': rising(500),  # told by the letters' own alerts
    OLDEST: still(1),
    LETTERS: still(7),
    RECORDED: rising(600),
    OUTSIDE: rising(6),
    CHANGES: still(2),
    'cpd_bridge_member_changes_total{result="applied"}': rising(10),
    "cpd_bridge_dead_letters_oldest_seconds": still(3600),
    "cpd_bridge_outbox_pending": still(2),
    "cpd_bridge_outbox_oldest_seconds": still(1),
    "cpd_bridge_lrs_unsent_oldest_seconds": still(0),
    **buckets("publish_to_draft_seconds", "", slow=False),
    **buckets("store_command_seconds", 'command="insert"', slow=False),
    **buckets("broker_confirm_seconds", "", slow=False),
    'cpd_bridge_http_requests_total{status="200"}': rising(600),
    FAILED: rising(1),
    "cpd_bridge_backup_timestamp_seconds": still(0),
    DENIALS_SERIES: rising(1),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Something that happens, and the alerts that fire for it at the end; a series without values is not there."""

    situation: str
    fires: tuple[str, ...]
    series: dict[str, str | None] = field(default_factory=dict[str, str | None])
    hours: float = 2


CASES = (
    Case("all is well", ()),
    Case("the worker does not answer", ("WorkerGone",), {WORKER: still(0)}),
    Case("no worker is known", ("WorkerGone",), {WORKER: None}),
    Case("the API does not answer", ("ApiGone",), {API: still(0)}),
    Case("the store is away", ("StoreUnreachable",), {**state("store")}),
    Case("the broker is away", ("BrokerUnreachable",), {**state("broker")}),
    Case("a part fails by itself", ("PartFailing",), {**state("itself")}),
    Case(
        "queues are not read",
        ("ReadingsMissing",),
        {QUEUE_SERIES: None, 'cpd_bridge_queue_messages{queue="dead_letters"}': None},
    ),
    Case("the store is not read", ("ReadingsMissing",), {"cpd_bridge_outbox_pending": None}),
    Case("a queue grows", ("QueueGrowing",), {QUEUE_SERIES: rising(100)}),
    Case("a long queue shrinks", (), {QUEUE_SERIES: f"90000-100x{MINUTES}"}),
    Case("a message waits", ("OldestMessage",), {OLDEST: rising(60)}),
    Case("drafts come late", ("DraftsLate",), {**buckets("publish_to_draft_seconds", "", slow=True)}),
    Case("most is outside the catalogue", ("NotInCatalogue",), {OUTSIDE: rising(700)}),
    Case("ten times as much is outside it", ("NotInCatalogue",), {OUTSIDE: f"0+6x60 460+100x{MINUTES}"}),
    Case("as much is outside it every hour", (), {OUTSIDE: rising(500)}),
    Case("a few statements, all outside it", (), {OUTSIDE: f"0+0x110 {still(9)}", RECORDED: still(0)}),
    Case("a statement is a dead letter", ("DeadLettersArriving",), {LETTERS: f"7+0x115 {still(8)}"}),
    Case("a member change is a dead letter", ("DeadLettersArriving",), {CHANGES: f"2+0x115 {still(3)}"}),
    Case("a letter lies there", ("DeadLettersUnattended",), {"cpd_bridge_dead_letters_oldest_seconds": still(200_000)}),
    Case("events wait", ("OutboxLag",), {"cpd_bridge_outbox_oldest_seconds": rising(60)}),
    Case("the LRS's statements wait", ("LrsUnsent",), {"cpd_bridge_lrs_unsent_oldest_seconds": rising(60)}),
    Case("the store is slow", ("StoreSlow",), {**buckets("store_command_seconds", 'command="insert"', slow=True)}),
    Case("the broker is slow", ("BrokerSlow",), {**buckets("broker_confirm_seconds", "", slow=True)}),
    Case("calls fail", ("ApiErrors",), {FAILED: rising(60)}),
    Case("there was no backup for long", ("BackupOld",), {"cpd_bridge_backup_timestamp_seconds": still(-90_000)}),
    Case("a backup was made in time", (), {"cpd_bridge_backup_timestamp_seconds": still(-80_000)}),
    Case("many are refused today", ("AccessDenialsUnusual",), {DENIALS_SERIES: f"0+1x100 100+60x{MINUTES}"}),
    Case("as many are refused every day", (), {DENIALS_SERIES: f"0+60x{MINUTES}"}),
)


def played(case: Case) -> dict[str, object]:
    """The case as promtool reads it."""
    series = {**HEALTHY, **case.series}
    firing = [{"labels": f'{{alertname="CpdBridge{name}"}}', "value": 1} for name in case.fires]
    return {
        "name": case.situation,
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items() if values is not None],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": f"{int(case.hours * 60)}m",
                "exp_samples": firing,
            }
        ],
    }


@pytest.mark.timeout(400)  # five seconds, but on a machine that does much else
def test_each_fault_fires_its_own_alert_and_no_other(tmp_path: Path) -> None:
    """Every case is played by Prometheus' own engine over hours of samples."""
    file = tmp_path / "cases.yml"
    cases = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [played(case) for case in CASES]}
    file.write_text(yaml.safe_dump(cases, width=1000), encoding="utf-8")
    assert "SUCCESS" in promtool("test", "rules", file)


def test_every_alert_is_played() -> None:
    """An alert that no case fires could be one that cannot fire."""
    assert {f"CpdBridge{name}" for case in CASES for name in case.fires} == {alert["alert"] for alert in alerts()}


def test_rules_and_configuration_load() -> None:
    """Prometheus takes both files as they are."""
    promtool("check", "rules", RULES)
    promtool("check", "config", MONITORING / "prometheus" / "prometheus.yml")


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_says_how_urgent_it_is_and_where_to_read_on(alert: dict[str, dict[str, str]]) -> None:
    """Severity, a summary, what it means, and the entry of the runbook."""
    assert alert["labels"]["severity"] in {"page", "ticket"}
    annotations = alert["annotations"]
    assert annotations["summary"]
    assert annotations["description"].endswith(".")
    assert annotations["runbook"] == f"docs/runbook.md#{str(alert['alert']).lower()}"


def test_the_runbook_has_an_entry_for_each_alert_and_no_other() -> None:
    """Each entry has its alert's name as a heading, so that its anchor is found, and says what to see and to do."""
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    entries = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    assert [entry.partition("\n")[0] for entry in entries] == [alert["alert"] for alert in alerts()]
    for entry in entries:
        assert {"**Means**", "**See**", "**Do**"} <= set(re.findall(r"\*\*\w+\*\*", entry)), entry.partition("\n")[0]


def test_kubernetes_is_scraped_under_the_same_names() -> None:
    """The jobs of both configurations are those that the rules ask for; pods and ports are those of the manifests.

    Debian's promtool is built without Kubernetes, so this reads the file itself.
    """
    compose, kubernetes = (
        yaml.safe_load((MONITORING / "prometheus" / name).read_text(encoding="utf-8"))
        for name in ("prometheus.yml", "kubernetes.yml")
    )
    jobs = {job["job_name"]: job for job in kubernetes["scrape_configs"]}
    up_jobs = set(re.findall(r'up\{job="([^"]+)"\}', RULES.read_text(encoding="utf-8")))
    assert set(jobs) == up_jobs
    assert up_jobs <= {job["job_name"] for job in compose["scrape_configs"]}
    assert (compose["global"], compose["rule_files"]) == (kubernetes["global"], kubernetes["rule_files"])
    for process, job in (("api", "cpd-bridge-api"), ("worker", "cpd-bridge-worker")):
        pod, port, _ = jobs[job]["relabel_configs"]
        manifest = (ROOT / "deploy" / "kubernetes" / "base" / f"{process}.yaml").read_text(encoding="utf-8")
        assert f"app.kubernetes.io/name: {pod['regex']}" in manifest
        assert f"{{name: {port['regex']}, containerPort:" in manifest
