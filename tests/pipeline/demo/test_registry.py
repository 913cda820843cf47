"""The registry that the demo writes: for its owner alone, and its keys nowhere else."""

from pathlib import Path

import pytest

from pipeline import config
from pipeline.demo import lorawan, stack
from pipeline.demo.city import City
from pipeline.demo.lorawan import Quirk


@pytest.fixture
def city() -> City:
    return City()


@pytest.fixture
def file(city: City, tmp_path: Path) -> Path:
    devices = tmp_path / "devices.yaml"
    lorawan.write(devices, ((each.device, each.node) for each in city.citizens))
    values = {"mqtt_port": 1, "kafka_port": 2, "admin_port": 3, "devices": devices, "state": tmp_path}
    (tmp_path / "city.yaml").write_text(stack.template("city.yaml").substitute(values))
    return devices


def test_only_its_owner_reads_it(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_worker_takes_it_and_finds_nothing_to_say(city: City, file: Path) -> None:
    loaded = config.read(str(file.parent / "city.yaml"))
    ids = "readings carry no time: their ids are made from arrival"  # of two kinds of its devices it is so
    assert all(ids in warning.message for warning in loaded.warnings)
    devices = loaded.devices
    for citizen in city.citizens:
        node, name = citizen.node, citizen.device.name
        if node is None:
            assert devices.by_name(name) is not None
            continue
        assert (devices.by_eui(node.dev_eui) is not None) is (node.quirk not in {Quirk.UNKNOWN, Quirk.STRANGER})
        known = [session for _, session in devices.sessions(node.session.dev_addr)]
        right = citizen.device.kind.network == "gateways" and node.quirk not in {Quirk.WRONG_KEY, Quirk.STRANGER}
        assert (node.session in known) is right


def test_a_key_shows_in_no_text_of_the_city(city: City) -> None:
    shown = repr(city.citizens)
    for citizen in city.citizens:
        if citizen.node is not None:
            for key in (citizen.node.session.app_s_key, citizen.node.session.nwk_s_key):
                assert key.hex() not in shown
                assert bytes.__repr__(key) not in shown


def test_keys_are_new_with_each_city() -> None:
    one, other = ({each.node.session.app_s_key for each in City().citizens if each.node} for _ in range(2))
    assert len(one) == len(other) > 60
    assert not one & other
