"""Progress of long work: a rate and an ETA, on a terminal, in a log, or not at all."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Where stages report to. Implementations never raise and cost next to nothing."""

    def start(self, stage: str, total: float | None, unit: str) -> None:
        """Begin a stage of `total` units ("s of recording", "chunks"), None if unknown."""

    def advance(self, stage: str, amount: float) -> None:
        """Add to what is done of a stage."""

    def finish(self, stage: str) -> None:
        """End a stage."""


class Silent:
    """Progress that is not shown."""

    def start(self, stage: str, total: float | None, unit: str) -> None:
        """Do nothing."""

    def advance(self, stage: str, amount: float) -> None:
        """Do nothing."""

    def finish(self, stage: str) -> None:
        """Do nothing."""
