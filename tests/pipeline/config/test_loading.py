"""Reading a configuration: what it gives, what it refuses, what it warns of."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import config
from pipeline.config.connectors import TimeSourceConfig
from pipeline.config.findings import InvalidConfigError
from pipeline.config.kafka import read_secret
from pipeline.core.errors import ConfigError, StartError
from tests.support.feeds import mqtt_feed

EXAMPLE = Path(__file__).parents[3] / "deploy" / "examples" / "bench.yaml"


def changed(path: str = "", value: Any = None) -> str:
    """Return the example with the value at a dotted path replaced, or removed where it is `...`."""
    content = yaml.safe_load(EXAMPLE.read_text())
    *way, last = path.split("/")
    container = content
    for step in way:
        container = container[int(step) if isinstance(container, list) else step]
    if value is ...:
        del container[last]
    elif path:
        container[int(last) if isinstance(container, list) else last] = value
    return yaml.safe_dump(content)


def read(text: str, environment: dict[str, str] | None = None) -> config.Loaded:
    return config.parse(text, "city.yaml", environment or {})


def paths(text: str, environment: dict[str, str] | None = None) -> list[str]:
    try:
        loaded = read(text, environment)
    except InvalidConfigError as problem:
        return [finding.path for finding in problem.findings]
    return [f"warning {finding.path}" for finding in loaded.warnings]


def test_the_example_is_read() -> None:
    loaded = config.read(EXAMPLE, {})

    feed = mqtt_feed(loaded.config)
    connector = loaded.config.connectors["city-aq"]
    assert loaded.warnings == ()
    assert (feed.broker.host, feed.broker.port, feed.keepalive, feed.session_expiry) == ("127.0.0.1", 1883, 30, 604_800)
    assert (feed.used_qos, feed.max_in_flight, feed.max_payload, feed.version) == (1, 5000, 262_144, "5")
    assert loaded.config.kafka.client_id == "headrace-bench"
    assert (loaded.config.kafka.linger, loaded.config.kafka.chunk_bytes) == (0.01, 262_144)
    assert isinstance(connector.observed_at, TimeSourceConfig)
    assert connector.observed_at.max_age == 3650 * 86_400
    assert loaded.config.topic("AirQualityObserved") == "bench.AirQualityObserved.v1"
    assert loaded.config.dead_letter_topic == "bench.dead-letter.v1"
    assert loaded.config.stream("AirQualityObserved").classification == "public"
    assert loaded.config.stream("WeatherObserved").classification == "internal"


def test_nothing_of_a_configuration_can_be_changed() -> None:
    loaded = config.load(EXAMPLE, {})

    with pytest.raises(ValueError, match="frozen"):
        loaded.tenant = "other"


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("tenant", ..., "tenant"),
        ("tenant", "Bench", "tenant"),
        ("tenant", "", "tenant"),
        ("config_version", 2, "config_version"),
        ("feeds", {}, "feeds"),
        ("feeds", ..., "feeds"),
        ("kafka", ..., "kafka"),
        ("kafka/bootstrap_servers", [], "kafka.bootstrap_servers"),
        ("kafka/sasl", {"mechanism": "PLAIN"}, "kafka.sasl"),
        ("kafka/tls", {"ca_file": "x"}, "kafka"),
        ("kafka/security_protocol", "SASL_SSL", "kafka"),
        ("kafka/topics", {"model": "{tenant}.{topic}"}, "kafka.topics.model"),
        ("kafka/topics", {"model": "a/b"}, "kafka.topics.model"),
        ("kafka/topics", {"model": "{tenant}.dead-letter.v1"}, "kafka.topics.model"),
        ("kafka/topics", {"model": "a" * 240 + "{model}"}, "kafka.topics.model"),
        ("kafka/create_topics", {"partitions": 0}, "kafka.create_topics.partitions"),
        ("feeds/city/kind", "mqqt", "feeds.city.kind"),
        ("feeds/city/qos", 3, "feeds.city.qos"),
        ("feeds/city/qos", "high", "feeds.city.qos"),
        ("feeds/city/version", 4, "feeds.city.version"),
        ("feeds/city/subscribe", "city/#", "feeds.city.subscribe"),
        ("feeds/city/max_in_flight", 65_536, "feeds.city.max_in_flight"),
        ("feeds/city/keepalive", "20h", "feeds.city.keepalive"),
        ("feeds/city/keepalive", "1500ms", "feeds.city.keepalive"),
        ("feeds/city/session_expiry", "0s", "feeds.city.session_expiry"),
        ("feeds/city/max_payload", "1000", "feeds.city.max_payload"),
        ("feeds/city/ack", "spool", "feeds.city.ack"),
        ("feeds/city/tls", {}, "feeds.city"),
        ("feeds/city/client_id", "a\u0000b", "feeds.city.client_id"),
        ("feeds/city/routes", [], "feeds.city"),
        ("feeds/city/routes/0", {"topic": "city/#"}, "feeds.city.routes[0]"),
        ("feeds/city/routes/0/ignore", True, "feeds.city.routes[0]"),
        ("feeds/city/routes/0/topic", "a/#/b", "feeds.city.routes[0].topic"),
        ("feeds/city/routes/0/connector", "city-a", "feeds.city.routes[0].connector"),
        ("connectors/city-aq/device", {"topic": "sensor"}, "feeds.city.routes[0].topic"),
        ("connectors/city-aq/device", {}, "connectors.city-aq.device"),
        ("connectors/city-aq/device", {"field": "a", "topic": "b"}, "connectors.city-aq.device"),
        ("connectors/city-aq/observed_at", ..., "connectors.city-aq.observed_at"),
        ("connectors/city-aq/observed_at", "now", "connectors.city-aq.observed_at"),
        ("connectors/city-aq/observed_at/format", "iso", "connectors.city-aq.observed_at"),
        ("connectors/city-aq/location", [0, 0], "connectors.city-aq.location"),
        ("connectors/city-aq/location", [4.89], "connectors.city-aq.location"),
        ("connectors/city-aq/location", [4.89, "x"], "connectors.city-aq.location[1]"),
        ("connectors/city-aq/location", [400, 500], "connectors.city-aq.location"),
        ("connectors/city-aq/period", "5min", "connectors.city-aq.period"),
        ("connectors/city-aq/model", "NoiseLevel", "connectors.city-aq.model"),
        ("connectors/city-aq/attributes", {}, "connectors.city-aq.attributes"),
        ("connectors/city-aq/attributes/dateObserved", {"field": "t"}, "connectors.city-aq.attributes.dateObserved"),
        ("connectors/city-aq/attributes/pm10/unit", "ppb", "connectors.city-aq.attributes.pm10.unit"),
        ("connectors/city-aq/attributes/pm10", "pm10", "connectors.city-aq.attributes.pm10"),
        ("streams/AirQuality", {}, "streams.AirQuality"),
        ("streams/AirQualityObserved/licence", "CC-BY", "streams.AirQualityObserved.licence"),
        ("dead_letters", {"payload": "all"}, "dead_letters.payload"),
        ("admin", {"listen": "9464"}, "admin.listen"),
        ("drain_timeout", 30, "drain_timeout"),
        ("nonsense", {"a": 1}, "nonsense"),
    ],
)
def test_one_mistake(path: str, value: Any, where: str) -> None:
    assert paths(changed(path, value)) == [where]


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("feeds/city/qos", 2, ["feeds.city.qos"]),
        ("feeds/city/qos", 0, ["feeds.city.qos"]),
        ("feeds/city/subscribe", ["city/#", "city/aq/+"], ["feeds.city.subscribe[1]"]),
        ("feeds/city/subscribe", ["$share/g/city/#"], ["feeds.city.subscribe[0]"]),
        ("feeds/city/session_expiry", "10min", ["feeds.city.session_expiry"]),
        ("feeds/city/session_expiry", "1d", []),
        ("feeds/city/password", "Change-Me", ["feeds.city.password"]),
        ("feeds/city/subscribe", ["town/#"], ["feeds.city.routes[0].topic"]),
        ("connectors/city-aq/observed_at", "arrival", ["feeds.city.routes[0]"]),
        ("streams/WeatherObserved", {}, ["streams.WeatherObserved"]),
        ("feeds/city/routes/0", {"topic": "city/#", "ignore": True}, ["connectors.city-aq"]),
        ("kafka/bootstrap_servers", "a:1, b:2", []),
        ("connectors/city-aq/device", {"topic": "device"}, []),
        ("connectors/city-aq/location", [4.89, 52.37, 2], []),
        ("feeds/city/routes/0/ignore", False, []),
    ],
)
def test_what_is_read_with_a_warning(path: str, value: Any, where: list[str]) -> None:
    assert paths(changed(path, value)) == [f"warning {each}" for each in where]


def with_feeds(**feeds: dict[str, Any]) -> str:
    content = yaml.safe_load(EXAMPLE.read_text())
    city = content["feeds"]["city"]
    content["feeds"] = {name: {**city, **changes} for name, changes in feeds.items()}
    return yaml.safe_dump(content, sort_keys=False)


def test_entries_too_many_are_counted() -> None:
    with pytest.raises(InvalidConfigError, match="area  has 5 entries; expected 4 at most"):
        read(f"{changed()}\narea: [3, 50, 4, 51, 5]")


def test_a_name_that_is_none() -> None:
    assert paths(with_feeds(**{"City!": {}})) == ["feeds.City!"]


def test_two_feeds_with_one_session() -> None:
    text = with_feeds(one={"subscribe": ["city/aq/1"]}, two={"subscribe": ["city/aq/2"]})

    assert paths(text) == ["feeds.two.client_id"]


def test_two_feeds_that_receive_the_same() -> None:
    assert paths(with_feeds(one={}, two={"client_id": "b"})) == ["warning feeds.two.subscribe"]
    assert paths(with_feeds(one={}, two={"url": "mqtt://127.0.0.1:1884"})) == []


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"url": "mqtt://h", "username": "u", "password": "p"}, ["feeds.city.url"]),
        ({"url": "ws://h", "username": "u", "password_file": "p"}, ["feeds.city.url"]),
        ({"url": "mqtts://h", "username": "u", "password": "p", "tls": {"ca_file": "a"}}, []),
        ({"url": "mqtt://h", "username": "u", "password": "p", "allow_plaintext": True}, []),
        ({"url": "mqtt://localhost", "username": "u", "password": "p"}, []),
        ({"username": "u", "password": "p", "password_file": "p"}, ["feeds.city"]),
        ({"password": "p", "version": "3.1.1"}, ["feeds.city"]),
    ],
)
def test_passwords_need_tls(changes: dict[str, Any], where: list[str]) -> None:
    assert paths(with_feeds(city=changes)) == where


@pytest.mark.parametrize(
    ("kafka", "where"),
    [
        ({"security_protocol": "SASL_PLAINTEXT"}, ["kafka.security_protocol"]),
        ({"security_protocol": "SASL_PLAINTEXT", "allow_plaintext": True}, []),
        ({"security_protocol": "SASL_SSL"}, []),
        ({"security_protocol": "SSL"}, ["kafka"]),
    ],
)
def test_kafka_credentials_need_tls(kafka: dict[str, Any], where: list[str]) -> None:
    sasl = {"mechanism": "PLAIN", "username": "u", "password": "p"}
    assert paths(changed("kafka", {"bootstrap_servers": ["k:9092"], "sasl": sasl, **kafka})) == where


@pytest.mark.parametrize(
    ("sasl", "right"),
    [
        ({"token_file": "t"}, True),
        ({"token_url": "https://h/t", "client_id": "c", "client_secret": "s"}, True),
        ({"token_url": "https://h/t"}, False),
        ({"token_url": "https://u:p@h/t", "client_id": "c", "client_secret": "s"}, False),
        ({}, False),
    ],
)
def test_tokens(sasl: dict[str, str], *, right: bool) -> None:
    kafka = {
        "bootstrap_servers": ["k:1"],
        "security_protocol": "SASL_SSL",
        "sasl": {"mechanism": "OAUTHBEARER", **sasl},
    }
    assert (paths(changed("kafka", kafka)) == []) is right


def test_an_unset_password_still_needs_tls() -> None:
    text = with_feeds(city={"url": "mqtt://h", "username": "u", "password": "${P}"})

    assert paths(text) == ["feeds.city.url", "feeds.city.password"]


def test_variables() -> None:
    text = (
        EXAMPLE.read_text()
        .replace("127.0.0.1:1883", "${HOST}:${PORT:-1884}")
        .replace("tenant: bench", "tenant: ${T:-a}${U:-}")
    )

    loaded = read(text, {"HOST": "broker"})
    assert mqtt_feed(loaded.config).url == "mqtt://broker:1884"
    assert loaded.config.tenant == "a"
    assert paths(text) == ["feeds.city.url"]
    assert paths(text, {"HOST": ""}) == ["feeds.city.url"]
    assert paths(text.replace("${HOST}", "${1}")) == ["feeds.city.url"]
    escaped = read(EXAMPLE.read_text().replace("client_id: headrace-bench", "client_id: $${X}"))
    assert mqtt_feed(escaped.config).client_id == "${X}"
    assert mqtt_feed(read(EXAMPLE.read_text().replace("qos: 1", "qos: ${Q:-0}")).config).qos == 0


def test_retained_messages() -> None:
    own, arrival = read(changed()), read(changed("connectors/city-aq/observed_at", "arrival"))
    said = read(changed("feeds/city/routes/0/retained", "filter"))

    kept = [each.config.keeps_retained(mqtt_feed(each.config).routes[0]) for each in (own, arrival, said)]
    assert kept == [True, False, False]


def test_files_are_taken_from_the_folder_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "city.yaml"
    file.write_text(changed("feeds/city/password_file", "keys/mqtt"))

    assert mqtt_feed(config.load(file, {})).password_file == str(tmp_path / "keys" / "mqtt")


def test_secrets_are_not_in_what_is_printed() -> None:
    loaded = read(changed("feeds/city/password", "hunter2"))

    assert "hunter2" not in repr(loaded) + str(loaded.config) + loaded.config.model_dump_json()


def test_secrets_are_read(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    assert read_secret(None, None) is None
    assert read_secret(mqtt_feed(read(changed("feeds/city/password", "p")).config).password, None) == "p"
    for content, said in [(b"", "is empty"), (b"\xff", "is not UTF-8")]:
        file.write_bytes(content)
        with pytest.raises(StartError, match=said):
            read_secret(None, str(file))
    file.write_text(" a b \n")
    assert read_secret(None, str(file)) == " a b "
    with pytest.raises(StartError, match="No such file"):
        read_secret(None, str(tmp_path / "nothing"))


def test_a_secret_is_read_from_what_has_an_end(tmp_path: Path) -> None:
    pipe, large = tmp_path / "pipe", tmp_path / "large"
    os.mkfifo(pipe)
    large.write_bytes(b"a" * 70_000)
    for file, said in ((pipe, "no regular file"), (Path("/dev/zero"), "no regular file"), (large, "larger than 65536")):
        with pytest.raises(StartError, match=said):
            read_secret(None, str(file))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds nothing"),
        (b"- a", "is no mapping"),
        (b"a: b: c", "is not readable as YAML"),
        (b"a: 1\n---\nb: 2", "one document"),
        (b"a:\n\t- b", "no tabs"),
        (b"\xff", "UTF-8"),
        (b"tenant: !secret x", "YAML tag"),
        (b"tenant: 2026-01-01", "is a date"),
        (b"tenant: *hunter2", "in quotes"),
        (b"? [a]\n: b", "no text"),
        (b"a: &a {b: 1}\nc:\n  <<: *a", "not supported"),
        (b"tenant: #", "has no value"),
        (b"a" * 5_000_000, "4 MiB"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "city.yaml"
    file.write_bytes(content)

    with pytest.raises(ConfigError) as problem:
        config.load(file, {})
    assert said in str(problem.value)
    assert "hunter2" not in str(problem.value)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.yaml", tmp_path, "a\x00b"):
        with pytest.raises(ConfigError, match=r"cannot be read|no file"):
            config.load(path, {})


def test_a_key_is_no_command_to_a_terminal_and_no_line_of_the_list() -> None:
    content = yaml.safe_load(EXAMPLE.read_text())
    content["feeds"]["c\x9b2Ji\nty"] = content["feeds"].pop("city")
    with pytest.raises(InvalidConfigError) as refused:
        read(yaml.safe_dump(content))
    assert all(line.isprintable() for line in str(refused.value).splitlines())
    assert "feeds.c\\x9b2Ji\\nty" in str(refused.value)
