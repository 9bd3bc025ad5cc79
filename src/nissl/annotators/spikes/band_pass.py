"""Zero-phase band-pass as a lazy SpikeInterface preprocessor.

The same filter as SpikeInterface's own (sections of a Bessel or Butterworth filter, forwards and
backwards), in single precision and several times as fast. Import this module only where
SpikeInterface is needed anyway.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from spikeinterface.core import BaseRecording, get_chunk_with_margin
from spikeinterface.preprocessing.basepreprocessor import BasePreprocessor, BasePreprocessorSegment

MARGIN = 5.0
"""Periods of the lower corner read before and after what is asked for: the filter settles there."""


class BandPassRecording(BasePreprocessor):  # type: ignore[misc]
    """Each channel band-passed, without delay.

    Parameters
    ----------
    recording : BaseRecording
    low_hz, high_hz : float
        Corners.
    kind : str
        "bessel" or "butter".
    order : int
    """

    def __init__(
        self, recording: BaseRecording, low_hz: float, high_hz: float, kind: str, order: int
    ) -> None:
        from scipy.signal import iirfilter, sosfilt_zi

        BasePreprocessor.__init__(self, recording, dtype="float32")
        self.annotate(is_filtered=True)
        if "offset_to_uV" in self.get_property_keys():
            self.set_channel_offsets(0)
        rate_hz = recording.get_sampling_frequency()
        band = [low_hz, high_hz]
        sos = iirfilter(order, band, fs=rate_hz, btype="bandpass", ftype=kind, output="sos")
        margin = int(MARGIN / low_hz * rate_hz)
        for segment in recording._recording_segments:
            self.add_recording_segment(_Segment(segment, sos, sosfilt_zi(sos), margin))
        self._kwargs = {
            "recording": recording,
            "low_hz": low_hz,
            "high_hz": high_hz,
            "kind": kind,
            "order": order,
        }


class _Segment(BasePreprocessorSegment):  # type: ignore[misc]
    def __init__(self, parent: Any, sos: npt.NDArray[Any], steady: Any, margin: int) -> None:
        BasePreprocessorSegment.__init__(self, parent)
        self._sos, self._steady, self._margin = sos, steady, margin

    def get_traces(
        self, start_frame: int | None, end_frame: int | None, channel_indices: Any
    ) -> npt.NDArray[np.float32]:
        """Band-passed samples, shape (end_frame - start_frame, n_channels)."""
        traces, left, right = get_chunk_with_margin(
            self.parent_recording_segment, start_frame, end_frame, channel_indices, self._margin
        )
        found = zero_phase(traces, self._sos, self._steady)
        return found[left : len(found) - right]


def zero_phase(
    x: npt.NDArray[Any], sos: npt.NDArray[np.float64], steady: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Filter forwards and backwards along the first axis, as `scipy.signal.sosfiltfilt` does.

    Parameters
    ----------
    x : ndarray, shape (n, n_channels)
        Not changed. The odd reflection at both ends is shorter where `x` is too short for it.
    sos : ndarray, shape (n_sections, 6)
        With a0 of 1.
    steady : ndarray, shape (n_sections, 2)
        From `scipy.signal.sosfilt_zi`.

    Returns
    -------
    ndarray, shape (n, n_channels), float32
    """
    from nissl.annotators.spikes.sections import run_back, run_sections

    if not len(x):
        return np.empty(x.shape, np.float32)
    n_sections = len(sos)
    taps = 2 * n_sections + 1 - min(np.sum(sos[:, 2] == 0), np.sum(sos[:, 5] == 0))
    edge = min(3 * int(taps), len(x) - 1)
    y = np.empty((len(x) + 2 * edge, x.shape[1]), np.float32)
    y[edge : edge + len(x)] = x
    y[edge : edge + len(x)] -= x[0].astype(np.float32)  # nothing of it is left, but rounding
    y[:edge] = 2 * y[edge] - y[edge + 1 : 2 * edge + 1][::-1]
    last = edge + len(x) - 1
    y[last + 1 :] = 2 * y[last] - y[last - edge : last][::-1]
    sections = np.delete(sos, 3, axis=1).astype(np.float32)
    settled = steady.astype(np.float32)[:, :, None]
    run_sections(y, sections, settled * y[0], 0, 1, y)
    run_back(y, sections, settled * y[-1])
    return y[edge : edge + len(x)]
