"""`headrace explain`: one message through every hop, without a broker.

explanation.py  what is said of one message, and what the real stages made of it
trace.py        which feed brings it, the way of a feed with routes, its end
network.py      the way of a feed with a dialect: what the network says with it
fields.py       what a payload held, what takes it, and what nothing takes
text.py         the same for a person
"""

from pipeline.tools.explain.explanation import Explanation
from pipeline.tools.explain.fields import as_json
from pipeline.tools.explain.text import text
from pipeline.tools.explain.trace import explain

__all__ = ["Explanation", "as_json", "explain", "text"]
