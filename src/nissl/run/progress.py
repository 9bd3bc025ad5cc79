"""Progress of long work: a rate and an ETA, on a terminal, in a log, or not at all.

Everything goes to standard error, so that ``--json`` on standard output stays clean.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

SECONDS_OF_RECORDING = "s of recording"


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


@dataclass
class Recorder:
    """Progress that is remembered; for tests and for reports of where the time went.

    Parameters
    ----------
    totals, done : dict of str to float
        By stage; a total is None while unknown.
    units : dict of str to str
    finished : list of str
        Stages in the order in which they ended.
    """

    totals: dict[str, float | None] = field(default_factory=dict)
    done: dict[str, float] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    finished: list[str] = field(default_factory=list)

    def start(self, stage: str, total: float | None, unit: str) -> None:
        """Remember the stage."""
        self.totals[stage], self.units[stage], self.done[stage] = total, unit, 0.0

    def advance(self, stage: str, amount: float) -> None:
        """Remember the amount."""
        self.done[stage] = self.done.get(stage, 0.0) + amount

    def finish(self, stage: str) -> None:
        """Remember the end."""
        self.finished.append(stage)


@dataclass
class Stage:
    """Account of one stage: how far, how fast, how long still.

    What was done before the clock started (an earlier run's chunks) counts as done, not as
    speed.

    Parameters
    ----------
    name : str
    total : float, optional
    unit : str
    started_s : float
        Time of the first report, seconds of the clock that is passed in.
    """

    name: str
    total: float | None
    unit: str
    started_s: float
    done: float = 0.0
    inherited: float | None = None

    def rate(self, now_s: float) -> float | None:
        """Units per second so far; None before anything is known."""
        elapsed_s = now_s - self.started_s
        fresh = self.done - (self.inherited or 0.0)
        return fresh / elapsed_s if elapsed_s > 0 and fresh > 0 else None

    def advance(self, amount: float, now_s: float) -> None:
        """Add; an amount within the first 50 ms is what an earlier run has left."""
        self.done += amount
        if self.inherited is None:
            self.inherited = amount if now_s - self.started_s < 0.05 else 0.0

    def rate_text(self, now_s: float) -> str:
        """Speed in words: "12x real time" for recordings, else "3.1 chunks/s"."""
        rate = self.rate(now_s)
        if rate is None:
            return ""
        if self.unit == SECONDS_OF_RECORDING:
            return f"{rate:.3g}x real time"
        return f"{rate:.3g} {self.unit}/s"

    def line(self, now_s: float) -> str:
        """One line for a log."""
        parts = [f"{self.name}: {self.done:.4g}"]
        if self.total is not None:
            share = 100.0 if self.total == 0 else 100 * self.done / self.total
            parts = [f"{self.name}: {share:.0f} % ({self.done:.4g} of {self.total:.4g})"]
        parts[0] += f" {self.unit}"
        rate = self.rate(now_s)
        if rate is not None:
            parts.append(self.rate_text(now_s))
            if self.total is not None and self.done < self.total:
                parts.append(f"{clock_text((self.total - self.done) / rate)} left")
        return ", ".join(parts)


def clock_text(seconds: float) -> str:
    """Duration as h:mm:ss, rounded up to a second."""
    whole = int(-(-seconds // 1))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


class RichProgress:
    """Progress for people: bars on a terminal, a line every few seconds in a log.

    Parameters
    ----------
    console : rich.console.Console, optional
        Standard error by default.
    every_s : float
        Time between lines of a log.
    now : callable
        Monotonic clock, in seconds.

    Notes
    -----
    Close it, or use it in a ``with`` statement, so that an error leaves no bar behind.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        every_s: float = 5.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        if console is None:
            from rich.console import Console

            console = Console(stderr=True)
        self._console, self._every_s, self._now = console, every_s, now
        self._stages: dict[str, Stage] = {}
        self._spoke_s: dict[str, float] = {}
        self._bars: Bars | None = None
        self._ids: dict[str, TaskID] = {}

    def __enter__(self) -> RichProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, stage: str, total: float | None, unit: str) -> None:
        """Show a stage."""
        now_s = self._now()
        self._stages[stage] = Stage(stage, total, unit, now_s)
        self._spoke_s[stage] = now_s
        if self._console.is_terminal:
            if self._bars is None:
                self._bars = _bars(self._console)
                self._bars.start()
            if stage in self._ids:
                self._bars.remove_task(self._ids.pop(stage))
            self._ids[stage] = self._bars.add_task(stage, total=total, rate="")

    def advance(self, stage: str, amount: float) -> None:
        """Show more of it as done."""
        if stage not in self._stages:
            return
        account, now_s = self._stages[stage], self._now()
        account.advance(amount, now_s)
        if self._bars is not None and stage in self._ids:
            self._bars.update(self._ids[stage], advance=amount, rate=account.rate_text(now_s))
        elif now_s - self._spoke_s[stage] >= self._every_s:
            self._spoke_s[stage] = now_s
            self._say(account.line(now_s))

    def finish(self, stage: str) -> None:
        """Show the stage as ended; the bars go when no stage is left."""
        account = self._stages.pop(stage, None)
        if account is None:
            return
        if self._bars is None:
            now_s = self._now()
            took = clock_text(now_s - account.started_s)
            self._say(f"{account.line(now_s)}, after {took}")
        elif not self._stages:
            self.close()

    def close(self) -> None:
        """Leave the terminal as it should be."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
            self._ids.clear()

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def _bars(console: Console) -> Bars:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        Remaining(elapsed_when_finished=True),
        console=console,
        refresh_per_second=4,
    )
