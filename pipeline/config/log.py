"""`log:` in the configuration: how the log is written, and how much of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.values import Section


class Log(Section):
    """The log, on standard error; one line an event."""

    format: Literal["auto", "json", "console"] = Field(default="auto", examples=["json"])
    """JSON for programs, `console` for people; `auto` looks whether a terminal reads."""
    level: Literal["debug", "info", "warning", "error"] = Field(default="info", examples=["info"])
    """The least important that is written. While it runs, SIGUSR1 takes `debug`, and SIGUSR2 this level again."""
