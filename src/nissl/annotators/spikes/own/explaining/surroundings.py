"""What a fitted sorter sees around one sample of a recording, and nothing else of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.matching.pursuit import Matched
from nissl.annotators.spikes.own.matching.sparing import pursue_screened
from nissl.annotators.spikes.own.preprocessing.front import white
from nissl.annotators.spikes.own.screen.artifacts import Screen
from nissl.annotators.spikes.own.sorter import Fitted
from nissl.clock import Segment
from nissl.data import Signal
from nissl.errors import BadArgumentError

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

REACH = 3
"""Long windows that are read before and after: spikes that overlap the ones that overlap."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """White samples of a stretch, and the spikes in it.

    Parameters
    ----------
    first : int
        Sample of the recording that the first white one is of.
    z : ndarray, shape (n, n_channels), float32
        Noise SDs; channels are those of the front.
    spikes : Matched
    sample : ndarray, shape (n_spikes,), int64
        Where the sorter puts each, samples of the recording.
    """

    first: int
    z: Samples
    spikes: Matched
    sample: Ints

    def nearest(self, sample: int, among: npt.NDArray[np.bool_], reach: int) -> int | None:
        """Row of the spike that is nearest to a sample, at most `reach` samples away."""
        rows = np.flatnonzero(among)
        if not rows.size:
            return None
        apart = np.abs(self.sample[rows] - sample)
        best = int(np.argmin(apart))
        return int(rows[best]) if apart[best] <= reach else None


def units_of(fitted: Fitted) -> Ints:
    """Unit of each template; its own number where nothing was said, shape (n_templates,)."""
    n = 0 if fitted.templates is None else len(fitted.templates)
    return fitted.unit if fitted.unit.size else np.arange(n, dtype=np.int64)


def surroundings(
    signal: Signal, fitted: Fitted, sample: int, screen: Screen | None
) -> Surroundings:
    """Read and match what lies around a sample: about 30 ms, wherever in the recording it is.

    Parameters
    ----------
    signal : Signal
    fitted : Fitted
        With templates.
    sample : int
    screen : Screen or None
        From `screen_of`.

    Raises
    ------
    BadArgumentError
        No such sample, or a sorter without units.
    """
    front, templates = fitted.front, fitted.templates
    if templates is None or not len(templates):
        raise BadArgumentError(
            "a sorter that found units", "one without any", "Sort a recording with spikes."
        )
    segment, step = _segment(signal, sample), front.band.step
    reach = REACH * templates.windows.long
    middle = (sample + front.delay - segment.start) // step
    first = segment.start + max(0, middle - reach) * step
    stop = min(segment.start + (middle + reach + 1) * step, segment.stop)
    raw = white(signal, front, segment, min(first, stop - 1), stop)
    z, spikes = pursue_screened(raw, templates, front.rate_hz, screen)
    exact = first + (spikes.at + spikes.shift.astype(np.float64)) * step
    told = np.round(exact).astype(np.int64) - front.delay
    return Surroundings(first, z, spikes, np.clip(told, segment.start, segment.stop - 1))


def _segment(signal: Signal, sample: int) -> Segment:
    for segment in signal.clock.segments:
        if segment.start <= sample < segment.stop:
            return segment
    raise BadArgumentError(
        f"a sample from 0 to {signal.n_samples - 1}", f"{sample}", "Choose one of the recording."
    )
