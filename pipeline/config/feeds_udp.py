"""`kind: semtech_udp` in the configuration: gateways whose packet forwarder sends straight to Headrace."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from pipeline.config.dialects import Deduplicate, FramePolicy, Preference
from pipeline.config.feeds import Route, check_kind
from pipeline.config.values import Listen, Section
from pipeline.core.errors import PayloadError
from pipeline.sdk.uplink import eui


def check_eui(text: str) -> str:
    """Read an EUI-64 in either case, with dashes or colons. Raises ValueError with a sentence."""
    try:
        return eui(text)
    except PayloadError:
        raise ValueError("is no EUI-64: write its 16 hex digits in quotes") from None


def check_network(text: str) -> str:
    """Hold a text against an address or a network in CIDR notation. Raises ValueError with a sentence."""
    try:
        ip_network(text)
    except ValueError:
        raise ValueError("is no address or network: write `192.0.2.7` or `192.0.2.0/24`, without host bits") from None
    return text


Eui = Annotated[str, AfterValidator(check_eui)]
Network = Annotated[str, AfterValidator(check_network)]


class SemtechUdpFeed(Section):
    """LoRaWAN gateways, straight from their packet forwarder (Semtech's UDP protocol)."""

    subscribe: ClassVar[tuple[str, ...]] = ("+/push_data", "+/tx_ack")
    routes: ClassVar[tuple[Route, ...]] = ()
    max_payload: ClassVar[int] = 65_535
    dialect: ClassVar[str] = "semtech_udp"

    kind: Annotated[Literal["semtech_udp"], BeforeValidator(check_kind)] = Field(examples=["semtech_udp"])
    """What sort of feed this is."""
    listen: Listen = Field(default="127.0.0.1:1700", examples=["127.0.0.1:1700"])
    """UDP address and port; beyond this machine only with `gateways` or `addresses`: nothing proves who sends."""
    gateways: tuple[Eui, ...] = Field(default=(), examples=[["0102030405060708"]])
    """The EUIs of the gateways that are listened to; absent, all. Whoever knows one can send in its name."""
    addresses: tuple[Network, ...] = Field(default=(), examples=[["192.0.2.0/24"]])
    """The addresses and networks that are listened to; absent, all."""
    max_in_flight: int = Field(default=5000, ge=1, le=65_535, examples=[5000])
    """How many datagrams may be under way; more are shed. Also how many a crash can lose: no gateway sends twice."""

    deduplicate: Deduplicate | None = Field(default=None, examples=[{"window": "500ms"}])
    """How the copies of one frame, heard by several gateways, become one uplink."""
    frames: FramePolicy | None = Field(default=None, examples=[{"unknown": "dead_letter"}])
    """With a dialect of gateways: what becomes of frames that are no uplinks of ours."""
    prefer: Preference | None = Field(default=None, examples=["server"])
    """Whom to publish when a device is heard through a server and raw; absent, both, under one `ce_id`."""

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """What `addresses` allows."""
        return tuple(ip_network(each) for each in self.addresses)
