"""`headrace tail`: records as they arrive. follow.py reads them, show.py writes them for a person or a program."""

from pipeline.tools.tail.follow import Follow, follow
from pipeline.tools.tail.show import plain, readable

__all__ = ["Follow", "follow", "plain", "readable"]
