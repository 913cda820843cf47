"""What Kafka's answers mean for a batch of records.

The numbers are those of the Kafka protocol guide, "Error Codes". aiokafka knows only the codes below 80, so they stand
here, each with what the publisher does about it.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from pipeline.core.errors import Reason


class Action(Enum):
    """What to do with the batch that got this answer."""

    CONFIRMED = "confirmed"
    RETRY = "retry"  # the cluster is busy with itself: the very same bytes again, soon
    CORRUPT = "corrupt"  # damaged on the way, or one record is bad: the same bytes three times, then in halves
    REBUILD = "rebuild"  # the broker's memory of our sequence numbers is not ours: a new producer id
    RETIME = "retime"  # a clock is wrong: the same records under a time that Kafka has told, or under none
    REFUSED = "refused"  # at least one record can never be stored: halves, down to that one
    OPERATOR = "operator"  # a right, a topic or a setting is missing: keep, say so, try again slowly


CODES: Final[dict[int, tuple[str, Action]]] = {
    -1: ("UNKNOWN_SERVER_ERROR", Action.RETRY),
    0: ("NONE", Action.CONFIRMED),
    2: ("CORRUPT_MESSAGE", Action.CORRUPT),
    3: ("UNKNOWN_TOPIC_OR_PARTITION", Action.OPERATOR),
    5: ("LEADER_NOT_AVAILABLE", Action.RETRY),
    6: ("NOT_LEADER_OR_FOLLOWER", Action.RETRY),
    7: ("REQUEST_TIMED_OUT", Action.RETRY),
    8: ("BROKER_NOT_AVAILABLE", Action.RETRY),
    9: ("REPLICA_NOT_AVAILABLE", Action.RETRY),
    10: ("MESSAGE_TOO_LARGE", Action.REFUSED),
    13: ("NETWORK_EXCEPTION", Action.RETRY),
    14: ("COORDINATOR_LOAD_IN_PROGRESS", Action.RETRY),
    15: ("COORDINATOR_NOT_AVAILABLE", Action.RETRY),
    16: ("NOT_COORDINATOR", Action.RETRY),
    17: ("INVALID_TOPIC_EXCEPTION", Action.OPERATOR),
    18: ("RECORD_LIST_TOO_LARGE", Action.REFUSED),
    19: ("NOT_ENOUGH_REPLICAS", Action.RETRY),
    20: ("NOT_ENOUGH_REPLICAS_AFTER_APPEND", Action.RETRY),
    21: ("INVALID_REQUIRED_ACKS", Action.OPERATOR),
    29: ("TOPIC_AUTHORIZATION_FAILED", Action.OPERATOR),
    31: ("CLUSTER_AUTHORIZATION_FAILED", Action.OPERATOR),
    32: ("INVALID_TIMESTAMP", Action.RETIME),
    35: ("UNSUPPORTED_VERSION", Action.OPERATOR),
    37: ("INVALID_PARTITIONS", Action.OPERATOR),
    38: ("INVALID_REPLICATION_FACTOR", Action.OPERATOR),
    40: ("INVALID_CONFIG", Action.OPERATOR),
    41: ("NOT_CONTROLLER", Action.RETRY),
    42: ("INVALID_REQUEST", Action.OPERATOR),
    43: ("UNSUPPORTED_FOR_MESSAGE_FORMAT", Action.REFUSED),
    44: ("POLICY_VIOLATION", Action.OPERATOR),
    45: ("OUT_OF_ORDER_SEQUENCE_NUMBER", Action.REBUILD),
    46: ("DUPLICATE_SEQUENCE_NUMBER", Action.CONFIRMED),  # the log holds these very records already
    47: ("INVALID_PRODUCER_EPOCH", Action.REBUILD),
    49: ("INVALID_PRODUCER_ID_MAPPING", Action.REBUILD),
    51: ("CONCURRENT_TRANSACTIONS", Action.RETRY),
    53: ("TRANSACTIONAL_ID_AUTHORIZATION_FAILED", Action.OPERATOR),
    56: ("KAFKA_STORAGE_ERROR", Action.RETRY),
    59: ("UNKNOWN_PRODUCER_ID", Action.REBUILD),
    72: ("LISTENER_NOT_FOUND", Action.RETRY),
    74: ("FENCED_LEADER_EPOCH", Action.RETRY),
    75: ("UNKNOWN_LEADER_EPOCH", Action.RETRY),
    76: ("UNSUPPORTED_COMPRESSION_TYPE", Action.OPERATOR),
    87: ("INVALID_RECORD", Action.REFUSED),
    89: ("THROTTLING_QUOTA_EXCEEDED", Action.RETRY),
    90: ("PRODUCER_FENCED", Action.REBUILD),
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


def answer_of(code: int) -> Action:
    """Say what to do; an unknown code is tried again, since that cannot lose a record."""
    return CODES[code][1] if code in CODES else Action.RETRY


def maybe_stored(code: int) -> bool:
    """Say whether Kafka may hold the batch although it answered with an error."""
    return code in _PERHAPS or code not in CODES


def remedy(code: int, topic: str) -> str:
    """Say in one sentence what an operator can do about a code."""
    return _REMEDIES.get(code, "Look at Kafka's own log for topic {topic}.").format(topic=topic)


def reason_of(code: int) -> Reason:
    """Say why the one record that Kafka refused becomes a dead letter."""
    return Reason.RECORD_TOO_LARGE if code in TOO_LARGE else Reason.RECORD_REFUSED
