"""`headrace replay`: dead letters through the present configuration again.

letter.py    a dead letter read back: the message that it was
replayed.py  which ones are done, in a small file
attempt.py   the real stages, and what becomes of each letter
report.py    the counts, and the same for a person
session.py   from the topic through all of them
"""

from pipeline.tools.replay.session import ReplayReport, ReplaySelection, plain, replay, text

__all__ = ["ReplayReport", "ReplaySelection", "plain", "replay", "text"]
