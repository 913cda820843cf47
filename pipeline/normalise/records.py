"""From a payload to records: a compiled connector decodes it, its plans make records, and they leave with their batch.

One message may hold several readings, a reading may make entities of several models, and each may tell something of
the device itself; all of them share the message's fate. In the order of the way:

    CompiledConnector.decoded     a payload becomes readings
    CompiledConnector.records     readings become the MessageRecords of one message
    RecordBuffer                  the records of a batch go to the publisher; what is wrong becomes a dead letter
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pipeline.core.delivery import Batch, Delivery, Fate, Message, split_records
from pipeline.core.errors import PayloadError, Reason, as_refusal
from pipeline.core.field_path import WRAPPER, Fields
from pipeline.core.record import Record
from pipeline.devices.state import FRAMES, STATE, DeviceStates
from pipeline.encode.dead_letter import Refusals
from pipeline.encode.headers import crc32c, digest_of, recorded_header
from pipeline.normalise.decode import Envelope, named
from pipeline.normalise.plan import Plan, nothing_measured
from pipeline.sdk.connector import MOST_READINGS, Decoded, Uplink

MOST_MADE = 8 * 1024**2
"""Bytes of records that one message may become; the readings that would come after are refused."""


@dataclass(frozen=True, slots=True)
class CompiledConnector:
    """A vendor's connector on one feed: its decoder, and a plan for each observation.

    Attributes:
        decode: Makes readings of an uplink.
        plans: Make the entities of what is measured, the first observation's first.
        envelope: Where the bytes stand in a message of a route.
        device: Makes the entity of the device itself.
        states: What is known of each device.
        family: Makes the DeviceModel that each device refers to.
        network: Returns what a network knows of a device at the moment, asked when its Device entity is due.
    """

    decode: Callable[[Uplink], Decoded]
    plans: tuple[Plan, ...]
    envelope: Envelope = field(default_factory=Envelope)
    device: Plan | None = None
    states: DeviceStates | None = None
    family: Plan | None = None
    network: Callable[[Uplink], Mapping[str, Any]] | None = None

    @property
    def provenance(self) -> str:
        """The connector's name and version, for dead letters."""
        return self.plans[0].provenance

    @property
    def tells(self) -> bool:
        """Whether a reading may tell something of its device."""
        return self.states is not None and self.states.any

    @property
    def interval(self) -> int:
        """Milliseconds after which the Device is published again though unchanged."""
        return 0 if self.states is None else self.states.interval

    def readings(self, message: Message) -> Decoded:
        """Decode a message; raises as `decoded` does."""
        uplink, wrapper = self.envelope.open(message)
        decoded = self.decoded(uplink)
        if wrapper is None:
            return decoded
        if isinstance(decoded, Mapping):
            return {**decoded, WRAPPER: wrapper}
        return [{**reading, WRAPPER: wrapper} for reading in decoded]

    def decoded(self, uplink: Uplink) -> Decoded:
        """Return the readings of one uplink, held against what a connector may return.

        Raises:
            PayloadError: there is no payload, it is not what the data sheet says, or the connector failed.
        """
        if not uplink.payload and not uplink.fields:  # `int.from_bytes(b"")` is 0, and a decoder may take that for one
            raise PayloadError("Expected a payload, got none: the device measured nothing.", Reason.NOTHING_MEASURED)
        try:
            decoded = self.decode(uplink)
        except (PayloadError, KeyboardInterrupt):
            raise
        except BaseException as bug:  # the panic of a compiled decoder is no Exception
            raise self._failed(f"raised {type(bug).__name__}: {bug}") from bug
        return decoded if decoded.__class__ is dict else self.checked(decoded)

    def checked(self, decoded: object) -> Decoded:
        """Return what a connector returned: one reading, or a list of them.

        Raises:
            PayloadError: it is something else (`connector_failed`).
        """
        if isinstance(decoded, Mapping):
            return decoded
        if isinstance(decoded, Sequence) and len(decoded) > MOST_READINGS:
            raise self._failed(f"returned {len(decoded)} readings: expected at most {MOST_READINGS}")
        if not isinstance(decoded, Sequence) or not all(isinstance(reading, Mapping) for reading in decoded):
            raise self._failed(f"returned a {type(decoded).__name__}: expected a mapping of fields, or a list of them")
        return list(decoded)

    def _failed(self, what: str) -> PayloadError:
        return PayloadError(f"{self.plans[0].binding.name} {what}.", Reason.CONNECTOR_FAILED)

    def records(
        self,
        decoded: Decoded,
        message: Message,
        name: Callable[[str, Fields], object],
        uplink: Uplink | None = None,
    ) -> MessageRecords:
        """Make the records of all readings; a reading that cannot be used does not stop the others.

        Args:
            decoded: The readings.
            message: What brought them.
            name: Finds the device's name, in the topic or in a reading.
            uplink: What a network tells of the readings.
        """
        readings, digest = listed(decoded), self._digests(decoded, message, uplink)
        outcome = MessageRecords(message, several=len(readings) > 1, uplink=uplink)
        for number, fields in enumerate(readings, 1):
            try:
                outcome.digest = digest(fields)
                heard = self._reading(name(message.topic, fields), fields, outcome)
            except Exception as problem:  # noqa: BLE001 - nothing in a message may stop the ones beside it
                error = named(problem, self.plans[0].binding.device, fields)
                outcome.refuse(error, f"Reading {number} of {len(readings)}: " if outcome.several else "")
            else:
                outcome.heard = outcome.heard or heard
            if outcome.made > MOST_MADE and number < len(readings):
                outcome.stop(number, len(readings))
                break
        if readings and not outcome.records and not outcome.heard and outcome.refusal is None:
            outcome.refusal = nothing_measured([plan.slots for plan in self.plans], readings)
        return outcome

    def _digests(self, decoded: Decoded, message: Message, uplink: Uplink | None) -> Callable[[Fields], int]:
        """Return what makes the digest of each reading; pipeline/normalise/entity.py says of what it is.

        Of a list it is the whole payload's all the same where the time stands in what wraps it, and so is not a
        reading's own. Of an uplink it is the device's bytes, which are the same from every server.
        """
        observed = self.plans[0].binding.observed_at if self.plans else None
        wrapped = observed is not None and observed.path.steps[:1] == (WRAPPER,)
        payload = message.payload if uplink is None else uplink.payload
        if (not isinstance(decoded, Mapping) and not wrapped) or not payload:
            return digest_of
        whole = crc32c(payload)
        return lambda _: whole

    def _reading(self, name: object, fields: Fields, outcome: MessageRecords) -> bool:
        """Add a reading's records, and return whether it told anything of its device."""
        refusal: Exception | None = None
        for plan in self.plans:
            if plan.measures(fields):
                try:
                    outcome.add(plan, name, fields)
                except Exception as error:  # noqa: BLE001 - as above; the other observations may be right
                    refusal = refusal or error
        heard = self._device(name, fields, outcome)
        if refusal is not None:
            raise refusal
        return heard

    def _device(self, name: object, fields: Fields, outcome: MessageRecords) -> bool:
        if self.device is None or self.states is None:
            return False
        heard = self.states.heard(fields)
        if heard or outcome.records:  # what was measured refers to the Device, whatever that tells
            self.learn(name, heard, fields, outcome)
        return bool(heard)

    def learn(self, name: object, heard: Mapping[str, Any], fields: Fields, outcome: MessageRecords) -> None:
        """Add what was heard of a device to what is known, and its record to the outcome if that is due."""
        if self.device is None or self.states is None:
            return
        key, arrival = f"{self.device.provenance} {self.device.known(name).id}", outcome.message.arrival
        if not heard and not self.states.due(key, arrival):
            return
        learned = self.states.learn(key, dict(heard), arrival)
        outcome.changed = outcome.changed or learned.changed
        if not learned.due:
            return
        known = {} if self.network is None or outcome.uplink is None else self.network(outcome.uplink)
        state = {**learned.whole, **known}
        if "deviceState" in state and FRAMES in state:
            state[FRAMES] = f"{state['deviceState']}; {state[FRAMES]}"
        if state or outcome.records:
            self._family(self.states, outcome)
            outcome.add(self.device, name, {**fields, STATE: state})
            self.states.published(key, arrival)

    def _family(self, states: DeviceStates, outcome: MessageRecords) -> None:
        """Add the DeviceModel, before the first Device that refers to it, and with those that follow when it is due."""
        if self.family is not None:
            name, arrival = self.family.binding.name, outcome.message.arrival
            if states.due(name, arrival):
                outcome.add(self.family, name, {})
                states.published(name, arrival)


class MessageRecords:
    """What becomes of one message: its records, and the first thing that was wrong with it."""

    def __init__(self, message: Message, *, several: bool, uplink: Uplink | None = None) -> None:
        self.message = message
        self.several = several
        self.uplink = uplink
        self.records: list[Record] = []
        self.made = 0  # bytes of the records
        self.refusal: PayloadError | None = None
        self.digest = 0  # of the reading under way
        self.heard = False  # something of its device
        self.changed = False  # what is known of its device
        self._recorded = recorded_header(message.arrival)
        self._seen: dict[tuple[object, ...], int] = {}

    def add(self, plan: Plan, name: object, fields: Fields) -> None:
        """Make the record of one entity.

        Raises:
            PayloadError: nothing of it can be published.
        """
        entity = plan.known(name)
        told = plan.discriminator(fields, self.message.arrival, self.digest) if self.several else ()
        place = entity.id, *told
        index = self._seen.get(place, 0)  # those that would have one id: the second gets an index
        self._seen[place] = index + 1
        given = fields, entity, self.message, self._recorded, self.digest
        if self.several or index:
            record = plan.carefully(*given, index=index, uplink=self.uplink)
        else:
            record = plan.normalise(*given, uplink=self.uplink)
        entity.seen.last = self.message.arrival
        self.records.append(record)
        self.made += len(record.body)

    def stop(self, number: int, readings: int) -> None:
        """Refuse what is left behind reading `number`, before anything else that was wrong with the message."""
        self.refusal = PayloadError(
            f"Expected at most {MOST_MADE} bytes of records of one message, got {self.made} from the first {number} of "
            f"{readings} readings. Those are published, the rest are not.",
            Reason.TOO_EXPENSIVE,
        )

    def refuse(self, error: Exception, prefix: str) -> None:
        """Keep the first refusal: a message becomes one dead letter at most."""
        refusal = as_refusal(error)
        self.refusal = self.refusal or PayloadError(f"{prefix}{refusal}", refusal.reason)


def listed(decoded: Decoded) -> Sequence[Fields]:
    """Return what a decoder returned as a list of readings."""
    return [decoded] if isinstance(decoded, Mapping) else decoded


class RecordBuffer:
    """The records of one batch, in the order of its messages; those of neighbours that make one each travel together.

    Attributes:
        delivery: The batch's.
        records: Of messages that become one record each; the hot path adds to it.
    """

    def __init__(self, delivery: Delivery, refusals: Refusals) -> None:
        self.delivery = delivery
        self.records: list[Record] = []
        self._refusals = refusals

    def refuse(self, message: Message, error: Exception, stage: str, connector: str = "") -> None:
        """Let a message become a dead letter and nothing else.

        Args:
            message: The message.
            error: What is wrong with it: a PayloadError, or a bug of ours.
            stage: The hop that found out.
            connector: The connector's name@version, if one was chosen.
        """
        if self._refusals.first(message):
            self.records.append(self._refusals.letter(message, error, stage, connector))
        else:  # another frame of it has the letter
            self.delivery.seal(Fate.DEAD_LETTERED)

    def take(self, made: MessageRecords, connector: CompiledConnector) -> None:
        """Add all that one message became, with a dead letter if anything was wrong with it."""
        records = made.records
        if made.refusal is not None and not records and not made.changed:
            self.refuse(made.message, made.refusal, "normalise", connector.provenance)
            return
        if made.refusal is not None and self._refusals.first(made.message):
            letter = self._refusals.letter(made.message, made.refusal, "normalise", connector.provenance)
            records = [*records, letter]
        self.add(records, connector.states, changed=made.changed)

    def add(self, records: list[Record], states: DeviceStates | None, *, changed: bool = False) -> None:
        """Add the records of one message.

        A message that changed what is known of its device is acknowledged after that is kept, too. Else a crash in
        between would bring back an older state, and the message that changed it would not come again.

        Args:
            records: Any number, none included.
            states: What is known of the message's device and its likes.
            changed: Whether the message told anything new of its device.
        """
        if len(records) == 1 and not changed:
            self.records += records
            return
        self.close()
        if not records:  # its device is as it was known, and not due; the message that said so first may still wait
            _when_kept(states, partial(self.delivery.seal, Fate.FILTERED))
            return
        delivery = split_records(self.delivery, len(records) + changed)
        self._refusals.publisher.put(Batch(delivery, records))
        if changed:
            _when_kept(states, partial(delivery.seal, Fate.PUBLISHED))

    def close(self) -> None:
        """Pass on what waits."""
        if self.records:
            self._refusals.publisher.put(Batch(self.delivery, self.records.copy()))
            self.records.clear()


def _when_kept(states: DeviceStates | None, call: Callable[[], None]) -> None:
    if states is None:
        call()
    else:
        states.when_kept(call)
