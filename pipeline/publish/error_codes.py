"""What Kafka's answers mean for a batch of records.

The numbers are those of the Kafka protocol guide, "Error Codes". aiokafka knows only the codes below 80, so they stand
here, each with what the publisher does about it.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from pipeline.core.errors import Reason


class Answer(Enum):
    """What to do with the batch that got this answer."""

    CONFIRMED = "confirmed"
    RETRY = "retry"  # the cluster is busy with itself: the very same bytes again, soon
    CORRUPT = "corrupt"  # damaged on the way, or one record is bad: the same bytes three times, then in halves
    REBUILD = "rebuild"  # the broker's memory of our sequence numbers is not ours: a new producer id
    RETIME = "retime"  # a clock is wrong: the same records under a time that Kafka has told, or under none
    REFUSED = "refused"  # at least one record can never be stored: halves, down to that one
    OPERATOR = "operator"  # a right, a topic or a setting is missing: keep, say so, try again slowly


CODES: Final[dict[int, tuple[str, Answer]]] = {
    -1: ("UNKNOWN_SERVER_ERROR", Answer.RETRY),
    0: ("NONE", Answer.CONFIRMED),
    2: ("CORRUPT_MESSAGE", Answer.CORRUPT),
    3: ("UNKNOWN_TOPIC_OR_PARTITION", Answer.OPERATOR),
    5: ("LEADER_NOT_AVAILABLE", Answer.RETRY),
    6: ("NOT_LEADER_OR_FOLLOWER", Answer.RETRY),
    7: ("REQUEST_TIMED_OUT", Answer.RETRY),
    8: ("BROKER_NOT_AVAILABLE", Answer.RETRY),
    9: ("REPLICA_NOT_AVAILABLE", Answer.RETRY),
    10: ("MESSAGE_TOO_LARGE", Answer.REFUSED),
    13: ("NETWORK_EXCEPTION", Answer.RETRY),
    14: ("COORDINATOR_LOAD_IN_PROGRESS", Answer.RETRY),
    15: ("COORDINATOR_NOT_AVAILABLE", Answer.RETRY),
    16: ("NOT_COORDINATOR", Answer.RETRY),
    17: ("INVALID_TOPIC_EXCEPTION", Answer.OPERATOR),
    18: ("RECORD_LIST_TOO_LARGE", Answer.REFUSED),
    19: ("NOT_ENOUGH_REPLICAS", Answer.RETRY),
    20: ("NOT_ENOUGH_REPLICAS_AFTER_APPEND", Answer.RETRY),
    21: ("INVALID_REQUIRED_ACKS", Answer.OPERATOR),
    29: ("TOPIC_AUTHORIZATION_FAILED", Answer.OPERATOR),
    31: ("CLUSTER_AUTHORIZATION_FAILED", Answer.OPERATOR),
    32: ("INVALID_TIMESTAMP", Answer.RETIME),
    35: ("UNSUPPORTED_VERSION", Answer.OPERATOR),
    37: ("INVALID_PARTITIONS", Answer.OPERATOR),
    38: ("INVALID_REPLICATION_FACTOR", Answer.OPERATOR),
    40: ("INVALID_CONFIG", Answer.OPERATOR),
    41: ("NOT_CONTROLLER", Answer.RETRY),
    42: ("INVALID_REQUEST", Answer.OPERATOR),
    43: ("UNSUPPORTED_FOR_MESSAGE_FORMAT", Answer.REFUSED),
    44: ("POLICY_VIOLATION", Answer.OPERATOR),
    45: ("OUT_OF_ORDER_SEQUENCE_NUMBER", Answer.REBUILD),
    46: ("DUPLICATE_SEQUENCE_NUMBER", Answer.CONFIRMED),  # the log holds these very records already
    47: ("INVALID_PRODUCER_EPOCH", Answer.REBUILD),
    49: ("INVALID_PRODUCER_ID_MAPPING", Answer.REBUILD),
    51: ("CONCURRENT_TRANSACTIONS", Answer.RETRY),
    53: ("TRANSACTIONAL_ID_AUTHORIZATION_FAILED", Answer.OPERATOR),
    56: ("KAFKA_STORAGE_ERROR", Answer.RETRY),
    59: ("UNKNOWN_PRODUCER_ID", Answer.REBUILD),
    72: ("LISTENER_NOT_FOUND", Answer.RETRY),
    74: ("FENCED_LEADER_EPOCH", Answer.RETRY),
    75: ("UNKNOWN_LEADER_EPOCH", Answer.RETRY),
    76: ("UNSUPPORTED_COMPRESSION_TYPE", Answer.OPERATOR),
    87: ("INVALID_RECORD", Answer.REFUSED),
    89: ("THROTTLING_QUOTA_EXCEEDED", Answer.RETRY),
    90: ("PRODUCER_FENCED", Answer.REBUILD),
}

TOO_LARGE: Final = frozenset({10, 18})

_PERHAPS: Final = frozenset({-1, 7, 13, 20, 56})
_REMEDIES: Final[dict[int, str]] = {
    3: "Create topic {topic} anew (`headrace topics CONFIG --format sh` prints how); the worker follows by itself.",
    17: "Topic {topic} is no valid topic's name: change the configuration.",
    29: "Grant this client's principal WRITE on topic {topic}.",
    31: "Grant this client's principal IDEMPOTENT_WRITE on the cluster, or set `idempotent: false`.",
    35: "Kafka does not know this request: it is too old, or too new for this version of aiokafka.",
    76: "Choose another `compression`: the brokers do not take this one.",
}


def name_of(code: int) -> str:
    """Name a code as the Kafka protocol guide does."""
    return CODES[code][0] if code in CODES else f"ERROR_{code}"


def answer_of(code: int) -> Answer:
    """Say what to do; a code nobody here knows is tried again, since that cannot lose a record."""
    return CODES[code][1] if code in CODES else Answer.RETRY


def maybe_stored(code: int) -> bool:
    """Say whether Kafka may hold the batch although it answered with an error."""
    return code in _PERHAPS or code not in CODES


def remedy(code: int, topic: str) -> str:
    """Say in one sentence what an operator can do about a code."""
    return _REMEDIES.get(code, "Look at Kafka's own log for topic {topic}.").format(topic=topic)


def reason_of(code: int) -> Reason:
    """Say why the one record that Kafka refused becomes a dead letter."""
    return Reason.RECORD_TOO_LARGE if code in TOO_LARGE else Reason.RECORD_REFUSED
