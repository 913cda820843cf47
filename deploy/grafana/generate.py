"""Writes the dashboards beside this file from their descriptions in `source/`: `python deploy/grafana/generate.py`.

A description is a title, and rows of panels with their queries; what all panels have in common stands here once. In a
query `<worker>` and `<feed>` stand for the matchers of the dashboard's variables. The JSON is that of Grafana 11
(schemaVersion 39), as its documentation "Dashboard JSON model" describes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "source"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
MATCHERS = {
    "<worker>": 'job=~"$job", instance=~"$instance"',
    "<feed>": 'job=~"$job", instance=~"$instance", feed=~"$feed"',
}
COLUMNS = 24
GOOD, WARNING, BAD = "green", "orange", "red"
VARIABLES = {
    "job": "label_values(headrace_build_info, job)",
    "instance": 'label_values(headrace_build_info{job=~"$job"}, instance)',
    "feed": 'label_values(headrace_received_messages_total{job=~"$job", instance=~"$instance"}, feed)',
}
OPTIONS: dict[str, dict[str, Any]] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    },
    "bargauge": {
        "displayMode": "basic",
        "orientation": "horizontal",
        "showUnfilled": True,
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    },
    "table": {"showHeader": True, "cellHeight": "sm"},
    "heatmap": {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Blues", "steps": 64, "reverse": False},
        "legend": {"show": True},
        "tooltip": {"mode": "single", "yHistogram": False},
    },
}


def main() -> None:
    """Write every dashboard."""
    for name, text in dashboards():
        (HERE / f"{name}.json").write_text(text, encoding="utf-8")


def dashboards() -> Iterator[tuple[str, str]]:
    """Yield each dashboard's name and its JSON."""
    for file in sorted(SOURCE.glob("*.yaml")):
        described = yaml.safe_load(file.read_text(encoding="utf-8"))
        yield file.stem, json.dumps(dashboard(file.stem, described), indent=2, ensure_ascii=False) + "\n"


def dashboard(name: str, described: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Grafana imports."""
    return {
        "uid": f"headrace-{name}",
        "title": described["title"],
        "description": described["description"],
        "tags": ["headrace"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_chosen_source(), *(_variable(each) for each in described["variables"])]},
        "annotations": {"list": [_alerts()]},
        "links": [_others()],
        "panels": list(_panels(described["rows"])),
    }


def _panels(rows: Mapping[str, list[Mapping[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Lay the panels of each row out from left to right, on further lines where they need them."""
    number, y = 0, 0
    for title, panels in rows.items():
        number += 1
        at = {"h": 1, "w": COLUMNS, "x": 0, "y": y}
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": at, "panels": []}
        x, y, lowest = 0, y + 1, y + 1
        for described in panels:
            number += 1
            width, height = described.get("width", 8), described.get("height", 8)
            if x + width > COLUMNS:
                x, y = 0, lowest
            yield _panel(number, described, {"h": height, "w": width, "x": x, "y": y})
            x, lowest = x + width, max(lowest, y + height)
        y = lowest


def _panel(number: int, described: Mapping[str, Any], at: Mapping[str, int]) -> dict[str, Any]:
    kind = described.get("kind", "timeseries")
    made: dict[str, Any] = {
        "id": number,
        "type": kind,
        "title": described["title"],
        "description": described["says"],
        "datasource": DATASOURCE,
        "gridPos": at,
        "fieldConfig": {"defaults": _field(kind, described), "overrides": []},
        "options": OPTIONS[kind],
        "targets": [
            _target(letter, kind, legend, query)
            for letter, (legend, query) in zip(ascii_uppercase, described["queries"].items(), strict=False)
        ],
    }
    if kind == "table":
        hidden = {"excludeByName": {"Time": True, "Value": True}}
        made["transformations"] = [{"id": "organize", "options": hidden}]
    if kind == "heatmap":
        made["options"] = {**OPTIONS[kind], "yAxis": {"axisPlacement": "left", "unit": described["unit"]}}
    return made


def _field(kind: str, described: Mapping[str, Any]) -> dict[str, Any]:
    field: dict[str, Any] = {"unit": described["unit"], "thresholds": _thresholds(described)}
    if "min" in described or kind == "timeseries":
        field["min"] = described.get("min", 0)
    if "max" in described:
        field["max"] = described["max"]
    if kind == "timeseries":
        stacking = {"mode": "normal" if described.get("stacked") else "none", "group": "A"}
        shade = 30 if described.get("stacked") else 8
        field["color"] = {"mode": "palette-classic"}
        field["custom"] = {"lineWidth": 1, "fillOpacity": shade, "showPoints": "never", "stacking": stacking}
    elif kind in {"stat", "bargauge"}:
        field["color"] = {"mode": "thresholds"}
    return field


def _thresholds(described: Mapping[str, Any]) -> dict[str, Any]:
    """Make green, orange above `warning`, red above `bad`; with `good`, red below it."""
    if "good" in described:
        steps = [{"color": BAD, "value": None}, {"color": GOOD, "value": described["good"]}]
    else:
        bounds = [(WARNING, described.get("warning")), (BAD, described.get("bad"))]
        above = [{"color": color, "value": value} for color, value in bounds if value is not None]
        steps = [{"color": GOOD, "value": None}, *above]
    return {"mode": "absolute", "steps": steps}


def _target(letter: str, kind: str, legend: str, query: str) -> dict[str, Any]:
    for short, matchers in MATCHERS.items():
        query = query.replace(short, matchers)
    once = kind in {"table", "bargauge"}
    shape = {"table": "table", "heatmap": "heatmap"}.get(kind, "time_series")
    return {
        "refId": letter,
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": " ".join(query.split()),
        "format": shape,
        "instant": once,
        "range": not once,
        "legendFormat": legend,
    }


def _chosen_source() -> dict[str, Any]:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0}


def _variable(name: str) -> dict[str, Any]:
    query = VARIABLES[name]
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
        "hide": 0,
    }


def _alerts() -> dict[str, Any]:
    return {
        "name": "Alerts",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": BAD,
        "expr": 'ALERTS{alertname=~"Headrace.*", alertstate="firing"}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{feed}} {{instance}}",
    }


def _others() -> dict[str, Any]:
    return {
        "title": "Headrace",
        "type": "dashboards",
        "icon": "external link",
        "tooltip": "The other dashboards of Headrace",
        "targetBlank": False,
        "tags": ["headrace"],
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
    }


if __name__ == "__main__":
    main()
