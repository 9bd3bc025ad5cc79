"""A sorter that takes a moment, to test with what surrounds sorters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.preprocess import make_plan, require_sortable
from nissl.annotators.spikes.proposal import propose
from nissl.annotators.spikes.sorting import Spikes
from nissl.data import Signal
from nissl.labels import LabelSet
from nissl.run.context import Context
from nissl.tasks import Inputs, Promises, Result

WHOLE = Promises(chunked=False, deterministic=True, memory="measured")


@dataclass(frozen=True)
class _Shank:
    shank: int
    spikes: Spikes


@dataclass
class ThresholdSorter:
    """Troughs below a threshold, one unit for each channel they are deepest on.

    Fulfils the task "spikes" on short recordings without gaps, which it reads whole.

    Parameters
    ----------
    name, version : str
    confident : bool
        Whether spikes get a confidence, a logistic function of their amplitude.
    interrupted_at : int
        Call (0 is the first) at which Ctrl-C is feigned; never by default.
    calls : int
        How often it has sorted.
    """

    name: str = "spikes/threshold"
    version: str = "1"
    confident: bool = True
    interrupted_at: int = -1
    calls: int = 0
    promises: Promises = field(default_factory=lambda: WHOLE)

    def missing(self) -> Mapping[str, str]:
        """Nothing."""
        return {}

    def packages(self) -> Mapping[str, str]:
        """Nothing."""
        return {}

    def defaults(self) -> Mapping[str, Any]:
        """`sd`: threshold in standard deviations of the noise."""
        return {"sd": 5.0}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Detect troughs, and measure the units.

        Raises
        ------
        KeyboardInterrupt
            At the call `interrupted_at`.
        """
        if self.calls == self.interrupted_at:
            self.interrupted_at = -1
            raise KeyboardInterrupt
        self.calls += 1
        require_sortable(inputs.signal)
        plan = make_plan(inputs.signal, {}, context.seed)
        sample, channel, noise_uv = _troughs(inputs.signal, float(parameters["sd"]))
        _, unit = np.unique(channel, return_inverse=True)
        found = _Shank(0, Spikes(sample, unit.astype(np.int64), 0.0, 0))
        result = propose(self, inputs, parameters, context, plan, [found])
        return _confident(result, noise_uv) if self.confident and sample.size else result


def _troughs(
    signal: Signal, sd: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], float]:
    """Samples and channels of troughs, and the mean noise in uV."""
    from scipy.signal import butter, sosfiltfilt

    band = (300.0, min(6000.0, 0.45 * signal.rate_hz))
    sos = butter(3, band, btype="band", fs=signal.rate_hz, output="sos")
    x = sosfiltfilt(sos, signal.read(), axis=0)
    noise = np.maximum(np.median(np.abs(x), axis=0) / 0.6745, 1e-9)
    z = -x / noise
    channel = np.argmax(z, axis=1)
    top = z[np.arange(len(z)), channel]
    reach = round(0.5e-3 * signal.rate_hz)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(top, reach), 2 * reach + 1)
    sample = np.flatnonzero((top >= sd) & (top >= around.max(axis=1))).astype(np.int64)
    return sample, channel[sample].astype(np.int64), float(noise.mean())


def _confident(result: Result, noise_uv: float) -> Result:
    """Give each spike a confidence by its amplitude."""
    labels = result.labels[0]
    size = np.abs(labels.column("amplitude")) / noise_uv
    columns = {n: labels.column(n) for n in ("item", "sample", "amplitude", "channel")}
    columns["confidence"] = (1 / (1 + np.exp(-(size - 6) / 2))).astype(np.float32)
    made = LabelSet.build(labels.kind, columns, ("unit",), labels.provenance)
    return replace(result, labels=(made,), items=(replace(result.items[0], of=made.digest),))
