"""The stage before all others of a feed, which leads to those that are in force."""

from __future__ import annotations

from time import monotonic

from pipeline.core.delivery import Batch, Stage
from pipeline.core.message import Message


class Switch(Stage[Message]):
    """Passes everything on; what follows is exchanged between two batches, and no message is lost or overtaken."""

    def __init__(self, stage: Stage[Message]) -> None:
        self.stage = stage

    def put(self, batch: Batch[Message]) -> None:
        """Pass the batch on."""
        self.stage.put(batch)

    def kept(self) -> int:
        """Nothing stays here."""
        return self.stage.kept()

    async def drain(self, deadline: float) -> None:
        """Let what follows pass on what it keeps."""
        await self.stage.drain(deadline)

    async def lead_to(self, stage: Stage[Message]) -> None:
        """Exchange what follows; first it passes on what it keeps, so that older messages stay before newer ones."""
        old = self.stage
        await old.drain(monotonic())
        self.stage = stage
