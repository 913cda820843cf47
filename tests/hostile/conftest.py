"""The rig of the fault tests serves the experiments here too."""

from tests.faults.conftest import bench, living_kafka, mortal_kafka, new_rig

__all__ = ["bench", "living_kafka", "mortal_kafka", "new_rig"]
