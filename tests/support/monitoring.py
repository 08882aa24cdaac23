"""What ``deploy/monitoring`` holds: alerts, dashboards, and the expressions in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import yaml

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
RULES = MONITORING / "prometheus" / "rules.yml"
DASHBOARDS = sorted((MONITORING / "grafana" / "dashboards").glob("*.json"))

_METRIC = re.compile(r"\bcpd_bridge_[a-z_]+\b")
_OF_HISTOGRAM = re.compile(r"_(bucket|sum|count)$")


def alerts() -> list[dict[str, Any]]:
    """Every alert, as the rules file has it."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def dashboards() -> dict[str, dict[str, Any]]:
    """File name → dashboard."""
    return {path.name: orjson.loads(path.read_bytes()) for path in DASHBOARDS}


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """The panels that show something, rows left out."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    """Every PromQL expression of the rules and the dashboards."""
    grid = [
        target["expr"]
        for dashboard in dashboards().values()
        for panel in panels(dashboard)
        for target in panel["targets"]
    ]
    return [*(alert["expr"] for alert in alerts()), *grid]


def named_metrics() -> set[str]:
    """The metrics of ours that the expressions name, histograms by their own name."""
    names = {name for expression in expressions() for name in _METRIC.findall(expression)}
    return {_OF_HISTOGRAM.sub("", name) for name in names}
