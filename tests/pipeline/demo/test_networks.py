"""What the demo's servers and gateways write is what they would: the dialects that read it know nothing of the demo."""

from itertools import pairwise

from pipeline.config.feeds import chosen, dialects
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.strict_json import document
from pipeline.demo.city import City
from pipeline.demo.devices import KINDS, PUBLISHED, CityDevice, Spoken
from pipeline.demo.lorawan import Air, ChirpStack, CityGateway, CityNode, Quirk, TheThingsStack
from pipeline.lorawan.crypto import Keys
from pipeline.lorawan.frame_counter import REMEMBERED
from pipeline.lorawan.phy_payload import DataUp, JoinRequest, parse
from pipeline.sdk.dialect import Event, Frame, Said
from pipeline.sdk.uplink import Uplink

NOW = 1_795_000_000_123
PAYLOAD = b"\x01\x75\x5c\x00\xff"


def node(network: str, quirk: Quirk | None = None) -> CityNode:
    return CityNode(CityDevice(next(kind for kind in KINDS if kind.network == network), 3), quirk)


def read(spoken: Spoken) -> Said:
    """Let the one dialect that recognises a message read it."""
    fields = document(spoken.payload) if spoken.payload[:1] == b"{" else None
    known = [each for each in chosen("auto") if each.recognises(spoken.topic, spoken.payload, fields)]
    dialect = known[0] if known else dialects()["chirpstack_gateway"]
    assert len(known) <= 1
    (said,) = dialect.reader(spoken.topic)(spoken.payload, NOW)
    return said


def test_one_uplink_is_the_same_through_all_three_forms_of_the_servers() -> None:
    ways = (
        ("chirpstack_json", ChirpStack(json=True)),
        ("chirpstack_protobuf", ChirpStack(json=False)),
        ("the_things_stack", TheThingsStack()),
    )
    for name, server in ways:
        device = node(name)
        *_, last = server.say(device, PAYLOAD, NOW, PUBLISHED)
        said = read(last)
        assert isinstance(said, Uplink), name
        assert (said.payload, said.port, said.time) == (PAYLOAD, device.device.kind.port, NOW)
        assert (said.device, said.dev_addr, said.f_cnt) == (device.dev_eui, device.session.dev_addr, 5000)
        (reception,) = said.receptions()
        assert (reception.rssi, reception.snr) == (-87, 8.5)


def test_chirpstack_tells_joins_and_status_in_both_forms() -> None:
    for name, json in (("chirpstack_json", True), ("chirpstack_protobuf", False)):
        device = node(name)
        heard = [read(each) for _ in range(11) for each in _turn(ChirpStack(json=json), device)]
        events = [each for each in heard if isinstance(each, Event)]
        assert [each.kind for each in events] == ["join", "status"]
        assert events[0].details["devAddr"] == device.session.dev_addr
        assert events[1].state == {"batteryLevel": 0.875}
        counts = [each.f_cnt for each in heard if isinstance(each, Uplink)]
        assert counts == list(range(5000, 5011))


def test_a_payload_that_its_server_cannot_decrypt_is_refused_as_such() -> None:
    for name, json in (("chirpstack_json", True), ("chirpstack_protobuf", False)):
        *_, last = ChirpStack(json=json).say(node(name, Quirk.ENCRYPTED), PAYLOAD, NOW, PUBLISHED)
        try:
            read(last)
        except PayloadError as refusal:
            assert refusal.reason is Reason.ENCRYPTED
        else:
            raise AssertionError(name)


def test_a_frame_is_its_devices_own_and_hides_its_payload() -> None:
    device = node("gateways")
    first, *copies = Air([CityGateway("0016c001f1500812", 3.7, 51.0)]).say(device, PAYLOAD, NOW, PUBLISHED)
    said = read(first)
    assert isinstance(said, Frame)
    assert not copies
    assert PAYLOAD not in said.phy_payload
    assert (said.data_rate, said.crc_ok, said.reception.gateway) == ("SF7BW125", True, "0016c001f1500812")
    assert said.reception.rssi is not None
    frame, keys = parse(said.phy_payload), Keys(device.session)
    assert isinstance(frame, DataUp)
    assert keys.verifies(frame, 5000)
    assert keys.payload(frame, 5000) == PAYLOAD
    assert not keys.verifies(frame, 5001)
    other = Keys(CityNode(device.device).session)
    assert not other.verifies(frame, 5000)


def test_what_two_gateways_hear_of_a_frame_are_copies() -> None:
    device = node("gateways")
    air = Air([CityGateway("0016c001f1500812", 3.7, 51.0), CityGateway("0016c001f15009a4", 3.7, 51.0)])
    turns = [[read(each) for each in _turn(air, device)] for _ in range(40)]
    assert {len(turn) for turn in turns} == {1, 2}
    for turn in turns:
        frames = [each for each in turn if isinstance(each, Frame)]
        assert len(frames) == len(turn)
        for one, other in pairwise(frames):
            assert (one.phy_payload, one.frequency, one.data_rate) == (other.phy_payload, other.frequency, "SF7BW125")
            assert one.reception.gateway != other.reception.gateway
    assert len({frame.phy_payload for turn in turns for frame in turn if isinstance(frame, Frame)}) == 40


def test_a_device_that_asks_to_join_names_itself() -> None:
    device = node("gateways", Quirk.JOINING)
    said = read(next(Air([CityGateway("0016c001f1500812", 3.7, 51.0)]).say(device, PAYLOAD, NOW, PUBLISHED)))
    assert isinstance(said, Frame)
    frame = parse(said.phy_payload)
    assert isinstance(frame, JoinRequest)
    assert frame.dev_eui == device.dev_eui


def test_what_is_replayed_never_catches_up_with_the_device() -> None:
    device = node("gateways", Quirk.REPLAYED)
    air = Air([CityGateway("0016c001f1500812", 3.7, 51.0)])
    frames = [read(each) for _ in range(2000) for each in _turn(air, device)]
    parsed = [parse(frame.phy_payload) for frame in frames if isinstance(frame, Frame)]
    first, *old = [frame.f_cnt for frame in parsed if isinstance(frame, DataUp)]
    assert len(old) == 1999
    assert max(old) < first - REMEMBERED


def test_a_gateway_tells_what_it_has_heard() -> None:
    gateway = City().gateways[0]
    list(Air([gateway]).say(node("gateways"), PAYLOAD, NOW, PUBLISHED))
    list(Air([gateway]).say(node("gateways", Quirk.COLLIDING), PAYLOAD, NOW, PUBLISHED))
    told = [read(each) for _ in range(5) for each in gateway.say(NOW)]
    assert all(isinstance(each, Event) and each.gateway == gateway.eui for each in told)
    state, stats = told
    assert isinstance(state, Event)
    assert isinstance(stats, Event)
    assert (state.kind, state.state) == ("gateway_state", {"deviceState": "ONLINE"})
    assert (stats.kind, stats.packets, stats.location) == ("gateway_stats", (2, 1), (3.7250, 51.0537, 40.0))


def _turn(network: ChirpStack | TheThingsStack | Air, device: CityNode) -> list[Spoken]:
    said = list(network.say(device, PAYLOAD, NOW, PUBLISHED))
    device.turn += 1
    return said
