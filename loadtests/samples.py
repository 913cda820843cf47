"""One measured run, as it is kept in the results file."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from loadtests.measured import Usage


@dataclass(frozen=True, slots=True)
class Sample:
    case: str
    contender: str
    round: int
    messages: int
    user_s: float
    system_s: float
    peak_rss: int
    exit_code: int
    lost: int = 0
    duplicates: int = 0
    p50_ms: float | None = None  # from the generator's send to Kafka's append, the same for every contender
    p99_ms: float | None = None
    own: dict[str, list[float]] = field(default_factory=dict)  # Headrace's histograms: name -> [p50, p99] in seconds
    first_s: float = 0.0  # from the start of the process to the first record in Kafka, polled each 50 ms
    rate: float = 0.0  # records a second from then on
    failure: str = ""

    @property
    def cpu_s(self) -> float:
        return self.user_s + self.system_s

    @classmethod
    def of(cls, case: str, contender: str, number: int, messages: int, usage: Usage) -> "Sample":
        spent = (round(usage.user, 4), round(usage.system, 4))
        return cls(case, contender, number, messages, *spent, usage.peak_rss, usage.exit_code)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Sample":
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})
