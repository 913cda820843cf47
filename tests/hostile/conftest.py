"""The rig of the fault tests serves the experiments here too."""

from tests.faults.conftest import bench, new_rig

__all__ = ["bench", "new_rig"]
