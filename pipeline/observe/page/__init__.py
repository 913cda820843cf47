"""The status page: what this worker does, to look at in a browser, on this machine or wherever a token allows.

newest.py and letters.py listen, history.py remembers five minutes, snapshot.py makes one document a second of all, and
server.py answers. static/ is what the browser gets: no library, no build, nothing from elsewhere.
"""

from pipeline.observe.page.about import about
from pipeline.observe.page.letters import Letters
from pipeline.observe.page.newest import Newest
from pipeline.observe.page.server import Page
from pipeline.observe.page.snapshot import Sources

__all__ = ["Letters", "Newest", "Page", "Sources", "about"]
