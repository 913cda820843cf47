"""One device or gateway that is overdue, as it is listed and told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from pipeline.core.files import Moment

Kind = Literal["device", "gateway"]


@dataclass(frozen=True, slots=True)
class SilentDevice:
    """One that is overdue. name: its key in the registry, or what messages call it.

    last: when it spoke, in milliseconds since 1970 UTC; 0: never. since: from when on its silence counts. interval:
    seconds that may lie between two readings; known: who says so, `assumed` where nobody does.
    """

    kind: Kind
    name: str
    last: Moment
    since: Moment
    interval: Annotated[float, Field(ge=0, le=1e12)]
    known: Literal["configured", "learned", "assumed"]
