"""The device registry's file: what it becomes, and what an operator reads when it is wrong.

HEADRACE_GOLDEN=write rewrites the golden texts; read the difference before you commit it.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import config
from pipeline.__main__ import main
from pipeline.config.device_rows import KEYS
from pipeline.core.errors import ConfigError
from pipeline.devices.registry import Device, Key, Session
from pipeline.tools.check import report as check
from tests.support.headrace import ROOT

GOLDEN = Path(__file__).parent / "golden" / "devices"
EXAMPLE = ROOT / "deploy" / "examples" / "bench.yaml"
VENDORS = ROOT / "tests" / "support" / "vendors"
CANARY = "ca11ab1e"
KEY = CANARY * 4
OTHER = "0123456789abcdef" * 2


def written(folder: Path, file: str, devices: str | None = None, **changes: Any) -> Path:
    """Write a configuration with a registry, and the registry."""
    content = yaml.safe_load(EXAMPLE.read_text()) | {"devices": file, "connector_paths": [str(VENDORS)]} | changes
    (folder / "city.yaml").write_text(yaml.safe_dump(content))
    if devices is not None:
        (folder / file).write_text(devices)
        (folder / file).chmod(0o600)
    return folder / "city.yaml"


def loaded(folder: Path, devices: str, file: str = "devices.yaml", **changes: Any) -> config.Loaded:
    return config.read(written(folder, file, devices, **changes), {})


def refusal(folder: Path, devices: str | None, file: str = "devices.yaml", **changes: Any) -> str:
    with pytest.raises(ConfigError) as problem:
        config.read(written(folder, file, devices, **changes), {})
    return str(problem.value).replace(f"{folder}/", "") + "\n"


def hold(name: str, text: str) -> None:
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("HEADRACE_GOLDEN") == "write":
        golden.write_text(text)
    assert text == golden.read_text()


def test_a_vendors_connector_that_does_not_say_what_a_reading_covers(tmp_path: Path) -> None:
    vendor = "vendor: plain\ndevices: [noise-1]\nowner: '@plain'\nformat: json\nmodel: NoiseLevelObserved\n"
    (tmp_path / "connector.yaml").write_text(vendor + "attributes: {LAeq: {field: l, unit: dBA}}\n")
    device = "[{key: a-1, connector: CONNECTOR, location: [4.89, 52.37]}]\n"
    paths: dict[str, Any] = {"connector_paths": [str(tmp_path)]}
    text = refusal(tmp_path, device.replace("CONNECTOR", "plain/noise-1"), **paths)
    assert "`plain/noise-1` does not say what time one reading covers, which a NoiseLevelObserved needs." in text
    assert "Write `use: plain/noise-1` with `period: 5min` under `connectors`, and name that entry." in text

    content = yaml.safe_load(EXAMPLE.read_text())["connectors"]
    noise = {"use": "plain/noise-1", "device": {"field": "device"}, "location": [4.89, 52.37], "period": "5min"}
    loaded(tmp_path, device.replace("CONNECTOR", "noise"), connectors={**content, "noise": noise}, **paths)


def keys(folder: Path, **contents: str) -> None:
    (folder / "keys").mkdir()
    for name, content in contents.items():
        (folder / "keys" / name).write_text(content)
        (folder / "keys" / name).chmod(0o600)


TH = {
    "model": "WeatherObserved",
    "device": {"field": "device"},
    "observed_at": {"field": "ts", "unit": "ms"},
    "attributes": {"temperature": {"field": "t", "unit": "degC"}},
}
WITH_TH: dict[str, Any] = {"connectors": {**yaml.safe_load(EXAMPLE.read_text())["connectors"], "th": TH}}
YAML = f"""
- key: th-17
  dev_eui: 00-11-22-33-44-55-66-AA
  aliases: [hall-3, 0644, no]
  name: Hall, third floor
  connector: th
  model: AirQualityObserved
  location: [3.7174, 51.0543, 12]
  attributes: {{airQualityIndex: 3, typeofLocation: outdoor}}
  sessions:
    - {{dev_addr: 01AB23CD, nwk_s_key_file: keys/nwk, app_s_key_file: keys/app}}
  tags: {{site: hall, floor: 3}}
  prefer: raw
  interval: 90 s
  lifecycle: maintenance
- {{key: 1e5, sessions: [{{dev_addr: 26000001, app_s_key: {KEY}, f_nwk_s_int_key: {KEY}, s_nwk_s_int_key: {OTHER},
   nwk_s_enc_key: {OTHER}}}]}}
"""
CSV = """key,dev_eui,aliases,name,connector,model,longitude,latitude,altitude,attributes,tags,prefer,\
interval,lifecycle,dev_addr,nwk_s_key_file,app_s_key_file
th-17,00:11:22:33:44:55:66:aa,hall-3; 0644;no,"Hall, third floor", th,AirQualityObserved,3.7174,51.0543,12,\
airQualityIndex=3;typeofLocation=outdoor,site=hall;floor=3,raw,90 s,maintenance,01ab23cd,keys/nwk,keys/app

1e5,,,,,,,,,,,,,,,,
"""
NWK, APP = Key(bytes.fromhex(KEY)), Key(bytes.fromhex(OTHER))
TH_17 = Device(
    key="th-17",
    dev_eui="00112233445566aa",
    aliases=("hall-3", "0644", "no"),
    name="Hall, third floor",
    connector="th",
    model="AirQualityObserved",
    location=(3.7174, 51.0543, 12.0),
    attributes={"airQualityIndex": 3, "typeofLocation": "outdoor"},
    sessions=(Session("01ab23cd", "1.0", APP, NWK, NWK, NWK),),
    tags={"site": "hall", "floor": "3"},
    prefer="raw",
    interval=90.0,
    lifecycle="maintenance",
    line=2,
)


@pytest.mark.parametrize(("file", "text"), [("devices.yaml", YAML), ("devices.CSV", CSV)])
def test_both_forms_say_the_same(tmp_path: Path, file: str, text: str) -> None:
    keys(tmp_path, nwk=f"{KEY}\n", app=OTHER.upper())

    first, second = loaded(tmp_path, text, file, **WITH_TH).devices

    assert first == TH_17
    assert second.key == "1e5"
    assert (second.interval, second.lifecycle) == (None, "active")


def test_a_session_of_version_1_1(tmp_path: Path) -> None:
    keys(tmp_path, nwk=KEY, app=OTHER)
    [(device, session)] = loaded(tmp_path, YAML, **WITH_TH).devices.sessions("26000001")
    assert device.key == "1e5"
    assert session == Session("26000001", "1.1", NWK, NWK, APP, APP)


@pytest.mark.parametrize("file", ["wrong.yaml", "wrong.csv"])
def test_everything_wrong_is_said_at_once(tmp_path: Path, file: str) -> None:
    hold(file, refusal(tmp_path, (GOLDEN / file).read_text(), file))


def test_everything_wrong_with_sessions_is_said_without_a_key(tmp_path: Path) -> None:
    keys(tmp_path, good=KEY, other=OTHER, short=KEY[1:])
    text = (GOLDEN / "sessions.yaml").read_text()

    said = refusal(tmp_path, text, "sessions.yaml")

    hold("sessions.yaml", said)
    assert CANARY not in said.lower()


@pytest.mark.parametrize("column", ["connector", "model"])
def test_a_key_in_the_column_of_a_name_is_not_shown(tmp_path: Path, column: str) -> None:
    said = refusal(tmp_path, f"key,{column}\na,{KEY}", "d.csv")
    assert f"d.csv:2  a.{column}  this value (not shown) is n" in said
    assert CANARY not in said


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("d.yaml", "", "holds nothing."),
        ("d.yaml", "key: th-1", "is no list of devices."),
        ("d.yaml", "- key: a\n---\n- key: b", "d.yaml:2  holds a second document."),
        ("d.yaml", "- key: a\n  tags: [\n", "is not readable as YAML"),
        ("d.yaml", "- key: a\n  name: \tx\x00", "is not readable as YAML"),
        ("d.yaml", "- &a [*a]", "before the value that it stands for has ended"),
        ("d.yaml", "- {key: a, tags: " + "[" * 50 + "]" * 50 + "}", "nesting is too deep"),
        ("d.yaml", "- {key: !!python/name:os.system x}", "has a YAML tag"),
        ("d.csv", "", "`key`"),
        ("d.csv", "key;name\na;b", "expected commas between the columns, got semicolons"),
        ("d.csv", "key,dev_eui\na,1.12233E+12", "which a spreadsheet has rounded"),
        ("d.csv", "key,nmae\na,b", "Did you mean `name`?"),
        ("d.csv", "key,name,name\na,b,c", "name  is a column twice."),
        ("d.csv", 'key,name\na,"b', "is not readable as CSV"),
    ],
)
def test_a_file_that_is_no_registry(tmp_path: Path, file: str, text: str, said: str) -> None:
    assert said in refusal(tmp_path, text, file)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    said = refusal(tmp_path, None, "nothing.yaml")
    assert "city.yaml:" in said
    assert "devices  nothing.yaml cannot be read: No such file or directory.\n" in said
    (tmp_path / "latin.csv").write_bytes(b"key,name\na,\xe9")
    assert "latin.csv is not UTF-8 text in line 2" in refusal(tmp_path, None, "latin.csv")


def test_errors_of_both_files_stand_together(tmp_path: Path) -> None:
    said = refusal(tmp_path, "- key: a\n- key: a", drain_timeout=30)
    assert said.startswith("city.yaml and devices.yaml have 2 errors; nothing was started.\n")
    assert "devices.yaml:2  a.key  `a` is already a name of the device in line 1." in said


def test_a_thousand_errors_are_counted(tmp_path: Path) -> None:
    said = refusal(tmp_path, "key,dev_eui\n" + "".join(f"a{at},x\n" for at in range(1000)), "d.csv")
    assert said.count("expected an EUI") == 50
    assert "and 950 more errors" in said


@pytest.mark.parametrize(
    ("mode", "allowed"), [(0o600, True), (0o400, True), (0o440, True), (0o640, False), (0o604, False)]
)
def test_keys_in_the_file_itself_ask_for_mode_0600(tmp_path: Path, mode: int, allowed: bool) -> None:
    text = "".join(
        f"- {{key: a{at}, sessions: [{{dev_addr: 0000000{at}, app_s_key: {KEY}, nwk_s_key: {KEY}}}]}}\n"
        for at in (1, 2)
    )
    file = written(tmp_path, "devices.yaml", text)
    (tmp_path / "devices.yaml").chmod(mode)

    if allowed:
        assert len(config.read(file, {}).devices) == 2
        return
    with pytest.raises(ConfigError, match="others than its owner") as problem:
        config.read(file, {})
    assert str(problem.value).count("chmod 0600") == 1
    assert CANARY not in str(problem.value)


def test_a_key_file_that_others_may_read_is_a_warning(tmp_path: Path) -> None:
    keys(tmp_path, nwk=KEY, app=OTHER)
    (tmp_path / "keys" / "nwk").chmod(0o644)
    [warning] = [each for each in loaded(tmp_path, YAML, **WITH_TH).warnings if each.file]
    assert warning.line == 10
    assert "more than its owner and group may use it (mode 0644)" in warning.message


def test_what_a_connector_needs_may_come_from_the_registry(tmp_path: Path) -> None:
    file = "devices.yaml"
    needs = {"connectors": {"city-aq": TH | {"attributes": {"temperature": {"field": "t", "unit": "degC"}}}}}
    assert "is required by WeatherObserved, and nothing supplies it" in refusal(tmp_path, "- key: a", file, **needs)
    placed = "- {key: a, location: [3.7, 51.05]}"
    assert len(loaded(tmp_path, placed, file, **needs).devices) == 1
    lacking = f"{placed}\n- {{key: b, connector: city-aq}}"
    assert "devices.yaml:2  b.location  is required by WeatherObserved, and `city-aq`" in refusal(
        tmp_path, lacking, file, **needs
    )


def test_without_a_registry_every_device_is_known_or_none(tmp_path: Path) -> None:
    content = yaml.safe_load(EXAMPLE.read_text())
    assert config.parse(yaml.safe_dump(content), "c.yaml", {}).config.accepts_unknown
    with pytest.raises(ConfigError, match="would refuse every device"):
        config.parse(yaml.safe_dump(content | {"unknown_devices": "dead_letter"}), "c.yaml", {})
    assert not loaded(tmp_path, "- key: a").config.accepts_unknown
    assert loaded(tmp_path, "- key: a", unknown_devices="accept").config.accepts_unknown


def test_the_registry_is_read_anew_and_refused_as_at_start(tmp_path: Path) -> None:
    read = loaded(tmp_path, "- {key: a, location: [3.7, 51.05]}", connectors={"city-aq": TH})
    file = tmp_path / "devices.yaml"
    file.write_text("- {key: b, location: [3.7, 51.05]}")
    assert [device.key for device in read.reread().devices] == ["b"]
    for text, said in [
        ("- key: b", "nothing supplies it"),
        ("- kye: b", "devices.yaml:1"),
        ("", "holds nothing"),
    ]:
        file.write_text(text)
        with pytest.raises(ConfigError, match=said) as problem:
            read.reread()
        assert "; the configuration in use stays." in str(problem.value)
    file.unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        read.reread()


@pytest.mark.parametrize("command", [["check"], ["check", "--format", "json"], ["explain"], ["topics"]])
def test_no_command_shows_a_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    sessions = f"sessions: [{{dev_addr: 26000001, app_s_key: {KEY}, nwk_s_key: {KEY}}}]"
    file = written(tmp_path, "devices.yaml", f"- {{key: aq-0001, {sessions}}}")
    reading = tmp_path / "reading.json"
    reading.write_text('{"device": "aq-0001", "ts": 1769000000000, "temperature": 21.5, "lat": 52.37, "lon": 4.89}')
    more = ["--topic", "city/aq/1", "--payload", str(reading)] if command == ["explain"] else []
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert main([command[0], str(file), *command[1:], *more]) == 0

    out = "".join(capsys.readouterr())
    assert out
    assert CANARY not in out.lower()
    assert repr(bytes.fromhex(KEY))[2:-1] not in out


def test_check_says_what_the_registry_holds(tmp_path: Path) -> None:
    keys(tmp_path, nwk=KEY, app=OTHER)
    read = loaded(tmp_path, YAML, **WITH_TH)
    line = next(line for line in check.text(read).splitlines() if line.startswith("devices: "))
    assert line.replace(f"{tmp_path}/", "") == (
        "devices: 2 (1 with a DevEUI, 2 with sessions, 1 without location) in devices.yaml; others become dead letters"
    )
    assert CANARY not in check.text(read) + repr(read) + repr(read.devices) + repr(list(read.devices))


def test_both_examples_of_the_page_say_the_same(tmp_path: Path) -> None:
    page = (ROOT / "deploy" / "reference" / "devices.md").read_text(encoding="utf-8")
    of_yaml, of_csv = (re.search(rf"```{form}\n(.*?)```", page, re.DOTALL) for form in ("yaml", "csv"))
    assert of_yaml
    assert of_csv
    (tmp_path / "keys").mkdir()
    for name in ("th-17.nwk", "th-17.app"):
        (tmp_path / "keys" / name).write_text(KEY)

    first = loaded(tmp_path, of_yaml[1]).devices
    second = loaded(tmp_path, of_csv[1], "devices.csv").devices

    assert len(first) == 2
    assert [replace(each, line=0) for each in first] == [replace(each, line=0) for each in second]
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(KEYS)
