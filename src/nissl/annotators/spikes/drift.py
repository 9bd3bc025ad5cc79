"""How far the tissue moved along the probe: a cheap rigid estimate from looks at the samples.

Spikes of each look make a histogram over depth and amplitude; the shift between every two
histograms is where their cross-correlation peaks, and the displacements that agree best with
all shifts are the least-squares solution.

Notes
-----
Varol et al. 2021, "Decentralized Motion Inference and Registration of Neuropixel Data",
ICASSP; here without the non-rigid part and with centres of mass for positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.detecting import troughs
from nissl.annotators.spikes.sampling import look_intervals, noise_uv, read_uv
from nissl.data import Signal

MIN_CHANNELS = 16
MIN_SPREAD_UM = 100.0
N_BLOCKS = 32
BLOCK_S = 1.0
BIN_UM = 2.0
SMOOTH_UM = 6.0
N_AMPLITUDES = 8
MAX_SHIFT_UM = 100.0
RADIUS_UM = 60.0
MIN_SPIKES = 20
MIN_CORRELATION = 0.3

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Drift:
    """Displacement over time.

    Parameters
    ----------
    time_s : ndarray, shape (n,), float64
    displacement_um : ndarray, shape (n,), float64, um
        Along the probe, median 0.
    """

    time_s: Values
    displacement_um: Values

    @property
    def range_um(self) -> float:
        """Spread of the displacement, 5th to 95th percentile, micrometres."""
        low, high = np.percentile(self.displacement_um, [5, 95])
        return float(high - low)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the run's log."""
        return {
            "method": "rigid, decentralised registration of depth histograms",
            "time_s": np.round(self.time_s, 3).tolist(),
            "displacement_um": np.round(self.displacement_um, 2).tolist(),
            "range_um": round(self.range_um, 2),
        }


def estimate_drift(signal: Signal, recording: Any, channels: list[int], seed: int) -> Drift | None:
    """Estimate the rigid displacement of one shank.

    Parameters
    ----------
    signal : Signal
    recording : spikeinterface.core.BaseRecording
        Its preprocessed channels of one shank, uV.
    channels : list of int
        Which columns of `signal` those are.
    seed : int
        Of the places that are looked at.

    Returns
    -------
    Drift or None
        None without geometry, below 16 channels or 100 um of probe, or with too few spikes.
    """
    position = signal.channels.position_um[channels]
    if (
        not signal.channels.has_geometry
        or len(channels) < MIN_CHANNELS
        or np.ptp(position[:, 1]) < MIN_SPREAD_UM
    ):
        return None
    noise = noise_uv(recording, signal.clock, seed)
    found, times = [], []
    for start, stop in look_intervals(signal.clock, seed, n=N_BLOCKS, length_s=BLOCK_S):
        x = read_uv(recording, signal.clock, start, stop)
        depth, size = _spikes(x, noise, position, signal.rate_hz)
        if depth.size >= MIN_SPIKES:
            found.append((depth, size))
            times.append(float(signal.clock.to_seconds((start + stop) / 2)))
    if len(found) < 3:
        return None
    maps = histograms(found, position[:, 1])
    return Drift(np.asarray(times), register(maps))


def histograms(found: list[tuple[Values, Values]], y: Values) -> Values:
    """Smoothed histograms of depth and log amplitude, shape (n_blocks, n_depths, n_amplitudes)."""
    from scipy.ndimage import gaussian_filter

    depths = np.arange(y.min() - 20, y.max() + 20 + BIN_UM, BIN_UM)
    sizes = np.log(np.concatenate([size for _, size in found]))
    edges = np.quantile(sizes, np.linspace(0, 1, N_AMPLITUDES + 1))
    edges = np.maximum.accumulate(edges + np.arange(edges.size) * 1e-9)
    maps = []
    for depth, size in found:
        counts, _, _ = np.histogram2d(depth, np.log(size), bins=[depths, edges])
        smooth = gaussian_filter(np.sqrt(counts), [SMOOTH_UM / BIN_UM, 0.7])
        maps.append(smooth / max(float(np.linalg.norm(smooth)), 1e-12))
    return np.asarray(maps)


def register(maps: Values) -> Values:
    """Displacements, um, that agree best with all pairwise shifts; median 0."""
    n, n_depths, _ = maps.shape
    reach = int(min(MAX_SHIFT_UM / BIN_UM, n_depths // 2))
    spectra = np.fft.rfft(maps, 2 * n_depths, axis=1)
    rows, targets, weights = [], [], []
    for a in range(n):
        for b in range(a + 1, n):
            product = np.sum(spectra[a] * np.conj(spectra[b]), axis=1)
            correlation = np.fft.irfft(product, 2 * n_depths)
            near = np.concatenate([correlation[-reach:], correlation[: reach + 1]])
            best = int(np.argmax(near))
            if near[best] < MIN_CORRELATION:
                continue
            row = np.zeros(n)
            row[a], row[b] = 1.0, -1.0
            rows.append(row)
            targets.append((best - reach + _vertex(near, best)) * BIN_UM)
            weights.append(near[best])
    if not rows:
        return np.zeros(n)
    displacement = _robust(np.asarray(rows), np.asarray(targets), np.asarray(weights))
    return np.asarray(displacement - np.median(displacement))


def _robust(rows: Values, targets: Values, weights: Values) -> Values:
    """Least squares, reweighted three times against outlying pairs (Cauchy weights, 10 um)."""
    used: Values = weights
    solution: Values = np.zeros(rows.shape[1])
    for _ in range(4):
        scale = np.sqrt(used)
        found = np.linalg.lstsq(rows * scale[:, None], targets * scale, rcond=None)
        solution = np.asarray(found[0], dtype=np.float64)
        used = weights / (1 + ((targets - rows @ solution) / 10.0) ** 2)
    return solution


def _vertex(values: Values, best: int) -> float:
    """Offset of a parabola's vertex from its largest sample, in samples."""
    if not 0 < best < values.size - 1:
        return 0.0
    left, middle, right = values[best - 1 : best + 2]
    bend = left - 2 * middle + right
    return float(0.5 * (left - right) / bend) if bend < 0 else 0.0


def _spikes(
    x: npt.NDArray[np.float32], noise: Values, position: Values, rate_hz: float
) -> tuple[Values, Values]:
    """Depth (um) and size (noise SDs) of the spikes of a block."""
    at = troughs(x, noise, rate_hz)
    reach = max(1, round(0.0005 * rate_hz))
    at = at[(at >= reach) & (at + reach < len(x))]
    scaled = np.where(noise > 0, noise, np.inf)
    best = np.argmin(x[at] / scaled, axis=1)
    windows = x[at[:, None] + np.arange(-reach, reach, 2)]
    ptp = np.ptp(windows, axis=1) / scaled
    apart = np.linalg.norm(position[:, None] - position[None], axis=2)
    weight = np.where(apart[best] <= RADIUS_UM, ptp - 2.0, 0.0).clip(min=0.0) ** 2
    total = np.maximum(weight.sum(axis=1), 1e-9)
    size = np.maximum(ptp[np.arange(at.size), best], 1.0)
    return np.sum(weight * position[:, 1], axis=1) / total, size
