"""A producer whose place was taken goes on under a new id; SIGKILL just then."""

from collections.abc import Callable

import pytest

from tests.faults.fence import fence
from tests.faults.rig import KILLED, Rig

pytestmark = [pytest.mark.real, pytest.mark.fault]


def test_a_rebuild_and_a_sigkill_during_one(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig()
    rig.start()
    rig.load.wait_for(1000)
    fence(rig.kafka, rig.topic)
    rig.wait(lambda: rig.worker.metric("headrace_producer_rebuilds_total") > 0, "a rebuild")
    rig.faults.append(f"after {rig.load.acknowledged}: fenced")
    before = rig.published()
    rig.wait(lambda: rig.published() > before + 1000, "records after the rebuild")
    assert rig.stop_worker() == 0

    rig.arm("during_rebuild")
    rig.worker.start(timeout=180)
    rig.wait(lambda: rig.published() > 1000, "records of this life")
    fence(rig.kafka, rig.topic)
    life = rig.wait_death()
    assert rig.worker.process.exit_code == KILLED, rig.worker.process.tail()
    rig.fault("fenced, SIGKILL at during_rebuild", life)
    rig.arm("")
    rig.worker.start(timeout=180)
    rig.load.wait_for(500)

    rig.finish("SIGKILL at during_rebuild").assert_good()
