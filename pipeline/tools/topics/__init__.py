"""`headrace topics`: what Kafka must have before a worker starts, ready to apply.

topic_plan.py  every topic and every right, from the configuration
write.py       the same as a table, a shell script, or Strimzi's resources
"""

from pipeline.tools.topics.topic_plan import Plan, plan
from pipeline.tools.topics.write import WRITERS

__all__ = ["WRITERS", "Plan", "plan"]
