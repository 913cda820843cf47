"""`headrace devices add` and `import`: what is added, what is left out and why, and that `check` is content with it.

The exports in `exports/` are written after the API definitions of ChirpStack 4 (device.proto) and the end-device
references (JSON and CSV) of The Things Stack 3.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline import config
from pipeline.__main__ import main
from pipeline.config.device_text import RegistryText, rows_of
from pipeline.core.errors import ConfigError
from pipeline.devices.unknown import UnknownDevices
from pipeline.sdk.uplink import Names
from pipeline.tools.check.connect import UnregisteredDevices
from pipeline.tools.enrol import noted, read
from tests.pipeline.cli.commands.test_devices import look_once

EXPORTS = Path(__file__).parent / "exports"
VENDORS = Path(__file__).parents[3] / "support" / "vendors"
SECRETS = ("ca11ab1e" * 4, "0f0e0d0c0b0a09080706050403020100", "00112233445566778899aabbccddeeff")
PLACE = ["--location", "3.7174,51.0543"]
CSV = "key,dev_eui,connector,longitude,latitude\r\nth-1,0011223344556699,acme/th-1,3.7,51.05\r\n"
YAML = """# the halls
- key: th-1   # the first
  dev_eui: "0011223344556699"
  connector: acme/th-1
  location: [3.7, 51.05]
"""


class City:
    """A configuration with a registry, and what `headrace devices` says of it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.devices = folder / "devices.csv"

    def has(self, name: str, text: str | None = None) -> City:
        feed = {"kind": "mqtt", "url": "mqtt://127.0.0.1:1883", "client_id": "h", "subscribe": ["application/#"]}
        made = {
            "tenant": "ghent",
            "kafka": {"bootstrap_servers": ["127.0.0.1:9092"], "create_topics": {"partitions": 3}},
            "devices": name,
            "connector_paths": [str(VENDORS)],
            "state_dir": "state",
            "feeds": {"server": {**feed, "dialect": "auto"}},
        }
        self.file.write_text(yaml.safe_dump(made))
        self.devices = self.folder / name
        if text is not None:
            self.devices.write_bytes(text.encode())
        return self

    @property
    def file(self) -> Path:
        return self.folder / "city.yaml"

    @property
    def text(self) -> str:
        return self.devices.read_bytes().decode()

    def __call__(self, action: str, *more: str) -> tuple[int, str]:
        code = main(["devices", action, str(self.file), *more])
        out, err = self._capsys.readouterr()
        assert not [each for each in SECRETS if each in (out + err).lower()], "a key was printed"
        return code, out + err

    def loaded(self) -> config.Loaded:
        return config.read(self.file)


@pytest.fixture
def city(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> City:
    return City(tmp_path, capsys)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("devices.csv", CSV, f"{CSV}th-2,0011223344556602,acme/th-1,3.7174,51.0543\r\n"),
        ("devices.csv", CSV.rstrip(), f"{CSV}th-2,0011223344556602,acme/th-1,3.7174,51.0543\r\n"),
        ("devices.csv", None, None),
        (
            "devices.yaml",
            YAML,
            f"{YAML}- key: th-2\n  dev_eui: '0011223344556602'\n".replace("'", '"')
            + "  connector: acme/th-1\n  location: [3.7174, 51.0543]\n",
        ),
        ("devices.yaml", "# none yet\n", None),
        ("devices.yaml", None, None),
    ],
)
def test_a_device_is_added_as_the_file_has_its_devices(
    city: City, name: str, before: str | None, after: str | None
) -> None:
    city.has(name, before)
    eui = "00-11-22-33-44-55-66-02"
    said = ["--key", "th-2", "--dev-eui", eui, "--connector", "acme/th-1", *PLACE]
    code, dry = city("add", *said, "--dry-run")
    assert (code, city.devices.exists()) == (0, before is not None)
    assert before is None or city.text == before
    code, out = city("add", *said)
    assert code == 0
    assert after is None or city.text == after
    assert [line for line in dry.splitlines() if "th-2" in line] == [
        line for line in out.splitlines() if "th-2" in line
    ]
    device = city.loaded().devices.by_eui("0011223344556602")
    assert device is not None
    assert (device.key, device.connector, device.location) == ("th-2", "acme/th-1", (3.7174, 51.0543))
    assert "# " not in (before or "") or (before or "").splitlines()[0] in city.text


@pytest.mark.parametrize("name", ["devices.csv", "devices.yaml"])
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--key", "th-2", "--dev-eui", "0011223344556699"], "is th-1 already (line"),
        (["--key", "th-1"], "is already a name of the device in line"),
        (["--key", "th-2", "--dev-eui", "12"], "expected an EUI of 16 hex digits"),
        (["--key", "th-2", "--connector", "acme/th-9"], "Did you mean `acme/th-1`?"),
        (["--key", "th-2", "--connector", "acme/th-1"], "is required by WeatherObserved"),
        (["--key", "th-2", "--location", "here"], "Expected --location as LON,LAT"),
        (["--key", "th-2", "--interval", "often"], "expected a duration"),
    ],
)
def test_what_cannot_be_added_is_refused_with_a_sentence(city: City, name: str, more: list[str], said: str) -> None:
    before = CSV if name.endswith(".csv") else YAML
    city.has(name, before)
    code, out = city("add", *more)
    assert code == 2
    assert said in out
    assert city.text == before
    assert [each.name for each in city.folder.iterdir()] == ["city.yaml", name] or len(list(city.folder.iterdir())) == 2


def test_a_column_that_is_not_there_is_made(city: City) -> None:
    city.has("devices.csv", 'key,name\na,"two\nlines"\n\nb,x\n'.replace("two\nlines", "one line"))
    assert city("add", "--key", "c", "--alias", "c1", "--alias", "c2", "--name", 'x, "y"')[0] == 0
    assert city.text == 'key,name,aliases\na,"one line",\n\nb,x,\nc,"x, ""y""",c1;c2\n'


@pytest.mark.parametrize("text", ["[{key: a}, {key: b}]\n", "- key: a\n...\n", '{"key": 1}\n', "key: a\n"])
def test_a_form_that_nothing_can_be_added_to_is_left_alone(city: City, text: str) -> None:
    city.has("devices.yaml", text)
    code, out = city("add", "--key", "c")
    assert code == 2
    assert "- {key: c}" in out or "is no list of devices" in out
    assert city.text == text


def test_an_indented_list_and_one_in_braces_go_on_as_they_are() -> None:
    device = {"key": "b", "location": (1.5, 2.5), "tags": {"a": "on"}}
    indented = RegistryText("d.yaml", "  - key: a\n    sessions:\n      - {dev_addr: 01}\n").with_rows([device])
    assert indented.endswith('\n  - key: b\n    location: [1.5, 2.5]\n    tags: {a: "on"}\n')
    braces = RegistryText("d.yaml", "- {key: a}").with_rows([device])
    assert braces == '- {key: a}\n- {key: b, location: [1.5, 2.5], tags: {a: "on"}}\n'


@pytest.mark.parametrize("name", ["devices.csv", "devices.yaml"])
@pytest.mark.parametrize(
    ("export", "added", "sessions"),
    [
        ("chirpstack-list.json", {"hall-3": "01", "0011223344556602": "02", "unheard of": "03"}, []),
        ("chirpstack-activation.json", {"mast-4": "04"}, ["01ab23cd"]),
        ("chirpstack.csv", {"roof, north": "05"}, []),
        ("the-things-stack.json", {"th-6": "06", "th-7": "07"}, ["26010001"]),
        ("the-things-stack.csv", {"th-8": "08"}, ["26010003"]),
        ("unknown.json", {"Hall 9": "09", "aq-0001": None}, []),
    ],
)
def test_an_export_is_imported_and_again_without_an_effect(
    city: City, name: str, export: str, added: dict[str, str | None], sessions: list[str]
) -> None:
    city.has(name)
    code, dry = city("import", str(EXPORTS / export), *PLACE, "--dry-run")
    assert (code, city.devices.exists(), (city.folder / "keys").exists()) == (0, False, False)
    code, out = city("import", str(EXPORTS / export), *PLACE)
    assert code == 0, out
    assert dry.replace("would be added", "added").splitlines() == out.splitlines()[:-1]
    devices = city.loaded().devices
    euis = {each.key: each.dev_eui for each in devices}
    assert euis == {key: None if end is None else f"00112233445566{end}" for key, end in added.items()}
    connectors = {each.key: each.connector for each in devices}
    assert {key for key, each in connectors.items() if each != "acme/th-1"} == {"unheard of", "aq-0001"} & added.keys()
    assert [session.dev_addr for each in devices for session in each.sessions] == sessions
    assert not [secret for secret in SECRETS if secret in city.text.lower()]
    files = sorted((city.folder / "keys").iterdir()) if sessions else []
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == ({0o600} if sessions else set())
    assert len(files) == 2 * len(sessions)

    before = city.text
    code, out = city("import", str(EXPORTS / export), *PLACE)
    assert code == 0
    assert f"0 added, {len(added)} there already" in out
    assert city.text == before
    assert main(["check", str(city.file)]) == 0


def test_what_cannot_be_used_is_left_out_with_its_reason(city: City) -> None:
    city.has("devices.csv", CSV)
    code, out = city("import", str(EXPORTS / "the-things-stack.json"), "--format", "json")
    report = json.loads(out)
    assert code == 1
    assert [each["key"] for each in report["added"]] == ["th-6"]
    assert report["added"][0]["location"] == [3.7174, 51.0543, 12.0]
    [[name, why]] = report["left"]
    assert (name, why.partition(" and ")[0]) == ("th-7", "location is required by WeatherObserved")
    assert "Fill the columns `longitude` and `latitude`" in why
    assert report["key_files"] == ["keys/0011223344556606.app_s_key", "keys/0011223344556606.nwk_s_key"]
    _, out = city("import", str(EXPORTS / "the-things-stack.json"), *PLACE)
    assert "1 added, 1 there already" in out
    assert "th-7: its session keys are not in the export; added without a session." in out


def test_a_key_file_of_another_key_stays(city: City) -> None:
    city.has("devices.yaml")
    (city.folder / "keys").mkdir()
    file = city.folder / "keys" / "0011223344556608.app_s_key"
    file.write_text("1" * 32)
    code, out = city("import", str(EXPORTS / "the-things-stack.csv"), *PLACE)
    assert code == 1
    assert "is there already with another key" in out
    assert file.read_text() == "1" * 32
    assert [each.name for each in (city.folder / "keys").iterdir()] == [file.name]


def test_what_the_worker_has_refused_is_imported(city: City) -> None:
    city.has("devices.csv", CSV)
    look_once(city.folder / "state")
    unknown = UnknownDevices(city.folder / "state")
    unknown.note("0011223344556611", Names(name="Hall\x1b[2J", tags={"connector": "acme/th-1"}), 1_769_000_000_000)
    unknown.close()
    code, out = city("import", "--from", "unknown", *PLACE)
    assert code == 0
    assert "\x1b" not in out
    assert city.text == f"{CSV}0011223344556611,0011223344556611,acme/th-1,3.7174,51.0543\r\n"
    assert [each.dev_eui for each in noted(unknown)] == ["0011223344556611"]


@pytest.mark.parametrize(
    ("text", "source", "said"),
    [
        ("{}", None, "Expected an export of ChirpStack"),
        ("[1]", None, "Expected objects, a device each"),
        ('{"ids": ', None, "is not readable as JSON: Expecting value, in what begins in line 1"),
        ("a,b\n1,2\n", None, "or as CSV with a column `dev_eui`"),
        ('{"devEui": "0011223344556601"}', "the-things-stack", "looks like an export of chirpstack"),
        ("[" * 100_000, None, "nested too deep"),
        ("", None, "or as CSV with a column"),
    ],
)
def test_what_is_no_export_is_refused_with_a_sentence(text: str, source: str | None, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
        read(text, source)


@pytest.mark.parametrize(
    "export",
    ['{"devEui": null, "tags": 1, "name": []}', '{"ids": {"dev_eui": 5}, "locations": {"user": {"latitude": 1}}}'],
)
def test_values_of_a_wrong_type_stop_nobody(city: City, export: str) -> None:
    city.has("devices.csv", CSV)
    (city.folder / "export.json").write_text(export)
    code, out = city("import", str(city.folder / "export.json"))
    assert code == 1
    assert "left out: " in out


def test_a_configuration_without_a_registry_or_that_is_not_there(city: City) -> None:
    city.has("devices.csv")
    content: dict[str, Any] = yaml.safe_load(city.file.read_text())
    del content["devices"]
    city.file.write_text(yaml.safe_dump(content))
    assert city("add", "--key", "a")[1].endswith("add `devices: devices.csv`, or `devices: devices.yaml`.\n")
    city.file.unlink()
    assert "cannot be read" in city("add", "--key", "a")[1]
    assert "Name the export" in city("import")[1]


@pytest.mark.parametrize("file", ["devices.csv", "devices.yaml"])
@given(name=st.text(st.characters(blacklist_categories=["C", "Z"], whitelist_characters=" "), min_size=1))
@example(name="a, \"b\"; #c: {d} [e] 'f'")
@example(name="0x10")
def test_any_name_reads_back_from_the_row_that_was_added(file: str, name: str) -> None:
    before = "key,name,longitude,latitude\nth-1,,,\n" if file.endswith(".csv") else YAML
    made = RegistryText(file, before).with_rows([{"key": "th-2", "name": name, "location": (3.7174, -51.05)}])
    assert made.startswith(before)
    *_, row = rows_of(file.endswith(".csv"), made)
    written = name.strip() if file.endswith(".csv") else name
    assert row.values.get("name") == (written or None)
    assert row.values["location"] == ["3.7174", "-51.05"]


def test_check_connect_advises_a_row_of_the_file_too(city: City) -> None:
    city.has("devices.csv", "connector,key,dev_eui\n")
    strangers = UnregisteredDevices(city.loaded().config)
    strangers.note("0011223344556612", Names(name="h"), 0)
    [found] = strangers.findings(("feeds", "server"))
    assert (
        "Add each to devices.csv, with its location and connector, such as `vendor/device,h,0011223344556612`"
        in found.fix
    )


def test_every_advice_is_a_row_of_the_file_that_there_is(city: City, capsys: pytest.CaptureFixture[str]) -> None:
    """In the file's own columns and order, whoever gives it; pasted at the end it is a row that `check` reads."""
    header = "connector,key,longitude,latitude,dev_eui"
    city.has("devices.csv", f"{header}\nacme/th-1,th-1,3.7,51.05,0011223344556699\n")
    uplink = {"deviceInfo": {"devEui": "0011223344556612", "deviceName": "h"}, "fCnt": 1, "fPort": 2, "data": "AA=="}
    topic = "application/a/device/0011223344556612/event/up"
    main(["explain", str(city.file), "--topic", topic, "--payload", json.dumps(uplink)])
    assert "with its location:  vendor/device,h,,,0011223344556612" in capsys.readouterr().out
    look_once(city.folder / "state")
    unknown = UnknownDevices(city.folder / "state")
    unknown.note("0011223344556612", Names(name="h"), 1_769_000_000_000)
    unknown.close()
    assert "\n  vendor/device,h,,,0011223344556612\n" in city("unknown")[1]
    narrow = RegistryText("devices.csv", "key\na\n")
    said = narrow.advice({"key": "h", "dev_eui": "0011223344556612"})
    assert said == "h   (and a column dev_eui, which the first line does not name)"
    city.devices.write_text(f"{header}\nacme/th-1,th-1,,,0011223344556699\nacme/th-1,,3,51,\n")
    assert main(["check", str(city.file)]) == 2
    said = capsys.readouterr().err
    assert "Fill the columns `longitude` and `latitude`" in said
    assert "into the column `key`" in said
    assert "location:" not in said
    assert "- {" not in said
