"""SIGKILL of the worker: under load at any moment, and at each named place."""

import random
from collections.abc import Callable

import pytest

from tests.faults.kills import kill_again_and_again
from tests.faults.rig import KILLED, Rig
from tests.support.checker import Verdict

pytestmark = [pytest.mark.real, pytest.mark.fault]
KILLS = 10


def test_ten_sigkills_under_load(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig()
    rig.start()
    kill_again_and_again(rig, KILLS, random.Random(KILLS))

    rig.finish(f"{KILLS} SIGKILLs of the worker").assert_good()


# The visit is one at which messages of the load certainly stand in every part before the place.
@pytest.mark.parametrize("place", ["after_read:40", "after_put:40", "after_chunk_sent:15"])
def test_sigkill_before_kafka_answered(place: str, new_rig: Callable[..., Rig]) -> None:
    die_at(place, new_rig()).assert_good()


@pytest.mark.parametrize("place", ["after_confirm:15", "before_ack_write:15", "half_ack_write:15"])
def test_sigkill_before_the_source_was_told(place: str, new_rig: Callable[..., Rig]) -> None:
    verdict = die_at(place, new_rig())

    verdict.assert_good()
    assert verdict.counts.duplicated > 0, "Kafka had confirmed messages that the source was not told of"


def die_at(place: str, rig: Rig) -> Verdict:
    rig.arm(place)
    rig.worker.start(timeout=180)
    rig.load.start()
    life = rig.wait_death()
    # We have sent no signal: the worker has killed itself at its failpoint.
    assert rig.worker.process.exit_code == KILLED, rig.worker.process.tail()
    rig.fault(f"SIGKILL at {place}", life)
    rig.arm("")
    rig.load.wait_for(1000)
    rig.worker.start(timeout=180)
    rig.load.wait_for(1000)
    return rig.finish(f"SIGKILL at {place.partition(':')[0]}")
