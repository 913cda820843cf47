"""The status page: what this worker does, to look at in a browser, on this machine or wherever a token allows.

recent.py listens and remembers five minutes, snapshot.py makes one document of all a second, and server.py answers.
static/ is what the browser gets: no library, no build, nothing from elsewhere.
"""

from pipeline.observe.page.recent import LatestEntities, RecentDeadLetters
from pipeline.observe.page.server import StatusPage
from pipeline.observe.page.snapshot import Sources, about

__all__ = ["LatestEntities", "RecentDeadLetters", "Sources", "StatusPage", "about"]
