"""Errors, by their reader: a developer, an operator, or the consumer of dead letters.

    HeadraceError                 everything this program raises on purpose; the text is a sentence for its reader
    ├── ConfigError               an operator's mistake; found before start, all of them at once
    ├── StartError                a part outside us (broker, Kafka, topic, file) is not as the config says
    ├── PayloadError              a device's bytes are not what its data sheet says; the message becomes a dead letter
    └── DeliveryError             a bug of ours: a message was sealed twice or never received; never caught

A message that cannot be used is no exception to anyone downstream: it becomes a record of the dead-letter topic with a
`Reason` from the closed list below.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal


class HeadraceError(Exception):
    """Base of all errors raised on purpose."""


class ConfigError(HeadraceError):
    """The configuration cannot be used; the text lists every finding with its path, line, value and fix."""


class StartError(HeadraceError):
    """Something outside this process is not as the configuration says."""


class DeliveryError(HeadraceError):
    """The delivery contract was broken by our own code; continuing could lose messages."""


class Reason(Enum):
    """Why a message became a dead letter; the closed list shared by records, metrics and documentation.

    Each member's value is the name on the wire; `explanation` is for a person, and says how to mend it.
    """

    explanation: str

    NO_ROUTE = "no_route", "No route of the feed matches the topic. Add a route, or `ignore: true` on one that matches."
    TOPIC_INVALID = (
        "topic_invalid",
        "The MQTT topic is not valid UTF-8, or holds wildcards or control characters. Mend the device.",
    )
    PACKET_INVALID = (
        "packet_invalid",
        "The broker sent a PUBLISH that breaks MQTT's rules; the value is that packet. Mend the broker or the sender.",
    )
    PAYLOAD_TOO_LARGE = "payload_too_large", "The payload is larger than `max_payload`. Raise it, or mend the device."
    MALFORMED = "malformed", "The payload is not valid JSON (RFC 8259, UTF-8). NaN, Infinity and a BOM are not JSON."
    TOO_DEEP = "too_deep", "The JSON is nested deeper than 32 levels; no reading needs that."
    DUPLICATE_KEY = "duplicate_key", "One JSON object holds a key twice, so which value is meant is unknown."
    NOT_AN_OBJECT = "not_an_object", "The payload is JSON, but not an object with fields. Name a format on the route."
    TOO_EXPENSIVE = (
        "too_expensive",
        "One message holds more than is handled at once; the headers say of what. Let the device send less in each.",
    )
    PAYLOAD_ERROR = (
        "payload_error",
        "The connector's or format's decoder refused the payload; the headers say why.",
    )
    CONNECTOR_FAILED = "connector_failed", "The connector's decoder failed unexpectedly: a bug in it. Tell its owner."
    DEVICE_MISSING = "device_missing", "The field or topic level that names the device is absent or empty."
    DEVICE_INVALID = "device_invalid", "The device's name is no string or integer, too long, or has control characters."
    TIME_INVALID = "time_invalid", "The field that `observed_at` names is absent or is no time in the stated unit."
    LOCATION_MISSING = "location_missing", "The model requires a location and the message brought none."
    LOCATION_INVALID = "location_invalid", "The coordinates are no WGS84 position (longitude first), or are 0,0."
    LOCATION_OUTSIDE = "location_outside", "The position lies outside `area`. Mend the device, or widen the area."
    NOTHING_MEASURED = "nothing_measured", "None of the connector's attributes is in the payload."
    OUT_OF_BOUNDS = "out_of_bounds", "Every attribute was of a wrong type or outside what its model allows."
    DIALECT_UNKNOWN = "dialect_unknown", "No dialect recognises the message. Name it, or mend the topics."
    ENCRYPTED = "encrypted", "The payload is still encrypted: give the network server the AppSKey."
    DEVICE_UNKNOWN = "device_unknown", "The device is not in the registry. Add it, or write `unknown_devices: accept`."
    CONNECTOR_UNKNOWN = "connector_unknown", "Nothing says which connector decodes the device. Name it in the registry."
    FRAME_INVALID = "frame_invalid", "The bytes are no LoRaWAN frame (LoRaWAN 1.0.4 or 1.1, clause 4)."
    CRC_INVALID = "crc_invalid", "The gateway heard the frame with a wrong checksum: noise, or a collision."
    MIC_INVALID = "mic_invalid", "No session of that DevAddr has keys that fit the frame's MIC. Check its keys."
    F_CNT_INVALID = "f_cnt_invalid", "The frame counter went back, or came again: a replay, or a device that was reset."
    RECORD_TOO_LARGE = (
        "record_too_large",
        "Larger than the topic's max.message.bytes (raise it) or 64 KiB (mend the device).",
    )
    RECORD_REFUSED = "record_refused", "Kafka refused this one record for good; the error's name is in the headers."
    INTERNAL_ERROR = "internal_error", "Headrace itself failed on this message: a bug of ours. Please report it."
    CRASH_LOOP = "crash_loop", "This message was being handled when the process died, twice. Report it as a bug."

    def __new__(cls, value: str, explanation: str) -> Reason:
        """Keep the name as the value, and the explanation beside it."""
        member = object.__new__(cls)
        member._value_ = value
        member.explanation = explanation
        return member


Refused = Literal["filter", "dead_letter"]
"""What becomes of something that is refused: it is counted, and as a dead letter it is kept, too."""


class PayloadError(HeadraceError):
    """A device's payload is not what its data sheet says.

    A connector raises it with a sentence (expected, got); nothing else may escape from a connector.
    """

    def __init__(self, detail: str, reason: Reason = Reason.PAYLOAD_ERROR) -> None:
        super().__init__(detail)
        self.reason = reason


def as_refusal(error: Exception) -> PayloadError:
    """Return what stops one message; whatever is not a PayloadError is a bug of ours, and costs that message only."""
    if isinstance(error, PayloadError):
        return error
    return PayloadError(f"{type(error).__name__}: {error}", Reason.INTERNAL_ERROR)
