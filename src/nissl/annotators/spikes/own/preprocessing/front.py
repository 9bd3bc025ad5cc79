"""From a Signal to white samples: filtering, decimation, whitening, read piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.motion.estimate import Motion
from nissl.annotators.spikes.own.motion.resting import Rest
from nissl.annotators.spikes.own.preprocessing.filtering import (
    SETTLE_S,
    Band,
    design,
    fresh_state,
    run_filter,
    taken_away,
)
from nissl.annotators.spikes.own.preprocessing.whitening import (
    ORDER,
    Whitening,
    apply_whitening,
    fit_whitening,
)
from nissl.clock import Segment
from nissl.data import Signal

Samples = npt.NDArray[np.float32]

N_LOOKS = 24
LOOK_S = 0.5
ARTIFACT_SD = 400.0
"""White samples beyond this are no neuron's: the largest spikes reach about 100."""
ARTIFACT_S = 3e-3


@dataclass(frozen=True, eq=False)
class Front:
    """How samples of some channels become white.

    Parameters
    ----------
    columns : tuple of int
        Columns of the signal.
    band : Band
    whitening : Whitening
    delay : int
        Samples of the recording by which the filter is late at a spike's peak.
    rest : Rest or None
        How samples of moving tissue go back to rest, before they are whitened.
    """

    columns: tuple[int, ...]
    band: Band
    whitening: Whitening
    delay: int
    rest: Rest | None = None

    @property
    def rate_hz(self) -> float:
        """Of the white samples."""
        return self.band.kept_hz


def fit_front(signal: Signal, columns: Sequence[int], low_hz: float, high_hz: float) -> Front:
    """Design the filter, and estimate the noise from looks spread over the recording.

    Parameters
    ----------
    signal : Signal
    columns : sequence of int
    low_hz, high_hz : float
    """
    band = design(signal.rate_hz, low_hz, high_hz)
    pieces = [
        banded(signal, columns, band, segment, start, stop)
        for segment, start, stop in looks(signal, N_LOOKS, LOOK_S)
    ]
    position = np.asarray(signal.channels.position_um, dtype=np.float64)[list(columns), :2]
    lost = taken_away(band, ORDER + 1)
    whitening = fit_whitening(pieces, position, band.kept_hz, lost)
    return Front(tuple(columns), band, whitening, _delay(band))


def at_rest(signal: Signal, front: Front, motion: Motion) -> Front:
    """A front that takes samples back to rest before they are whitened.

    Notes
    -----
    The other order, whitening first, left a residual of 14 % of the norm of displaced templates in
    place of 8 % (24 simulated units, 30 um); whitening for the noise at rest left 10 %.
    """
    position = np.asarray(signal.channels.position_um, dtype=np.float64)[list(front.columns), :2]
    return replace(front, rest=Rest(motion, position, signal.rate_hz))


def looks(signal: Signal, n: int, length_s: float) -> list[tuple[Segment, int, int]]:
    """Stretches evenly spread over what was recorded, none across a gap, in order.

    Together they are not more than the recording itself.
    """
    length = max(1, round(length_s * signal.rate_hz))
    out: list[tuple[Segment, int, int]] = []
    total = signal.n_samples
    for segment in signal.clock.segments:
        size = segment.stop - segment.start
        count = min(max(1, round(n * size / total)), max(1, size // length))
        if size < min(length, round(0.05 * signal.rate_hz)):
            continue
        for first in np.linspace(segment.start, max(segment.stop - length, segment.start), count):
            start = int(first)
            out.append((segment, start, min(start + length, segment.stop)))
    return out


def banded(
    signal: Signal, columns: Sequence[int], band: Band, segment: Segment, start: int, stop: int
) -> Samples:
    """Band-passed samples of a stretch, shape (about (stop - start) / step, n_channels), uV.

    The first is of sample `start`. The filter begins a little earlier, within the segment.
    """
    steps = -(-round(SETTLE_S * signal.rate_hz) // band.step)
    first = start - band.step * min(steps, (start - segment.start) // band.step)
    raw = signal.read(first, stop, list(columns))
    if not np.isfinite(np.sum(raw)):  # a sum is ten times faster than looking at each
        raw = np.nan_to_num(raw, nan=0.0, posinf=0.0, neginf=0.0, copy=False)
    state = fresh_state(band, raw.shape[1])
    if len(raw):
        raw = raw - raw[0]
    out, _ = run_filter(raw, band, state)
    return out[(start - first) // band.step :]


def white(signal: Signal, front: Front, segment: Segment, start: int, stop: int) -> Samples:
    """White samples of a stretch, the first of sample `start`; zeros lead where a segment begins.

    Parameters
    ----------
    signal : Signal
    front : Front
    segment : Segment
        In which the stretch lies.
    start, stop : int
        Samples of the recording.
    """
    order, step = front.whitening.order, front.band.step
    before = min(order, (start - segment.start) // step)
    x = banded(signal, front.columns, front.band, segment, start - before * step, stop)
    if before < order:
        x = np.concatenate([np.zeros((order - before, x.shape[1]), np.float32), x])
    return blanked(_whitened(x, front, start), front.rate_hz)


def _whitened(x: Samples, front: Front, start: int) -> Samples:
    """White samples of band-passed ones that begin `order` before sample `start`, at rest."""
    whitening, order = front.whitening, front.whitening.order
    if front.rest is None:
        return apply_whitening(x, whitening)
    out = np.empty((len(x) - order, len(whitening.matrix)), np.float32)
    for first, stop, moved in front.rest.runs(start, len(out), front.band.step):
        matrix = no_louder(front.rest.matrix(moved), whitening.matrix)
        out[first:stop] = apply_whitening(x[first : stop + order], whitening, matrix)
    return out


def no_louder(rest: Samples, whitening: Samples) -> Samples:
    """Whitening of samples that are taken back to rest, whose noise is nowhere above one.

    Places at rest that few channels see, or none, are extrapolated, and noise with them: in some
    directions over channels it had twice its SD, and was found to be units. Directions louder than
    one SD are taken back to it.

    Parameters
    ----------
    rest : ndarray, shape (n_channels, n_channels), float32
        Takes samples back to rest.
    whitening : ndarray, shape (n_channels, n_channels), float32
        Makes the noise of samples white that were not moved.

    Returns
    -------
    ndarray, shape (n_channels, n_channels), float32
        White samples at rest are ``samples @ matrix.T``.
    """
    matrix = whitening.astype(np.float64) @ rest
    moved = np.linalg.solve(whitening.T.astype(np.float64), matrix.T).T
    power, directions = np.linalg.eigh(moved @ moved.T)
    loud = power > 1
    over = directions[:, loud] * (1 - power[loud] ** -0.5)
    return np.asarray(matrix - over @ (directions[:, loud].T @ matrix), dtype=np.float32)


def blanked(z: Samples, rate_hz: float) -> Samples:
    """White samples with nothing around what no neuron can be: stimulation, saturation.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
        Changed in place.
    rate_hz : float
    """
    far = np.flatnonzero(np.max(np.abs(z), axis=1, initial=0) > ARTIFACT_SD)
    reach = round(ARTIFACT_S * rate_hz)
    edges = np.zeros(len(z) + 1, np.int64)
    np.add.at(edges, np.maximum(far - reach, 0), 1)
    np.add.at(edges, np.minimum(far + reach + 1, len(z)), -1)
    z[np.cumsum(edges[:-1]) > 0] = 0
    return z


def _delay(band: Band) -> int:
    """Sample of the largest response to a pulse of a third of a millisecond, from its middle."""
    n = round(0.01 * band.rate_hz)
    x = np.arange(n) - n // 2
    pulse = np.exp(-0.5 * (x / (0.00012 * band.rate_hz)) ** 2).astype(np.float32)[:, None]
    every = Band(band.rate_hz, 1, band.sections)
    out, _ = run_filter(pulse, every, fresh_state(every, 1))
    return int(np.argmax(out[:, 0])) - n // 2
