"""How late triggers are, and how many are missed or false against a known truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data import Signal
from nissl.errors import BadArgumentError
from nissl.live.contract import LiveMethod
from nissl.live.run import run
from nissl.live.sources import Replay
from nissl.live.triggers import Chosen, Fired, KillSwitch, Limits, Output, TriggerSink


@dataclass(frozen=True)
class Latency:
    """Delays of triggers and their agreement with a truth.

    Parameters
    ----------
    n : int
        Triggers.
    work_ms_p50, work_ms_p99, work_ms_max : float
        From the moment when the last sample of the chunk was there to the trigger; NaN without
        triggers.
    p50_ms, p99_ms, max_ms : float
        From the last sample of the event to the trigger: this includes the wait for the chunk
        to be full, and what the method waits for.
    missed, false : int
        Events of the truth without a trigger, and triggers without an event.
    """

    n: int
    work_ms_p50: float
    work_ms_p99: float
    work_ms_max: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    missed: int
    false: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def measured(
    log: Sequence[Fired],
    truth: npt.ArrayLike,
    *,
    rate_hz: float,
    tolerance_s: float = 0.001,
    speed: float = 1.0,
) -> Latency:
    """Delays of the triggers of a log.

    Parameters
    ----------
    log : sequence of Fired
    truth : array_like, shape (n_events,), int
        Samples of the events that should fire.
    rate_hz : float
    tolerance_s : float
        Farthest that the start of a claim may be from its event; each event is matched once,
        in the order of samples.
    speed : float
        Seconds of the recording per second, where it was replayed.

    Raises
    ------
    BadArgumentError
        The rate or the speed is not above 0, or the tolerance below it.
    """
    if not (rate_hz > 0 and speed > 0 and tolerance_s >= 0):
        raise BadArgumentError(
            "a rate and a speed above 0, and a tolerance of 0 or more",
            f"{rate_hz} Hz, {speed}, {tolerance_s} s",
            "Mend them.",
        )
    work = np.asarray([each.emitted_s - each.arrived_s for each in log], np.float64)
    wait = np.asarray([each.chunk_stop - each.stop for each in log], np.float64) / rate_hz / speed
    events = np.sort(np.asarray(truth, np.int64).ravel())
    starts = np.sort(np.asarray([each.start for each in log], np.int64))
    pairs = matched(starts, events, round(tolerance_s * rate_hz))
    return Latency(
        len(log),
        *_quantiles(1e3 * work),
        *_quantiles(1e3 * (work + wait)),
        len(events) - pairs,
        len(log) - pairs,
    )


def matched(found: npt.NDArray[np.int64], events: npt.NDArray[np.int64], tolerance: int) -> int:
    """Most pairs, one to one, that are no farther apart than a tolerance.

    Parameters
    ----------
    found, events : ndarray, int64
        In rising order, samples.
    tolerance : int
    """
    i = j = pairs = 0
    while i < len(found) and j < len(events):
        apart = int(found[i] - events[j])
        if abs(apart) <= tolerance:
            pairs, i, j = pairs + 1, i + 1, j + 1
        elif apart < 0:
            i += 1
        else:
            j += 1
    return pairs


def played(
    signal: Signal,
    method: LiveMethod,
    output: Output,
    truth: npt.ArrayLike,
    *,
    chunk_s: float = 0.005,
    speed: float = 1.0,
    chosen: Chosen | None = None,
    limits: Limits | None = None,
    switch: KillSwitch | None = None,
    tolerance_s: float = 0.001,
) -> tuple[Latency, list[Fired]]:
    """Play a recording at real speed through a method to a trigger, and measure.

    Parameters
    ----------
    signal : Signal
    method : LiveMethod
        Set up for it.
    output : Output
        Closed at the end.
    truth : array_like, shape (n_events,), int
        Samples of the events that should fire.
    chunk_s : float
        Length of a chunk, s.
    speed : float
        Finite; 1 is real speed.
    chosen, limits, switch : optional
        As of `TriggerSink`.
    tolerance_s : float

    Returns
    -------
    Latency, list of Fired
        Results and the log that they follow from.
    """
    log: list[Fired] = []
    sink = TriggerSink(output, chosen, limits, switch, log=log.append)
    run(Replay(signal, speed=speed, chunk_s=chunk_s), method, [sink])
    figures = measured(log, truth, rate_hz=signal.rate_hz, tolerance_s=tolerance_s, speed=speed)
    return figures, log


def _quantiles(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    if not len(values):
        return (float("nan"),) * 3
    p50, p99 = np.percentile(values, [50, 99])
    return float(p50), float(p99), float(values.max())


__all__ = ["Latency", "matched", "measured", "played"]
