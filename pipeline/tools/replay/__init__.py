"""`headrace replay`: dead letters through the present configuration again.

session.py   from the topic through the real stages; a letter read back, and the counts of all
offsets.py   which letters are done, in a small file
"""

from pipeline.tools.replay.session import ReplayReport, ReplaySelection, plain, replay, text

__all__ = ["ReplayReport", "ReplaySelection", "plain", "replay", "text"]
