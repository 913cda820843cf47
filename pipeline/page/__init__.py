"""The status page: what this worker does, to look at in a browser, on this machine or wherever a token allows.

newest.py and letters.py listen, history.py remembers five minutes, snapshot.py makes one document a second of all, and
server.py answers. static/ is what the browser gets: no library, no build, nothing from elsewhere.
"""

from pipeline.page.about import about
from pipeline.page.letters import Letters
from pipeline.page.newest import Newest
from pipeline.page.server import Page
from pipeline.page.snapshot import Sources

__all__ = ["Letters", "Newest", "Page", "Sources", "about"]
