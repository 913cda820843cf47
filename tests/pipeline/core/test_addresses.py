"""How another machine is reached: one type of TLS for brokers and Kafka."""

from __future__ import annotations

import ssl
from pathlib import Path

from pydantic import SecretStr

from pipeline.build.options import kafka_options, mqtt_options
from pipeline.config.kafka import TlsConfig
from pipeline.core.addresses import Tls
from tests.pipeline.vendor_flow import TH1, loaded
from tests.support.feeds import mqtt_feed


def test_nothing_older_than_tls_1_2_is_spoken_whatever_the_system_allows() -> None:
    assert Tls().context().minimum_version is ssl.TLSVersion.TLSv1_2
    assert Tls().context().check_hostname
    assert not Tls(check_hostname=False).context().check_hostname


def test_brokers_and_kafka_are_reached_by_the_same_tls(tmp_path: Path) -> None:
    """What a section `tls:` says means the same under a feed and under `kafka:`."""
    config = loaded({"th": TH1}).config
    own = TlsConfig(ca_file="ca.pem", cert_file="a.pem", key_file="a.key", key_password=SecretStr("x"))
    feed = mqtt_feed(config).model_copy(update={"url": "mqtts://broker.example", "tls": own})
    kafka = config.kafka.model_copy(update={"security_protocol": "SSL", "tls": own})
    made = [
        mqtt_options("city", feed, tmp_path).tls,
        kafka_options(config.model_copy(update={"kafka": kafka})).tls,
    ]
    for tls in made:
        assert tls is not None
        assert (tls.ca_file, tls.cert_file, tls.key_file) == (Path("ca.pem"), Path("a.pem"), Path("a.key"))
        assert tls.key_password is not None
        assert tls.key_password() == "x"
