"""SIGKILL of the worker: under load at any moment, and at each named place."""

import random
from collections.abc import Callable

import pytest

from tests.faults.rig import KILLED, Rig

pytestmark = [pytest.mark.real, pytest.mark.fault, pytest.mark.timeout(180)]
KILLS = 10


def test_ten_sigkills_under_load(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig()
    chance = random.Random(10)
    rig.start()
    for _ in range(KILLS):
        rig.load.wait_for(chance.randint(1000, 4000))
        rig.kill_worker()
        rig.worker.start()

    rig.finish(f"{KILLS} SIGKILLs of the worker").assert_good()


# The visit is the one at which messages of the load certainly stand in every part before it.
@pytest.mark.parametrize(
    "place", ["after_read:40", "after_put:40", "after_chunk_sent:15", "after_confirm:15", "before_ack_write:15"]
)
def test_sigkill_at(place: str, new_rig: Callable[..., Rig]) -> None:
    die_at(place, new_rig())


def test_sigkill_at_half_an_ack_write(new_rig: Callable[..., Rig]) -> None:
    die_at("half_ack_write:15", new_rig())


def die_at(place: str, rig: Rig) -> None:
    rig.start()
    rig.load.wait_for(1000)
    rig.kill_worker()
    rig.arm(place)
    rig.worker.start(wait=False)
    life = rig.wait_death()
    assert rig.worker.process.exit_code == KILLED, rig.worker.process.tail()
    rig.fault(f"SIGKILL at {place}", life)
    rig.arm("")
    rig.load.wait_for(1000)
    rig.worker.start()
    rig.load.wait_for(1000)

    rig.finish(f"SIGKILL at {place.partition(':')[0]}").assert_good()
