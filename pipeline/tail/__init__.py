"""`headrace tail`: records as they arrive. follow.py reads them, show.py writes them for a person or a program."""

from pipeline.tail.follow import Follow, follow
from pipeline.tail.show import plain, readable

__all__ = ["Follow", "follow", "plain", "readable"]
