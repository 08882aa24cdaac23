"""The dashboards: Grafana can load them, Prometheus can read what they ask, and a person finds their way."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.monitoring import DASHBOARDS, MONITORING, dashboards, expressions, panels
from tests.support.promtool import promtool

GRAFANA = MONITORING / "grafana" / "provisioning"
SCREEN = 24
"""Columns of Grafana's grid."""


def test_there_are_an_overview_and_one_of_completions() -> None:
    """Each has an id of its own, which links go by."""
    assert {dashboard["uid"] for dashboard in dashboards().values()} == {"cpd-overview", "cpd-completions"}


@pytest.mark.parametrize("name", [path.name for path in DASHBOARDS])
def test_panels_have_ids_titles_and_places_of_their_own(name: str) -> None:
    """No two lie on each other, all are on the grid, and each says what it shows and in which unit."""
    grid = panels(dashboards()[name])
    assert len({panel["id"] for panel in grid}) == len(grid)
    assert len({panel["title"] for panel in grid}) == len(grid)
    for panel in grid:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= SCREEN
        assert panel["title"]
        assert panel["targets"]
    for left_panel, right_panel in combinations([panel["gridPos"] for panel in grid], 2):
        assert not _overlap(left_panel, right_panel)


def _overlap(first: dict[str, int], right: dict[str, int]) -> bool:
    beside = first["x"] + first["w"] <= right["x"] or right["x"] + right["w"] <= first["x"]
    above = first["y"] + first["h"] <= right["y"] or right["y"] + right["h"] <= first["y"]
    return not (beside or above)


def test_the_overview_begins_with_numbers_that_have_a_colour_and_a_meaning() -> None:
    """What is read in ten seconds: two rows of single values, green when all is well, each explained."""
    first = [panel for panel in panels(dashboards()["overview.json"]) if panel["gridPos"]["y"] < 8]
    assert len(first) == 12
    for panel in first:
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert panel["type"] == "stat"
        assert {"green", "red"} <= {step["color"] for step in steps}
        assert panel["description"].endswith(".")


def test_panels_ask_the_provisioned_data_source() -> None:
    """By its uid; an annotation does too. Nothing else is provisioned, and no address is outside."""
    (source,) = yaml.safe_load((GRAFANA / "datasources" / "prometheus.yml").read_text(encoding="utf-8"))["datasources"]
    (provider,) = yaml.safe_load((GRAFANA / "dashboards" / "cpd-bridge.yml").read_text(encoding="utf-8"))["providers"]
    assert (source["url"], provider["options"]["path"]) == ("http://prometheus:9090", "/var/lib/grafana/dashboards")
    uids = {uid for dashboard in dashboards().values() for uid in _uids(dashboard)}
    assert uids == {source["uid"]}


def _uids(value: Any) -> set[str]:
    if isinstance(value, list):
        return {uid for part in value for uid in _uids(part)}  # pyright: ignore[reportUnknownVariableType] - any JSON
    if isinstance(value, dict):
        sources = [str(value["datasource"]["uid"])] if "datasource" in value else []  # pyright: ignore[reportUnknownArgumentType] - any JSON
        return set(sources) | {uid for part in value.values() for uid in _uids(part)}  # pyright: ignore[reportUnknownVariableType] - any JSON
    return set()


def test_prometheus_can_read_every_expression(tmp_path: Path) -> None:
    """Each becomes a recording rule, which promtool parses."""
    rules = [{"record": f"expression:{number}", "expr": expression} for number, expression in enumerate(expressions())]
    file = tmp_path / "expressions.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "expressions", "rules": rules}]}), encoding="utf-8")
    assert f"{len(rules)} rules found" in promtool("check", "rules", file)
