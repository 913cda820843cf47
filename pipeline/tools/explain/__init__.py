"""`headrace explain`: one message through every hop, without a broker.

explanation.py  what is said of one message
trace.py        which feed brings it, the way it takes, its end
routes.py       the way of a feed with routes
networks.py     the way of a feed with a dialect; heard.py: what the network says with it
verdict.py      the real stages, and what they made of it
reader.py       what takes a message: plans and decoder
fields.py       what a payload held, and which of it nothing takes
text.py         the same for a person; network_text.py: of it, what a network says
"""

from pipeline.tools.explain.explanation import Explanation
from pipeline.tools.explain.fields import as_json
from pipeline.tools.explain.text import text
from pipeline.tools.explain.trace import explain

__all__ = ["Explanation", "as_json", "explain", "text"]
