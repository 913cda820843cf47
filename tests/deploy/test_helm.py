"""The chart, rendered by the real helm for six sets of values, and judged by Kubernetes' schemas and by `check`.

HEADRACE_GOLDEN=write rewrites the golden files; read the difference before you commit it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.certs import Certificates
from tests.support.toolchain import find

pytestmark = pytest.mark.real
CHART = Path(__file__).resolve().parents[2] / "deploy" / "helm" / "headrace"
HERE = Path(__file__).parent / "helm"
SETS = ("minimal", "readers", "secured", "monitored", "strimzi", "placed")
KUBERNETES = ("1.27", "1.37")  # the oldest that the chart takes, and the newest that there are schemas of
# Other people's kinds, for which kubernetes-validate has no schema: what their operators cannot do without.
OTHERS = {
    "ServiceMonitor": {"jobLabel", "selector", "endpoints"},
    "PrometheusRule": {"groups"},
    "KafkaTopic": {"topicName", "partitions", "replicas", "config"},
    "KafkaUser": {"authentication", "authorization"},
}


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    tool = find("helm")
    command = [str(tool.path), *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, **tool.env}, capture_output=True, text=True, check=False)


def template(chart: Path, values: str, *options: str, release: str = "city") -> subprocess.CompletedProcess[str]:
    fixed = ("--namespace=headrace", f"--kube-version={KUBERNETES[-1]}.0", f"--values={HERE / 'values' / values}.yaml")
    return helm("template", release, chart, *fixed, *options)


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Take dashboards, rules and a version of the test's own: the golden files do not change with the shipped ones."""
    copy = tmp_path_factory.mktemp("chart") / "headrace"
    shutil.copytree(CHART, copy, ignore=shutil.ignore_patterns("dashboards", "rules"))
    text = (copy / "Chart.yaml").read_text(encoding="utf-8")
    own = re.sub(r"^(version|appVersion): .*$", r"\1: 0.1.0", text, flags=re.MULTILINE)
    (copy / "Chart.yaml").write_text(own, encoding="utf-8")
    for folder in ("dashboards", "rules"):
        shutil.copytree(HERE / folder, copy / folder)
    return copy


@pytest.fixture(scope="module")
def rendered(chart: Path) -> dict[str, str]:
    done = {values: template(chart, values) for values in SETS}
    assert {values: each.stderr for values, each in done.items() if each.returncode} == {}
    return {values: each.stdout for values, each in done.items()}


def objects(text: str, kind: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(text) if each["kind"] == kind]


@pytest.mark.parametrize("values", SETS)
def test_it_renders_as_before(values: str, rendered: Mapping[str, str]) -> None:
    golden = HERE / "golden" / f"{values}.yaml"
    if os.environ.get("HEADRACE_GOLDEN") == "write":
        golden.write_text(rendered[values], encoding="utf-8")
    assert rendered[values] == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("values", SETS)
def test_lint_finds_nothing(values: str) -> None:
    done = helm("lint", CHART, "--strict", "--quiet", f"--values={HERE / 'values' / values}.yaml")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_every_object(version: str, rendered: Mapping[str, str], tmp_path: Path) -> None:
    files = []
    for values, text in rendered.items():
        files.append(tmp_path / f"{values}.yaml")
        files[-1].write_text(text, encoding="utf-8")
    bad = tmp_path / "bad.yaml"
    bad.write_text(rendered["minimal"].replace("replicas: 1", "replicas: one"), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("kubernetes-validate")), "-k", version, "--strict"]
    done = subprocess.run([*command, *map(str, files), str(bad)], capture_output=True, text=True, check=False)
    said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("INFO")]
    unknown = {line.split(" for kind ")[1].split()[0] for line in said if "Couldn't find schema" in line}
    failed = {Path(line.split()[1]).name for line in said if line.startswith("ERROR")}
    assert unknown == set(OTHERS)
    assert failed == {"bad.yaml"}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_other_operators_take_is_complete(kind: str, rendered: Mapping[str, str]) -> None:
    found = [each for text in rendered.values() for each in objects(text, kind)]
    assert found
    assert all(each["spec"].keys() == OTHERS[kind] for each in found)


def test_no_release_takes_readings_with_it(rendered: Mapping[str, str]) -> None:
    topics = objects(rendered["strimzi"], "KafkaTopic")
    assert len(topics) == 3
    assert all(each["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"} for each in topics)


def test_the_user_may_read_only_where_that_is_wanted(chart: Path) -> None:
    def rights(*options: str) -> list[str]:
        [user] = objects(template(chart, "strimzi", *options).stdout, "KafkaUser")
        rule, cluster = user["spec"]["authorization"]["acls"]
        assert cluster == {"resource": {"type": "cluster"}, "operations": ["Describe"]}
        return list(rule["operations"])

    assert rights() == ["Write", "Describe", "DescribeConfigs", "Create"]
    assert rights("--set=strimzi.read=true") == ["Write", "Describe", "DescribeConfigs", "Read", "Create"]


@pytest.fixture(scope="module")
def mounted(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Path:
    """Lay the Secrets of the value sets as a pod sees them."""
    folder = tmp_path_factory.mktemp("secrets")
    for name in ("mqtt-credentials", "kafka-credentials", "headrace", "headrace-admin", "city-admin"):
        (folder / name).mkdir()
        shutil.copy(certificates.ca, folder / name / "ca.crt")
        for key in ("password", "token", "status-page"):
            (folder / name / key).write_text("secret" * 4, encoding="utf-8")
            (folder / name / key).chmod(0o440)
    return folder


@pytest.mark.parametrize("values", SETS)
def test_headrace_takes_every_readers_configuration(
    values: str, rendered: Mapping[str, str], mounted: Path, tmp_path: Path
) -> None:
    [files] = [each["data"] for each in objects(rendered[values], "ConfigMap") if "overview.json" not in each["data"]]
    for name, content in files.items():
        (tmp_path / name).write_text(content.replace("- /connectors", f"- {tmp_path}"), encoding="utf-8")
    [workload] = objects(rendered[values], "StatefulSet")
    for ordinal in range(workload["spec"]["replicas"]):
        pod = f"{workload['metadata']['name']}-{ordinal}"
        env = {**os.environ, "POD_NAME": pod, "CREDENTIALS_DIRECTORY": str(mounted), "KAFKA": "kafka:9092"}
        command = [sys.executable, "-m", "pipeline", "check", str(tmp_path / f"{pod}.yaml")]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_each_reader_has_sessions_of_its_own(rendered: Mapping[str, str]) -> None:
    [readers] = [each["data"] for each in objects(rendered["readers"], "ConfigMap")]
    sessions = [
        feed["client_id"].replace("${POD_NAME}", pod.removesuffix(".yaml"))
        for pod, text in readers.items()
        for feed in yaml.safe_load(text)["feeds"].values()
    ]
    assert sessions == ["city-readers-0-city", "city-readers-1-city", "city-readers-2-city", "river-session"]


def test_the_stop_outlasts_the_drain(rendered: Mapping[str, str]) -> None:
    for text in rendered.values():
        [workload] = objects(text, "StatefulSet")
        assert workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > 30 + 2


def test_the_notes_name_sessions_and_warn(chart: Path, tmp_path: Path) -> None:
    """`helm template` leaves them out, and `helm install` asks a cluster: render them as an object of their own."""
    copy = tmp_path / "headrace"
    shutil.copytree(chart, copy)
    notes = (copy / "templates" / "NOTES.txt").read_text(encoding="utf-8")
    (copy / "templates" / "_notes.tpl").write_text('{{ define "notes" }}' + notes + "{{ end }}", encoding="utf-8")
    (copy / "templates" / "notes.yaml").write_text('{kind: Notes, text: {{ include "notes" . | quote }}}')
    udp = "--set=config.feeds.gateways.kind=semtech_udp"
    said = {values: objects(template(copy, values).stdout, "Notes")[0]["text"] for values in ("readers", "placed")}
    said["udp"] = objects(template(copy, "minimal", udp).stdout, "Notes")[0]["text"]
    assert "WARNING: feed gateways of reader 0 listens on UDP" in said["udp"]
    assert "UDP" not in said["readers"]
    assert "exec -it city-readers-0 -- headrace doctor /etc/headrace/city-readers-0.yaml" in said["readers"]
    assert "get secret city-admin -o jsonpath='{.data.status-page}'" in said["placed"]
    assert "Session of feed city, reader 1: city-readers-1-city" in said["readers"]
    assert "persistence is off" in said["placed"]
    assert "persistence is off" not in said["readers"]


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ("config.tenant=Ghent", "tenant"),
        ("replicas=3", "replicas"),
        ("image.digest=sha256:1", "digest"),
        ("readers=null", "readers"),
        ("strimzi.authentication=plain", "authentication"),
        ("config.tenant=123", "tenant"),
        ("config.feeds.City Feed.kind=mqtt", "City Feed"),
        ("config.admin.listen=127.0.0.1:9464", "config.admin.listen: expected 0.0.0.0:9464"),
        ("config.admin.listen=0.0.0.0:8080", "config.admin.listen: expected 0.0.0.0:9464"),
        ("readers[0].tenant=Ghent", "tenant"),
        ("readers[0].feeds.port.url=mqtt://port", "needs a `kind`"),
        ("fullnameOverride=City_1", "fullnameOverride"),
        ("nameOverride=123", "nameOverride"),
        ("fullnameOverride=on", "fullnameOverride"),
        ("image.tag=a b", "tag"),
        ("image.repository=headrace # x", "repository"),
        ("adminToken.key=..", "key"),
        ("secrets[0]=", "secrets"),
        ("env[0].name=POD_NAME", "env"),
        ("extraVolumes[0].name=secret-0", "extraVolumes"),
        ("podLabels.app\\.kubernetes\\.io/name=other", "app.kubernetes.io/name"),
        ("persistence=null", "persistence"),
        ("networkPolicy.egressPorts[0]=99999", "egressPorts"),
        ("strimzi.topics[0]=a b", "topics"),
    ],
)
def test_the_schema_refuses_what_cannot_work(setting: str, word: str) -> None:
    done = template(CHART, "minimal", "--set", setting)
    assert done.returncode != 0
    assert word in done.stderr


ODD = """
nameOverride: one
secrets: ["1234", a.b.c, "null", "1e3", %s]
adminToken: {secret: "0777", key: "1e3"}
image: {repository: headrace, tag: "1.10"}
persistence: {enabled: true, size: "1", storageClass: "1234"}
priorityClassName: "true"
terminationGracePeriodSeconds: 3000000
files: {"123": "1", "true": "\\0\\x9b\\n---\\n{{ x }}\\u2028"}
monitoring: {serviceMonitor: {enabled: true}, dashboards: {enabled: true, folder: "yes"}}
strimzi: {enabled: true, user: "123", cluster: "1e3", topics: [City_1, "123", {name: _a.B_, partitions: 2000000}]}
podLabels: {a: "1"}
""" % ("s" * 63)
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


ODD_RELEASES = ("2026", "my.city", "1e3", "a" * 53, "n-headrace", "0x-----------------headrace-x")


@pytest.fixture(scope="module")
def odd(chart: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, list[str]]]:
    """Render each release, and have one process judge all: it takes seconds to read the schemas."""
    folder = tmp_path_factory.mktemp("odd")
    values = folder / "odd.values"
    values.write_text(ODD, encoding="utf-8")
    rendered = {release: template(chart, "minimal", f"--values={values}", release=release) for release in ODD_RELEASES}
    assert {release: each.stderr for release, each in rendered.items() if each.returncode or each.stderr} == {}
    files = {release: folder / f"{number}.yaml" for number, release in enumerate(ODD_RELEASES)}
    for release, file in files.items():
        file.write_text(rendered[release].stdout, encoding="utf-8")
    bad = folder / "bad.yaml"
    bad.write_text(rendered["2026"].stdout.replace("replicas: 1", "replicas: one"), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("kubernetes-validate")), "-k", KUBERNETES[-1], "--strict"]
    done = subprocess.run([*command, *map(str, files.values()), str(bad)], capture_output=True, text=True, check=False)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "Couldn't find schema" not in line]
    assert any(line.startswith("ERROR") and str(bad) in line for line in lines)
    told = [line for line in lines if not line.startswith("INFO")]
    assert [line for line in told if not any(str(file) in line for file in (*files.values(), bad))] == []
    return {
        release: (rendered[release].stdout, [line for line in told if str(file) in line])
        for release, file in files.items()
    }


@pytest.mark.parametrize("release", ODD_RELEASES)
def test_odd_values_make_valid_objects(release: str, odd: Mapping[str, tuple[str, list[str]]]) -> None:
    rendered, refused = odd[release]
    assert refused == []
    for each in yaml.safe_load_all(rendered):
        assert isinstance(each["metadata"]["name"], str)
        assert {type(label) for label in each["metadata"]["labels"].values()} == {str}
        assert re.fullmatch(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?", each["metadata"]["name"])
    [service], [workload] = (objects(rendered, kind) for kind in ("Service", "StatefulSet"))
    assert LABEL.fullmatch(service["metadata"]["name"])
    assert service["metadata"]["name"][0].isalpha()
    pod = workload["spec"]["template"]["spec"]
    names = [volume["name"] for volume in pod["volumes"]]
    assert len(set(names)) == len(names)
    assert all(LABEL.fullmatch(name) for name in names)
    assert {mount["name"] for mount in pod["containers"][0]["volumeMounts"]} <= {*names, "state"}
    secrets = [volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume]
    assert secrets == ["1234", "a.b.c", "null", "1e3", "s" * 63, "0777"]
    assert pod["terminationGracePeriodSeconds"] == 3_000_000
    topics = {each["spec"]["topicName"]: each["spec"]["partitions"] for each in objects(rendered, "KafkaTopic")}
    assert topics == {"City_1": 6, "123": 6, "_a.B_": 2_000_000}


def test_a_key_of_admin_leaves_the_others_as_a_pod_needs_them(chart: Path) -> None:
    done = template(chart, "minimal", "--set=config.admin.payload_samples=true")
    [readers] = [each["data"] for each in objects(done.stdout, "ConfigMap")]
    [reader] = [yaml.safe_load(text) for text in readers.values()]
    token = "${CREDENTIALS_DIRECTORY}/headrace-admin/token"
    assert reader["admin"] == {"listen": "0.0.0.0:9464", "token_file": token, "payload_samples": True}


def test_no_ports_open_none(chart: Path) -> None:
    done = template(chart, "minimal", "--set-json=networkPolicy.egressPorts=[]")
    [policy] = objects(done.stdout, "NetworkPolicy")
    assert policy["spec"]["egress"] == [{"ports": [{"protocol": each, "port": 53} for each in ("UDP", "TCP")]}]


def test_everything_that_is_shipped_beside_the_chart_is_in_it() -> None:
    text = template(CHART, "monitored").stdout
    deploy = CHART.parents[1]
    dashboards = {file.name: file.read_text(encoding="utf-8") for file in (deploy / "grafana").glob("*.json")}
    rules = [
        yaml.safe_load(file.read_text(encoding="utf-8"))
        for file in sorted((deploy / "prometheus").glob("*.rules.yaml"))
    ]
    maps: dict[str, str] = {}
    for each in objects(text, "ConfigMap"):
        maps |= {name: content for name, content in each["data"].items() if name.endswith(".json")}
    [rule] = objects(text, "PrometheusRule")
    assert maps == dashboards
    assert rule["spec"]["groups"] == [group for file in rules for group in file["groups"]]
    linked = template(CHART, "monitored", "--set=monitoring.prometheusRule.runbook=https://git.example/").stdout
    urls = re.findall(r"runbook_url: (.*)", linked)
    assert len(urls) == text.count("runbook_url:") > 10
    assert all(url.startswith("https://git.example/deploy/runbook/Headrace") for url in urls)


def test_the_chart_agrees_with_what_is_said_elsewhere() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    lines = (CHART.parents[1] / "kafka" / "topic.properties").read_text(encoding="utf-8").splitlines()
    settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    project = tomllib.loads((CHART.parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert values["strimzi"]["topicConfig"] == settings
    assert yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["appVersion"] == project["version"]
