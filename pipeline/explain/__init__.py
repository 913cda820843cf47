"""`headrace explain`: one message through every hop, without a broker.

explanation.py  what is said of one message
trace.py        the real stages, and what they made of it
reader.py       what takes the messages of a route
fields.py       what a payload held, and which of it nothing takes
text.py         the same for a person
"""

from pipeline.explain.explanation import Explanation
from pipeline.explain.text import text
from pipeline.explain.trace import explain

__all__ = ["Explanation", "explain", "text"]
