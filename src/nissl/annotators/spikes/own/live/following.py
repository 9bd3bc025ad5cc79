"""Templates that follow slow changes: a running mean of each unit's clean spikes.

Of each spike of which we are sure what is left of the samples, with the spike itself put back,
moves its template by one part in `n`: the spikes of the last `time_s` seconds, and never fewer
than `FEWEST`, so that a silent unit is not made of noise. A template goes no farther from what was
fitted than `bound` of its norm, and to no other channels; what moves farther is fitted anew. Units
below `LEAST_SD` stay as they were fitted: noise that passes for their spikes looks like them, and
would make them of itself.

Where the tissue moves along the probe, all templates go with it (`drifting`); what follows is then
how each differs from its template displaced.

The work is spread over pushes, a little with every fourth of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numba
import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.live.drifting import Drift
from nissl.annotators.spikes.own.matching.pursuit import Matched, no_spikes
from nissl.annotators.spikes.own.matching.subtraction import subtract, used_amplitude
from nissl.annotators.spikes.own.templates.projection import N_PHASES
from nissl.annotators.spikes.own.templates.templates import Templates, correlograms, padded, spectra
from nissl.errors import BadArgumentError

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

FEWEST = 100.0
LEAST_SD = 12.0
"""Of a template's norm, in SDs of the noise."""
LEAST_AMPLITUDE, MOST_AMPLITUDE = 0.6, 1.6
SURE = 3.0
"""A spike gains so many times what its rival would have gained."""
LEARN_EVERY, BRING_EVERY = 16, 4
"""Pushes between two looks at spikes, and between two small steps of bringing a unit up to date."""
PAIRS_AT_ONCE = 24


class Following:
    """Templates that are changed as spikes come.

    Parameters
    ----------
    templates : Templates
        As fitted; they are copied.
    rate_hz : float
        Of the white samples.
    time_s : float
        Time constant.
    bound : float
        Farthest that a template goes, as a share of its norm.
    drift : Drift, optional
        Of these templates: then they go along the probe with the tissue besides.

    Attributes
    ----------
    templates : Templates
        As they are now: its arrays change in place, between two pushes of the stream.

    Raises
    ------
    BadArgumentError
        A time constant that is not above 0, or a bound that is not between 0 and 1.
    """

    def __init__(
        self,
        templates: Templates,
        rate_hz: float,
        *,
        time_s: float = 60.0,
        bound: float = 0.5,
        drift: Drift | None = None,
    ) -> None:
        if not (0 < time_s < math.inf and 0 < bound < 1):
            raise BadArgumentError(
                "a time constant above 0 s, and a bound between 0 and 1",
                f"{time_s} s and {bound}",
                "--set follow_s=60 --set follow_bound=0.5, or --set follow=false",
            )
        templates = templates if drift is None else drift.templates
        self.templates = replace(templates, waveforms=templates.waveforms.copy())
        for name in ("channels", "overlaps", "pairs", "echoes", "own", "moved", "norms"):
            getattr(self.templates, name)  # all that depends on the waveforms exists from now on
        self._parts = Parts(self.templates)
        self._fitted = templates.waveforms.copy()
        self._drift = drift
        self._stands = np.full(len(templates), 0 if drift is None else drift.at)
        self._clock = 0  # white samples that were learnt from, over all segments
        self._size = np.linalg.norm(templates.waveforms, axis=(1, 2)).astype(np.float64)
        self._mean = templates.waveforms.copy()
        self._count = np.full(len(templates), FEWEST)
        self._able = self.templates.norms >= LEAST_SD**2
        self._time = time_s * rate_hz
        self._bound = bound
        self._steps = self._bringing()
        self.reset()

    @property
    def distance(self) -> npt.NDArray[np.float64]:
        """How far each mean is from what was fitted, there where it stands, over its norm."""
        apart = np.linalg.norm(self._mean - self._fitted, axis=(1, 2))
        return np.asarray(apart / np.maximum(self._size, 1e-9), np.float64)

    def reset(self) -> None:
        """Begin a new segment; what was learnt stays."""
        self._z = np.empty((0, self._fitted.shape[2]), np.float32)
        self._pieces: list[Samples] = []
        self._begin = 0  # sample of the first row of `_z`
        self._spikes = no_spikes()
        self._new: list[Matched] = []
        self._done = 0  # peaks before it were learnt from
        self._n = 0

    def warm(self) -> None:
        """Compile all that is needed later; nothing is learnt."""
        templates = self.templates
        z = np.zeros((2 * templates.windows.long, self._fitted.shape[2]), np.float32)
        zero, none = np.zeros(1, np.float32), np.zeros(1, np.int64)
        spike = Matched(none + templates.windows.long, zero, none, zero, zero, none - 1, zero)
        mean, count = self._mean.copy(), self._count.copy()
        self._move(subtract(z, spike, templates), spike)
        self._mean, self._count = mean, count
        for _ in self._parts.steps(0, self._mean[0]):
            pass

    def add(self, z: Samples, told: Matched, last: int) -> None:
        """Take white samples, and the spikes that were told meanwhile.

        Parameters
        ----------
        z : ndarray, shape (n, n_channels), float32
        told : Matched
            `at` is where the scored window begins, in white samples of the segment.
        last : int
            All spikes up to there were told.
        """
        windows = self.templates.windows
        self._pieces.append(z)
        if len(told):
            self._new.append(told.moved(windows.before))
        self._n += 1
        if self._n % LEARN_EVERY == 0:
            self._gather()
            self._learn(last + windows.before - windows.long)
        elif self._n % BRING_EVERY == 0:
            next(self._steps)

    def _bringing(self) -> Iterator[None]:
        """Bring units up to date, one after the other, for ever."""
        able = np.flatnonzero(self._able).tolist()
        while True:
            if self._drift is not None:
                for u in able:
                    self._drift.judge(u, self._clock)
                    yield
                self._drift.decide()
            for u in range(len(self.templates)):
                if self._carried(u) or self._able[u]:
                    yield from self._parts.steps(u, self._mean[u].copy())
            yield

    def _carried(self, u: int) -> bool:
        """Whether a template had to be brought to where the tissue stands."""
        if self._drift is None or self._stands[u] == self._drift.at:
            return False
        now = self._drift.waveform(u, self._drift.at)
        self._mean[u] += now - self._fitted[u]
        self._fitted[u] = now
        self._stands[u] = self._drift.at
        return True

    def _gather(self) -> None:
        self._z = np.concatenate([self._z, *self._pieces])
        for each in self._new:
            self._spikes = self._spikes.joined(each)
        self._pieces, self._new = [], []

    def _learn(self, until: int) -> None:
        """Learn from spikes before a sample: all that overlap them were told."""
        windows = self.templates.windows
        if until <= self._done:
            return
        sure = self._sure() & (self._spikes.at >= self._done) & (self._spikes.at < until)
        if sure.any():
            spikes = self._spikes.moved(-self._begin)
            self._move(subtract(self._z, spikes, self.templates), spikes.taken(sure))
        self._count *= math.exp((self._done - until) / self._time)
        self._clock += until - self._done
        self._done = until
        start = max(self._done - windows.long_before - 1, self._begin)
        self._z, self._begin = self._z[start - self._begin :], start
        self._spikes = self._spikes.taken(self._spikes.at >= self._done - windows.long)

    def _sure(self) -> npt.NDArray[np.bool_]:
        spikes, templates = self._spikes, self.templates
        sure = self._able[spikes.unit]
        sure &= (spikes.amplitude > LEAST_AMPLITUDE) & (spikes.amplitude < MOST_AMPLITUDE)
        sure &= spikes.gain > SURE * spikes.rival_gain
        near = np.abs(spikes.at[:, None] - spikes.at) < templates.windows.scored // 2
        near &= templates.overlaps[spikes.unit[:, None], spikes.unit]
        return np.asarray(sure & (near.sum(axis=1) == 1))

    def _move(self, residual: Samples, spikes: Matched) -> None:
        """Move means towards the spikes that came."""
        templates = self.templates
        first = spikes.at - templates.windows.long_before
        amplitude = used_amplitude(spikes, templates)
        if self._drift is not None:
            self._drift.add(residual, first, spikes.unit, spikes.shift, amplitude, templates)
        _towards(
            residual,
            first,
            spikes.unit,
            spikes.shift,
            amplitude,
            templates.channels,
            templates.waveforms,
            self._fitted,
            self._bound * self._size,
            self._mean,
            self._count,
        )


class Parts:
    """All that follows from waveforms, brought up to date in small steps, unit by unit.

    Parameters
    ----------
    templates : Templates
        Its arrays are changed in place; nobody else may hold it.
    """

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._longs, self._scored = spectra(templates)

    def steps(self, u: int, waveform: Samples) -> Iterator[None]:
        """Give a unit another waveform on the same channels; all is right after the last step."""
        t = self._templates
        self._put(u, waveform)
        yield
        start, columns = t.pairs
        for first in range(int(start[u]), int(start[u + 1]), PAIRS_AT_ONCE):
            own = slice(first, min(first + PAIRS_AT_ONCE, int(start[u + 1])))
            self._echo(u, own, columns[own])
            yield
            self._echo_back(u, columns[own])
            yield
        at = start[u] + np.searchsorted(columns[start[u] : start[u + 1]], u)
        t.own[u] = t.echoes[at][:, t.reach - 1 : t.reach + 2]
        on = np.ascontiguousarray(waveform[:, self._held(u)].T)
        t.moved[u][:, :, : len(on)] = _phases(on).transpose(0, 2, 1)
        yield

    def _put(self, u: int, waveform: Samples) -> None:
        t = self._templates
        windows, length, held = t.windows, padded(t.windows), self._held(u)
        t.waveforms[u] = waveform
        t.weights[u] = t.basis @ waveform[windows.lead : windows.lead + windows.scored]
        t.norms[u] = np.sum(t.weights[u] ** 2)
        t.scored[u] = t.basis.T @ t.weights[u]
        self._longs[u][:, held] = np.fft.rfft(waveform[:, held], length, axis=0)
        self._scored[u][:, held] = np.conj(np.fft.rfft(t.scored[u][:, held], length, axis=0))

    def _echo(self, u: int, rows: slice, others: npt.NDArray[np.int32]) -> None:
        """What its spikes do to scores of others."""
        held = self._held(u)
        scored = self._scored[others[:, None, None], np.arange(len(self._scored[0]))[:, None], held]
        product = (scored * self._longs[u][:, held]).sum(axis=2)
        self._templates.echoes[rows] = correlograms(product, self._templates.windows)

    def _echo_back(self, u: int, others: npt.NDArray[np.int32]) -> None:
        """What spikes of others do to its scores."""
        t = self._templates
        start, columns = t.pairs
        held = self._held(u)
        longs = self._longs[others[:, None, None], np.arange(len(self._longs[0]))[:, None], held]
        back = correlograms((longs * self._scored[u][:, held]).sum(axis=2), t.windows)
        for v, rows in zip(others.tolist(), back, strict=True):
            t.echoes[start[v] + np.searchsorted(columns[start[v] : start[v + 1]], u)] = rows

    def _held(self, u: int) -> Ints:
        near = self._templates.channels[u]
        return np.asarray(near[near >= 0], np.int64)


def _phases(shapes: Samples) -> Samples:
    """As `projection.phases`, in single precision, all shifts at once."""
    n = shapes.shape[-1]
    length = 1 << (2 * n - 1).bit_length()
    shift = np.arange(N_PHASES + 1)[:, None, None] / N_PHASES - 0.5
    turns = np.exp(-2j * np.pi * np.fft.rfftfreq(length) * shift).astype(np.complex64)
    return np.fft.irfft(np.fft.rfft(shapes, length) * turns, length)[..., :n].astype(np.float32)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _towards(
    residual: Samples,
    first: Ints,
    unit: Ints,
    shift: Samples,
    amplitude: Samples,
    channels: npt.NDArray[np.int32],
    waveforms: Samples,
    fitted: Samples,
    most: npt.NDArray[np.float64],
    mean: Samples,
    count: npt.NDArray[np.float64],
) -> None:
    n_long = waveforms.shape[1]
    for i in range(len(first)):
        u = unit[i]
        a = first[i] + (0 if shift[i] >= 0 else -1)
        part = np.float32(shift[i] if shift[i] >= 0 else 1 + shift[i])
        if a < 0 or a + n_long + 1 > len(residual):
            continue
        count[u] += 1
        step = np.float32(1 / max(count[u], FEWEST))
        apart = 0.0
        for j in range(n_long):
            # both ends stay as they are, or what begins there would have an edge
            edge = np.float32(min(1.0, min(j + 0.5, n_long - j - 0.5) / 6))
            for m in range(channels.shape[1]):
                c = channels[u, m]
                if c < 0:
                    break
                left = residual[a + j, c] * (1 - part) + residual[a + j + 1, c] * part
                seen = left + amplitude[i] * waveforms[u, j, c]
                mean[u, j, c] += step * edge * (seen - mean[u, j, c])
                apart += (mean[u, j, c] - fitted[u, j, c]) ** 2
        if apart > most[u] ** 2:
            back = np.float32(most[u] / math.sqrt(apart))
            for j in range(n_long):
                for c in range(mean.shape[2]):
                    mean[u, j, c] = fitted[u, j, c] + back * (mean[u, j, c] - fitted[u, j, c])
