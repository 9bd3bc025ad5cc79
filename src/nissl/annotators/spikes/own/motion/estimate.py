"""How the tissue moved along the probe, from the depths of detected peaks.

A first rigid guess comes from registration of all pairs of stretches of time
(`nissl.annotators.spikes.own.motion.registration`). It is then refined: the peaks, moved back to
rest, make a density over depth and amplitude, to which the peaks of each stretch are registered by
likelihood, with a prior of smooth paths with rare jumps; a few rounds of both. Where different
depths move differently, each of several knots along the probe has a path of its own.

Conventions: a displacement is positive where units appear at a larger depth coordinate than at
rest, so that rest = depth - displacement; its median over time is 0 at every depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.motion.path import posterior
from nissl.annotators.spikes.own.motion.registration import histograms, register

MIN_PEAKS = 300
MIN_SPAN_UM = 100.0
PEAKS_PER_BIN = 30
PEAKS_PER_KNOT = 10
BIN_S = (0.25, 8.0)
MAX_BINS = 4000
MIN_BINS = 4
MAX_PEAKS = 1_000_000
N_STRETCHES = 240
PEAKS_PER_STRETCH = 100
N_LEVELS = 12
REACH_UM = 150.0
NEAR_UM = 16.0
KNOT_UM = 150.0
MIN_KNOT_SPAN_UM = 200.0
SMOOTH_UM = 2.5
SMOOTH_LEVELS = 0.7
OUTLYING = 0.05
TRUST = 0.5
"""Exponent of the likelihood: peaks of one unit err together."""
KNOT_STEP_UM = 10.0
RIGID_UM = 4.0
RIGID_SHARE = 0.15
"""Depths that differ by less than either (of the range) are held to move alike."""
MIN_GAIN = 0.02
"""Log density per peak that movement must add to be believed (0.02 at most in still tissue)."""
KNOT_GAIN = 0.01
"""What depths that move differently must add."""
ROUNDS = (3, 2, 3)

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Motion:
    """Displacement of the tissue over time and depth.

    Parameters
    ----------
    time_s : ndarray, shape (T,), float64, s
        Increasing.
    depth_um : ndarray, shape (D,), float64, um
        Increasing; a single depth for rigid motion.
    displacement_um : ndarray, shape (T, D), float64, um
        Positive where units appear at a larger depth than at rest.
    """

    time_s: Floats
    depth_um: Floats
    displacement_um: Floats

    @property
    def is_rigid(self) -> bool:
        """Whether all depths move alike."""
        return self.depth_um.size == 1

    @property
    def range_um(self) -> float:
        """Largest spread over time at any depth, 1st to 99th percentile, micrometres."""
        low, high = np.percentile(self.displacement_um, [1, 99], axis=0)
        return float(np.max(high - low))

    def at(self, time_s: npt.ArrayLike, depth_um: npt.ArrayLike) -> Floats:
        """Displacement at times and depths, linearly interpolated, held beyond the ends.

        Parameters
        ----------
        time_s, depth_um : array_like, s and um
            Broadcast against each other.

        Returns
        -------
        ndarray, float64, um
        """
        t, y = np.broadcast_arrays(np.asarray(time_s, float), np.asarray(depth_um, float))
        i, u = _between(self.time_s, t)
        k, v = _between(self.depth_um, y)
        d = self.displacement_um
        i1, k1 = np.minimum(i + 1, len(d) - 1), np.minimum(k + 1, d.shape[1] - 1)
        low = d[i, k] * (1 - v) + d[i, k1] * v
        high = d[i1, k] * (1 - v) + d[i1, k1] * v
        return np.asarray(low * (1 - u) + high * u)


@dataclass(frozen=True, eq=False)
class _Peaks:
    """Peaks in order of time: bin, depth and level of amplitude of each, shape (n,)."""

    bin: Indices
    depth_um: Floats
    level: Indices
    n_bins: int
    bin_s: float


@dataclass(frozen=True, eq=False)
class _Shares:
    """The knot below each depth, and how far the depth lies towards the knot above, 0 to 1."""

    knot: Indices
    beyond: Floats
    n_knots: int

    def sums(self, value: Floats) -> Floats:
        """Sum of values over the depths near each knot, shape (n_knots,)."""
        above = np.minimum(self.knot + 1, self.n_knots - 1)
        low = np.bincount(self.knot, value * (1 - self.beyond), self.n_knots)
        return np.asarray(low + np.bincount(above, value * self.beyond, self.n_knots))

    def between(self, moved: Floats, at: Indices) -> Floats:
        """Interpolate rows `at` of what the knots have, shape (n,)."""
        above = np.minimum(self.knot + 1, self.n_knots - 1)
        low, high = moved[at, self.knot], moved[at, above]
        return np.asarray(low + self.beyond * (high - low))

    def matrix(self) -> Floats:
        """Weights of the knots, shape (n, n_knots)."""
        out = np.zeros((self.knot.size, self.n_knots))
        n = np.arange(self.knot.size)
        out[n, self.knot] = 1 - self.beyond
        out[n, np.minimum(self.knot + 1, self.n_knots - 1)] += self.beyond
        return out


def _shared(depth_um: Floats, knots: Floats) -> _Shares:
    return _Shares(*_between(knots, depth_um), knots.size)


def estimate_motion(
    time_s: Floats,
    depth_um: Floats,
    log_amplitude: Floats,
    *,
    probe_um: tuple[float, float] | None,
    duration_s: float,
    rigid: bool | None = None,
) -> Motion | None:
    """Estimate the displacement of the tissue over time and depth.

    Parameters
    ----------
    time_s : ndarray, shape (n,), float64, s
        Of the peaks, from 0 to `duration_s`.
    depth_um : ndarray, shape (n,), float64, um
        Along the probe, as `nissl.annotators.spikes.own.motion.localising.localise` estimates.
    log_amplitude : ndarray, shape (n,), float64
    probe_um : tuple of float or None, um
        Lowest and highest contact; None where places of contacts are unknown.
    duration_s : float, s
    rigid : bool, optional
        True: all depths move alike; False: each its own way; None: as the peaks say.

    Returns
    -------
    Motion or None
        None without geometry, with a probe shorter than 100 um, or too few peaks.
    """
    if probe_um is None or probe_um[1] - probe_um[0] < MIN_SPAN_UM or duration_s <= 0:
        return None
    low, high = probe_um
    good = np.isfinite(depth_um) & np.isfinite(log_amplitude) & np.isfinite(time_s)
    time_s, depth_um, log_amplitude = time_s[good], depth_um[good], log_amplitude[good]
    span = high - low
    n_knots = 1 if rigid or span < MIN_KNOT_SPAN_UM else max(2, round(span / KNOT_UM) + 1)
    if time_s.size < MIN_PEAKS:
        return None
    bin_s = _bin_duration(time_s.size / duration_s, n_knots, duration_s)
    n_bins = int(np.ceil(duration_s / bin_s))
    if n_bins < MIN_BINS:
        return None
    peaks = _binned(time_s, depth_um, log_amplitude, n_bins, bin_s)
    reach = min(REACH_UM, span / 2)
    path = _rigid(peaks, _first_guess(peaks, reach), reach)
    middle: Floats = np.array([(low + high) / 2])
    found = _fitted(peaks, path[:, None], middle, ROUNDS[1])
    rest = _Fit(middle, np.zeros((n_bins, 1)), _gain(peaks, middle, np.zeros((n_bins, 1))))
    if found.gain - rest.gain < MIN_GAIN:
        found = rest
    if n_knots > 1:
        start = np.repeat(found.moved, n_knots, axis=1)
        several = _fitted(peaks, start, np.linspace(low, high, n_knots), ROUNDS[2])
        if rigid is False or _differs(several, found, rest):
            found = several
    time = np.asarray((np.arange(n_bins) + 0.5) * bin_s, dtype=np.float64)
    return Motion(time, found.knots, found.moved)


@dataclass(frozen=True, eq=False)
class _Fit:
    """Displacement at knots, (n_bins, n_knots), and log density of the peaks, per peak."""

    knots: Floats
    moved: Floats
    gain: float


def _fitted(peaks: _Peaks, start: Floats, knots: Floats, n_rounds: int) -> _Fit:
    moved = _refined(peaks, start, knots, n_rounds)
    moved = moved - np.median(moved, axis=0)
    return _Fit(knots, moved, _gain(peaks, knots, moved))


def _gain(peaks: _Peaks, knots: Floats, moved: Floats) -> float:
    """Mean log density of the peaks, moved back to rest."""
    rest = peaks.depth_um - _shared(peaks.depth_um, knots).between(moved, peaks.bin)
    table, start = _density(peaks, rest)
    return float(table[peaks.level, np.round(rest - start).astype(np.int64)].mean())


def _differs(several: _Fit, one: _Fit, rest: _Fit) -> bool:
    """Whether depths move apart, by more than errors and bursts of neighbours feign."""
    apart = several.moved - several.moved.mean(axis=1, keepdims=True)
    spread = float(np.max(np.ptp(np.percentile(apart, [2, 98], axis=0), axis=0)))
    limit = max(RIGID_UM, RIGID_SHARE * float(np.ptp(np.percentile(one.moved, [2, 98]))))
    surer = several.gain - one.gain > KNOT_GAIN and several.gain - rest.gain > 2 * MIN_GAIN
    return spread > limit and surer


def _bin_duration(rate_hz: float, n_knots: int, duration_s: float) -> float:
    """Stretch of time with enough peaks, a power of two in seconds."""
    wanted = max(PEAKS_PER_BIN, PEAKS_PER_KNOT * n_knots) / rate_hz
    low, high = BIN_S
    while low < min(wanted, high) or duration_s / low > MAX_BINS:
        low *= 2
    return low


def _binned(
    time_s: Floats, depth_um: Floats, log_amplitude: Floats, n_bins: int, bin_s: float
) -> _Peaks:
    """Order peaks by time; at most `MAX_PEAKS`, evenly chosen."""
    order = np.argsort(time_s, kind="stable")
    if order.size > MAX_PEAKS:
        order = order[np.linspace(0, order.size - 1, MAX_PEAKS).astype(np.int64)]
    edges = np.quantile(log_amplitude[order], np.linspace(0, 1, N_LEVELS + 1)[1:-1])
    level = np.searchsorted(edges, log_amplitude[order])
    at = np.clip((time_s[order] / bin_s).astype(np.int64), 0, n_bins - 1)
    return _Peaks(at, depth_um[order].astype(np.float64), level.astype(np.int64), n_bins, bin_s)


def _first_guess(peaks: _Peaks, reach_um: float) -> Floats:
    """Rigid displacement of every bin by registration of longer stretches."""
    n = min(N_STRETCHES, peaks.n_bins, max(MIN_BINS, peaks.bin.size // PEAKS_PER_STRETCH))
    stretch = peaks.bin * n // peaks.n_bins
    maps = histograms(stretch, peaks.depth_um, peaks.level, n, N_LEVELS)
    found = register(maps, reach_um)
    return np.asarray(found[np.arange(peaks.n_bins) * n // peaks.n_bins])


def _rigid(peaks: _Peaks, path: Floats, reach_um: float) -> Floats:
    """Improve a rigid path, over the whole reach."""
    state = np.arange(-reach_um, reach_um + 1, 2.0)
    still = np.zeros(peaks.n_bins)
    one = _Shares(np.zeros(peaks.bin.size, np.int64), np.zeros(peaks.bin.size), 1)
    for _ in range(ROUNDS[0]):
        table, start = _density(peaks, peaks.depth_um - path[peaks.bin])
        likelihood = _likelihood(peaks, peaks.depth_um, one, table, start, state)[0]
        path, _ = posterior(likelihood, state, still, peaks.bin_s)
        path = path - np.median(path)
    return path


def _refined(peaks: _Peaks, moved: Floats, knots: Floats, n_rounds: int) -> Floats:
    """Improve the displacement at knots along the probe, shape (n_bins, n_knots)."""
    state = np.arange(-NEAR_UM, NEAR_UM + 1, 1.0)
    share = _shared(peaks.depth_um, knots)
    total = share.sums(np.ones(peaks.bin.size))
    centre = np.where(total > 1, share.sums(peaks.depth_um) / np.maximum(total, 1e-9), knots)
    mixing = _shared(centre, knots).matrix()
    for _ in range(n_rounds):
        rest = peaks.depth_um - share.between(moved, peaks.bin)
        table, start = _density(peaks, rest)
        likelihood = _likelihood(peaks, rest, share, table, start, state)
        found = [
            posterior(one, state, origin, peaks.bin_s)
            for one, origin in zip(likelihood, mixing @ moved.T, strict=True)
        ]
        mean, variance = (np.stack(part, axis=1) for part in zip(*found, strict=True))
        moved = _coupled(mean, variance, mixing)
    return moved


def _coupled(mean: Floats, variance: Floats, mixing: Floats) -> Floats:
    """Displacement at knots from that at the centres of their peaks, neighbours held alike."""
    apart = np.diff(np.eye(len(mixing)), axis=0) / KNOT_STEP_UM
    trust = 1 / (variance + 0.25)
    normal = np.einsum("ck,tc,cj->tkj", mixing, trust, mixing) + apart.T @ apart
    target = np.einsum("ck,tc->tk", mixing, trust * mean)
    return np.asarray(np.linalg.solve(normal, target[..., None])[..., 0])


def _density(peaks: _Peaks, rest_um: Floats) -> tuple[npt.NDArray[np.float32], float]:
    """Log density of peaks at rest, (n_levels, n_depths) at 1 um, and the depth of its start."""
    from scipy.ndimage import gaussian_filter

    start = float(np.floor(rest_um.min())) - 3 * SMOOTH_UM
    row = np.round(rest_um - start).astype(np.int64)
    n_rows = int(row.max()) + 1 + round(3 * SMOOTH_UM)
    counts = np.bincount(peaks.level * n_rows + row, minlength=N_LEVELS * n_rows)
    counts = counts.reshape(N_LEVELS, n_rows).astype(np.float64)
    smooth = gaussian_filter(counts, [SMOOTH_LEVELS, SMOOTH_UM], mode="constant")
    mixed = (1 - OUTLYING) * smooth / smooth.sum() + OUTLYING / smooth.size
    return np.log(mixed).astype(np.float32), start


def _likelihood(
    peaks: _Peaks,
    depth_um: Floats,
    share: _Shares,
    table: npt.NDArray[np.float32],
    start_um: float,
    state_um: Floats,
) -> Floats:
    """Tempered log likelihood of each displacement in each bin, (n_knots, n_bins, n_states)."""
    reach, step = round(float(state_um[-1])), round(float(state_um[1] - state_um[0]))
    far = np.pad(table, ((0, 0), (2 * reach, 2 * reach)), mode="edge")
    row = np.round(depth_um - start_um).astype(np.int64) + reach
    row = np.clip(row, 0, far.shape[1] - 2 * reach - 1)
    out = np.zeros((share.n_knots, peaks.n_bins, state_um.size))
    _add_up(out, far, peaks.level, row, peaks.bin, share.knot, share.beyond, step)
    return np.asarray(TRUST * out[..., ::-1])


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_up(
    out: Floats,
    table: npt.NDArray[np.float32],
    level: Indices,
    row: Indices,
    at: Indices,
    knot: Indices,
    beyond: Floats,
    step: int,
) -> None:
    """Add the table's stretch that begins at each peak to its bin, shared by the knots around."""
    n_knots, _, n_states = out.shape
    for p in range(level.size):
        share, k, t = beyond[p], knot[p], at[p]
        for s in range(n_states):
            value = table[level[p], row[p] + s * step]
            out[k, t, s] += (1 - share) * value
            if n_knots > 1:
                out[k + 1, t, s] += share * value


def _between(nodes: Floats, x: Floats) -> tuple[Indices, Floats]:
    """Index of the node before each value, and how far on towards the next, 0 to 1."""
    if nodes.size == 1:
        return np.zeros(x.shape, dtype=np.int64), np.zeros(x.shape)
    k = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, nodes.size - 2)
    return k, np.clip((x - nodes[k]) / (nodes[k + 1] - nodes[k]), 0.0, 1.0)
