"""`kind: semtech_udp`: what it gives, and what an operator reads when it is wrong."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import config
from pipeline.build import options as wiring
from pipeline.config.feeds import FEED_SECTIONS, MqttFeedConfig, SemtechUdpFeedConfig
from pipeline.core.errors import ConfigError
from pipeline.feeds.semtech_udp import UdpOptions

EXAMPLE = Path(__file__).parents[3] / "deploy" / "examples" / "bench.yaml"
EUI = "0102030405060708"


def with_feed(**keys: Any) -> str:
    content = yaml.safe_load(EXAMPLE.read_text())
    content["feeds"]["gates"] = keys
    return yaml.safe_dump(content)


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as problem:
        config.parse(text, "city.yaml", {})
    return str(problem.value)


def options(**keys: Any) -> UdpOptions:
    loaded = config.parse(with_feed(kind="semtech_udp", **keys), "city.yaml", {})
    feed = loaded.config.feeds["gates"]
    assert [each for each in loaded.warnings if "session keys" not in str(each)] == []
    assert isinstance(feed, SemtechUdpFeedConfig)
    assert isinstance(loaded.config.feeds["city"], MqttFeedConfig)
    return wiring.udp_options(feed)


def test_nothing_need_be_said() -> None:
    assert options() == UdpOptions("127.0.0.1", 1700, frozenset(), (), 5000)


def test_all_can_be_said() -> None:
    made = options(
        listen="0.0.0.0:1701",
        gateways=["01-02-03-04-05-06-07-08", "A84041FFFF1E0B02"],
        addresses=["192.0.2.0/24", "2001:db8::1"],
        max_in_flight=400,
    )

    networks = (ip_network("192.0.2.0/24"), ip_network("2001:db8::1/128"))
    assert made == UdpOptions("0.0.0.0", 1701, frozenset({EUI, "a84041ffff1e0b02"}), networks, 400)


@pytest.mark.parametrize("allowed", [{"gateways": [EUI]}, {"addresses": ["192.0.2.7"]}])
def test_beyond_the_machine_with_either_list(allowed: dict[str, list[str]]) -> None:
    assert options(listen="[::]:1700", **allowed).host == "::"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"listen": "0.0.0.0:1700"},
            "`0.0.0.0:1700` takes frames from any sender: the protocol proves no identity.",
        ),
        ({"listen": "1700"}, "feeds.gates.listen"),
        ({"gateways": ["01020304"]}, "`01020304` is no EUI-64: write its 16 hex digits in quotes."),
        ({"gateways": [12]}, "without quotes is a number to YAML"),
        ({"addresses": ["192.0.2.7/24"]}, "is no address or network: write `192.0.2.7` or `192.0.2.0/24`"),
        ({"max_in_flight": 0}, "too small: at least 1"),
        ({"gateway": [EUI]}, "Did you mean `gateways`?"),
        ({"client_id": "x"}, "means nothing beside the other keys of this section."),
    ],
)
def test_a_mistake_is_one_finding(keys: dict[str, Any], said: str) -> None:
    text = refusal(with_feed(kind="semtech_udp", **keys))

    assert text.startswith("city.yaml has an error; nothing was started.")
    assert said in text


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("semtech-udp", "is not allowed; expected `mqtt` or `semtech_udp`. Did you mean `semtech_udp`?"),
        ("kafka", "is not allowed; expected `mqtt` or `semtech_udp`."),
    ],
)
def test_a_kind_that_there_is_not(kind: str, said: str) -> None:
    text = refusal(with_feed(kind=kind, listen="127.0.0.1:1700"))

    assert text.startswith("city.yaml has an error; nothing was started.")
    assert " ".join(said.split()) in " ".join(text.split())


def test_a_feed_without_a_kind_is_held_against_what_it_looks_like() -> None:
    text = refusal(with_feed(listen="127.0.0.1:1700", gateways=[EUI]))

    assert text.startswith("city.yaml has an error; nothing was started.")
    assert "feeds.gates.kind" in text


def test_no_section_takes_the_kind_of_another() -> None:
    with pytest.raises(TypeError, match="Other has `kind: mqtt`, as MqttFeedConfig has"):
        type("Other", (MqttFeedConfig,), {"__module__": __name__})
    assert FEED_SECTIONS["mqtt"] is MqttFeedConfig
