"""The MQTT feed on a real Mosquitto: every transport and version, sessions, subscriptions, retained messages."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.addresses import Tls
from pipeline.core.delivery import Ledger
from pipeline.core.errors import StartError
from pipeline.feeds.mqtt.feed import MqttFeed
from pipeline.feeds.mqtt.options import MqttOptions, Transport, Trouble, Version
from tests.pipeline.feeds.scripted_broker import LOOPS, Collector, Events, payloads, until
from tests.support.certs import Certificates
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_client import publish
from tests.support.ports import LOOPBACK

pytestmark = pytest.mark.real
Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    chosen: Run = request.param
    return chosen


@pytest.fixture(params=["3.1.1", "5"])
def version(request: pytest.FixtureRequest) -> Version:
    chosen: Version = request.param
    return chosen


class Reading:
    """A feed that runs, with what it brought."""

    def __init__(self, options: MqttOptions) -> None:
        self.ledger, self.events, self.out = Ledger(), Events(), Collector()
        self.feed = MqttFeed("test", options, self.ledger, self.events)
        self.task = asyncio.create_task(self.feed.run(self.out))

    async def up(self) -> None:
        await until(lambda: bool(self.events.up) or self.task.done())
        if self.task.done():
            await self.task

    async def cancel(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError, StartError):
            await self.task


@asynccontextmanager
async def reading(options: MqttOptions) -> AsyncIterator[Reading]:
    made = Reading(options)
    try:
        await made.up()
        yield made
        made.out.seal()
        made.feed.stop_reading()
        await made.feed.disconnect()
        await made.task
        assert made.ledger.conserved()
    finally:
        await made.cancel()


def options_for(broker: Mosquitto, tenant: str, version: Version, **changes: Any) -> MqttOptions:
    made = MqttOptions(
        host=LOOPBACK,
        port=broker.port,
        client_id=tenant,
        subscriptions=((f"{tenant}/#", 1),),
        version=version,
        backoff=(0.1, 0.3),
    )
    return replace(made, **changes)


@pytest.fixture(params=["tcp", "tls", "mtls", "websockets", "websockets over tls"])
def way(
    request: pytest.FixtureRequest, mosquitto: Mosquitto, certificates: Certificates
) -> tuple[int, Transport, Tls | None]:
    plain = Tls(ca_file=certificates.ca)
    mutual = replace(plain, cert_file=certificates.client.certificate, key_file=certificates.client.key)
    ways: dict[str, tuple[int, Transport, Tls | None]] = {
        "tcp": (mosquitto.port, "tcp", None),
        "tls": (mosquitto.tls_port, "tcp", plain),
        "mtls": (mosquitto.mtls_port, "tcp", mutual),
        "websockets": (mosquitto.ws_port, "websockets", None),
        "websockets over tls": (mosquitto.wss_port, "websockets", plain),
    }
    return ways[request.param]


def test_messages_come_over_every_transport(
    run: Run, version: Version, way: tuple[int, Transport, Tls | None], mosquitto: Mosquitto, tenant: str
) -> None:
    port, transport, tls = way
    sent = [(f"{tenant}/{n % 7}", b"%d:" % n + b"x" * (n * 37 % 900)) for n in range(200)]

    async def main() -> None:
        options = options_for(mosquitto, tenant, version, port=port, transport=transport, tls=tls, max_in_flight=8)
        async with reading(options) as made:
            publishing = asyncio.create_task(asyncio.to_thread(publish, mosquitto.port, sent))
            while len(made.out.messages) < len(sent):
                await made.out.wait_for(len(made.out.messages) + 1)
                assert made.ledger.in_flight() <= 8
                made.out.seal()
            await publishing
            assert [(message.topic, message.payload) for message in made.out.messages] == sent
            await until(lambda: made.ledger.acknowledged == 200)

    run(main())


def test_the_session_resumes_with_what_was_not_acknowledged(
    run: Run, version: Version, mosquitto: Mosquitto, tenant: str
) -> None:
    async def main() -> None:
        options = options_for(mosquitto, tenant, version)
        killed = Reading(options)
        await killed.up()
        await asyncio.to_thread(publish, mosquitto.port, [(f"{tenant}/a", b"1")])
        await killed.out.wait_for(1)
        killed.out.seal()
        await asyncio.to_thread(publish, mosquitto.port, [(f"{tenant}/a", b"2")])
        await killed.out.wait_for(2)
        await killed.cancel()
        await asyncio.to_thread(publish, mosquitto.port, [(f"{tenant}/a", b"3")])
        async with reading(options) as made:
            assert payloads(await made.out.wait_for(2)) == [b"2", b"3"]
            assert made.events.sessions_lost == 0

    run(main())


def test_a_changed_config_changes_the_sessions_subscriptions(
    run: Run, version: Version, mosquitto: Mosquitto, tenant: str, tmp_path: Path
) -> None:
    async def main() -> None:
        options = options_for(mosquitto, tenant, version, state_file=tmp_path / "state.json")
        async with reading(replace(options, subscriptions=((f"{tenant}/a/#", 1), (f"{tenant}/b/#", 1)))):
            pass
        async with reading(replace(options, subscriptions=((f"{tenant}/b/#", 1), (f"{tenant}/c/#", 1)))) as made:
            await until(lambda: f"{tenant}/a/#" not in (tmp_path / "state.json").read_text())
            sent = [(f"{tenant}/{level}/x", level.encode()) for level in "abc"]
            await asyncio.to_thread(publish, mosquitto.port, sent)
            assert payloads(await made.out.wait_for(2)) == [b"b", b"c"]
            await asyncio.sleep(0.1)
            assert len(made.out.messages) == 2

    run(main())


def test_retained_messages_are_marked(run: Run, version: Version, mosquitto: Mosquitto, tenant: str) -> None:
    async def main() -> None:
        await asyncio.to_thread(publish, mosquitto.port, [(f"{tenant}/kept", b"old", True)])
        async with reading(options_for(mosquitto, tenant, version)) as made:
            await made.out.wait_for(1)
            await asyncio.to_thread(publish, mosquitto.port, [(f"{tenant}/now", b"new")])
            old, new = await made.out.wait_for(2)
            assert (old.payload, old.retained, new.payload, new.retained) == (b"old", True, b"new", False)
        await asyncio.to_thread(publish, mosquitto.port, [(f"{tenant}/kept", b"", True)])

    run(main())


def test_a_shared_subscription_passes_through(run: Run, version: Version, mosquitto: Mosquitto, tenant: str) -> None:
    async def main() -> None:
        subscriptions = ((f"$share/group/{tenant}/#", 1),)
        async with reading(options_for(mosquitto, tenant, version, subscriptions=subscriptions)) as made:
            await asyncio.to_thread(publish, mosquitto.port, [(f"{tenant}/a", b"1")])
            assert [message.topic for message in await made.out.wait_for(1)] == [f"{tenant}/a"]

    run(main())


def test_a_broker_that_is_restarted_is_found_again(
    run: Run, version: Version, new_mosquitto: Callable[..., Mosquitto], tenant: str
) -> None:
    broker = new_mosquitto()

    async def main() -> None:
        async with reading(options_for(broker, tenant, version)) as made:
            await asyncio.to_thread(broker.restart)
            await until(lambda: made.events.up == [True, False, True])
            assert made.events.sessions_lost == 0
            await asyncio.to_thread(publish, broker.port, [(f"{tenant}/a", b"1")])
            await made.out.wait_for(1)
            made.out.seal()
            await asyncio.to_thread(broker.forget)
            await until(lambda: made.events.sessions_lost == 1 and made.events.up[-1])

    run(main())


def test_wrong_credentials_and_wrong_certificates_end_the_first_start(
    version: Version, new_mosquitto: Callable[..., Mosquitto], certificates: Certificates, tenant: str
) -> None:
    broker = new_mosquitto(users={"city": "right"}, certificates=certificates)

    async def main() -> None:
        options = options_for(broker, tenant, version, username="city", password=lambda: "wrong")
        with pytest.raises(StartError, match="user city"):
            await Reading(options).task
        stranger = Tls(ca_file=certificates.other_authority.file)
        with pytest.raises(StartError, match="not trusted"):
            await Reading(replace(options, port=broker.tls_port, tls=stranger)).task
        async with reading(replace(options, password=lambda: "right")):
            pass

    asyncio.run(main())


def test_a_certificate_that_was_rotated_is_used_by_the_next_connection(
    version: Version, new_mosquitto: Callable[..., Mosquitto], tmp_path: Path, tenant: str
) -> None:
    own = Certificates(tmp_path / "own")
    broker, client = new_mosquitto(certificates=own), own.authority.issue("rotated")
    tls = Tls(own.ca, client.certificate, client.key)

    async def main() -> None:
        async with reading(options_for(broker, tenant, version, port=broker.mtls_port, tls=tls)) as made:
            client.become(own.client_wrong_authority)
            await asyncio.to_thread(broker.restart)
            await until(lambda: Trouble.UNTRUSTED in made.events.troubles)
            client.become(own.client)
            await until(lambda: made.events.up[-1])

    asyncio.run(main())
