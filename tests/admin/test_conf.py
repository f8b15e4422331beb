"""The dashboard and the alert rules in conf/: valid, and about metrics and labels that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

from prometheus_client.parser import text_string_to_metric_families as parse

from tests.admin.conftest import ADD, MS, Script
from tests.admin.test_metrics import scrape
from tests.support import ROOT, need
from thriftserver.admin.metrics import METRICS
from thriftserver.scoreboard import layout

DASHBOARD = ROOT / "conf" / "grafana-dashboard.json"
ALERTS = ROOT / "conf" / "prometheus-alerts.yml"


def known(script: Script) -> dict[str, set[str]]:
    """The labels of every sample that a server exposes, by name."""
    script.pens[1].finish(ADD, layout.SUCCESS, -1, MS, 0, 1, 1)
    found: dict[str, set[str]] = {}
    for family in parse(scrape(script.board)):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_name_and_label_exists(script: Script) -> None:
    names = known(script)
    expressions = [
        target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]
    ]
    used: set[str] = set()
    for text in [*expressions, ALERTS.read_text()]:
        found = set(re.findall(r"thriftserver_\w+", text))
        assert found <= set(names), found - set(names)
        used |= found
    for text in expressions:
        labels = set().union(*(names[name] for name in re.findall(r"thriftserver_\w+", text))) | {"job"}
        for group in re.findall(r"by \(([^)]*)\)", text):
            assert set(group.split(", ")) <= labels, text
    assert len(used) >= 15


def test_the_dashboard_shows_all_that_is_lost() -> None:
    text = DASHBOARD.read_text()
    lost = [metric.name for metric in METRICS if metric.name.endswith("_lost")]
    assert len(lost) == 2
    assert [name for name in lost if f"{name}_total" not in text] == []
    assert 'outcome=\\"lost\\"' in text


def test_promtool_accepts_the_rules() -> None:
    need(shutil.which("promtool"), "promtool (apt install prometheus)")
    done = subprocess.run(["promtool", "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS: 17 rules found" in done.stdout


def test_panels_do_not_overlap() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)


def test_the_docs_name_every_metric() -> None:
    text = (ROOT / "docs" / "observability.md").read_text()
    for metric in METRICS:
        ending = {"counter": "_total", "info": "_info"}.get(metric.kind, "")
        assert f"`{metric.name}{ending}`" in text, metric.name
