"""The fitted sorter on a stream: samples in, spikes out, in bounded time and memory.

A spike's score is known when its scored window is over (1.3 ms after the peak). It is told when
the scores of `wait` more samples are known, so that those of overlapping units that gain more have
come up by then. What is so small that it may be the beginning of a large spike whose score is not
known yet waits until that is known, and so does what comes up beside it. Spikes that were told are
taken out of the scores of all later samples, and their tails out of scores that do not exist yet;
those that were found but not told are forgotten, and found again with more samples. A spike that
shows only when a later one is taken out, whose beginning covered it, is told then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.confidence.evidence import crowds, evidence_given
from nissl.annotators.spikes.own.confidence.model import confidences
from nissl.annotators.spikes.own.confidence.usual import Usual
from nissl.annotators.spikes.own.live.following import Following
from nissl.annotators.spikes.own.live.white_stream import WhiteStream
from nissl.annotators.spikes.own.matching.pursuit import Matched, no_spikes, pursue_scores, take_out
from nissl.annotators.spikes.own.matching.scoring import scores_of
from nissl.annotators.spikes.own.matching.subtraction import used_amplitude
from nissl.annotators.spikes.own.preprocessing.front import Front
from nissl.annotators.spikes.own.templates.templates import Templates

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

WAIT_MS = 1.0
MARGIN = 1.3
"""Spikes may be larger than their templates by this factor."""


@dataclass(frozen=True, eq=False)
class Told:
    """Spikes of a stream.

    Parameters
    ----------
    sample : ndarray, shape (n,), int64
        Samples of the recording since the segment began.
    unit : ndarray, shape (n,), int64
        Template.
    amplitude : ndarray, shape (n,), float32
        In templates.
    confidence : ndarray, shape (n,), float32
        Probability that it is a spike of its unit; NaN where nothing usual is known.
    """

    sample: Ints
    unit: Ints
    amplitude: Samples
    confidence: Samples


_NOTHING = Told(
    np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.float32)
)


class SpikeStream:
    """Spikes of fitted units as samples come.

    Parameters
    ----------
    front : Front
    templates : Templates
    wait : int, optional
        White samples whose scores must be known after a spike's own before it is told; by
        default `WAIT_MS`.
    following : Following, optional
        Templates that follow the tissue; it was made of the same templates.
    usual : Usual, optional
        What is usual for spikes of these templates, from a recording.
    """

    def __init__(
        self,
        front: Front,
        templates: Templates,
        *,
        wait: int | None = None,
        following: Following | None = None,
        usual: Usual | None = None,
    ) -> None:
        self.front = front
        self._usual = usual
        self._following = following
        self.templates = templates if following is None else following.templates
        self.wait = round(WAIT_MS * front.rate_hz / 1000) if wait is None else wait
        self._longer = max(self.templates.reach - self.wait, 0)
        self._white = WhiteStream(front)
        for name in ("echoes", "own", "norms", "weights", "overlaps", "pairs"):
            getattr(self.templates, name)  # before the first sample, not with it
        self._mistaken = MARGIN * beginnings(self.templates, self.wait)
        self.reset()

    @property
    def delay(self) -> int:
        """Most samples of the recording from a spike's sample to the one with which it is told.

        Only what a later spike had covered waits so long, others `templates.reach` less. Blocks
        that are pushed come on top.
        """
        windows = self.templates.windows
        white = windows.scored - windows.before + self.wait + self.templates.reach
        return white * self.front.band.step + self.front.delay

    def reset(self) -> None:
        """Begin a new segment; spikes that were not told are lost."""
        n_channels = len(self.front.columns)
        self._white.reset()
        self._z = np.empty((0, n_channels), np.float32)
        self._scores = np.empty((len(self.templates), 0), np.float32)
        self._first = 0  # column 0 of the scores
        self._last = 0  # spikes are told up to it
        self._recent = no_spikes()
        if self._following is not None:
            self._following.reset()

    def warm(self, raw: Samples) -> None:
        """Compile all that a stream needs; what it learnt and knows by then is no use.

        Parameters
        ----------
        raw : ndarray, shape (n, n_channels), float32
            A block.
        """
        for _ in range(2 + 2 * self.templates.windows.scored * self.front.band.step // len(raw)):
            self._recent = _one_of_each(len(self.templates))
            self.push(raw)
        if self._following is not None:
            self._following.warm()
        self._confidence(_one_of_each(len(self.templates)), no_spikes())
        self.reset()

    def push(self, raw: Samples, missing: npt.NDArray[np.bool_] | None = None) -> Told:
        """Spikes that are known after one more block.

        Parameters
        ----------
        raw : ndarray, shape (n, n_channels), float32, uV
            All finite. Which spikes are told does not depend on the sizes of blocks, but for
            chains of overlaps; what must not depend on them at all is cut into equal blocks.
        missing : ndarray, shape of `raw`, bool, optional
            Values that were made up.
        """
        z = self._white.push(raw, missing)
        self._add_scores(z)
        last = self._first + self._scores.shape[1] - 1 - self.wait
        told = around = no_spikes()
        if last > self._last:
            told, around = self._decided(last)
        out = self._in_samples(told, around)
        if self._following is not None:
            self._following.add(z, told, max(last - self._longer, 0))
        return out

    def _add_scores(self, z: Samples) -> None:
        """Scores of windows that are now complete, without what told spikes explain."""
        self._z = np.concatenate([self._z, z])
        n = len(self._z) - self.templates.windows.scored + 1
        if n < 1:
            return
        fresh = scores_of(self._z, self.templates)
        self._z = self._z[n:]
        self._out_of(fresh, self._first + self._scores.shape[1], self._recent)
        self._scores = np.concatenate([self._scores, fresh], axis=1)

    def _decided(self, last: int) -> tuple[Matched, Matched]:
        """Spikes that are told now, and others around them: told before, or found by now."""
        barred = np.zeros(self._scores.shape, np.uint8)
        recent = self._recent
        _bar(barred, recent.at - self._first, recent.unit, self.templates.windows.refractory)
        barred[:, : max(0, self._white.artifact + 1 - self._first)] = 1
        found = pursue_scores(self._scores.copy(), self.templates, self.front.rate_hz, barred)
        told, around = found, recent
        if len(found):
            found = found.moved(self._first)
            known = (found.at <= last) & ~self._waits(found, last)
            told, around = found.taken(known), recent.joined(found.taken(~known))
            self._out_of(self._scores, self._first, told)
            recent = recent.joined(told)
        if len(recent):
            self._recent = recent.taken(recent.at + self.templates.windows.long > last)
        first = max(last - self.templates.reach, self._first)
        self._scores = np.ascontiguousarray(self._scores[:, first - self._first :])
        self._first, self._last = first, last
        return told, around

    def _waits(self, found: Matched, last: int) -> npt.NDArray[np.bool_]:
        """Spikes that may be the beginning of an unknown one, or be made by such a one."""
        templates = self.templates
        size = found.amplitude * templates.norms[found.unit]
        waits = (found.at > last - self._longer) & (size < self._mistaken[found.unit])
        if not waits.any():
            return waits
        near = np.abs(found.at[:, None] - found.at) < templates.windows.long
        near &= templates.overlaps[found.unit[:, None], found.unit]
        near &= found.gain > found.gain[:, None]
        for _ in range(len(found)):
            more = waits | (near & waits).any(axis=1)
            if np.array_equal(more, waits):
                break
            waits = more
        # what is not told by now cannot be found again
        return waits & (found.at > last - templates.reach + 1)

    def _out_of(self, scores: Samples, first: int, spikes: Matched) -> None:
        if not len(spikes):
            return
        templates = self.templates
        start, columns = templates.pairs
        _explain(
            scores,
            spikes.at - first - templates.reach,
            spikes.unit,
            spikes.shift,
            used_amplitude(spikes, templates),
            start,
            columns,
            templates.echoes,
        )

    def _in_samples(self, told: Matched, around: Matched) -> Told:
        if not len(told):
            return _NOTHING
        exact = told.at + self.templates.windows.before + told.shift.astype(np.float64)
        sample = np.round(exact * self.front.band.step).astype(np.int64) - self.front.delay
        sure = self._confidence(told, around)
        return Told(np.maximum(sample, 0), told.unit, told.amplitude, sure)

    def _confidence(self, told: Matched, around: Matched) -> Samples:
        if self._usual is None:
            return np.full(len(told), np.nan, np.float32)
        every = told.joined(around)
        at = np.asarray(every.at + every.shift, np.float64)
        order = np.argsort(at, kind="stable")
        crowd = np.empty(at.size)
        crowd[order] = crowds(at[order], every.unit[order], self.templates, self.front.rate_hz)
        own = told.unit, told.amplitude, told.gain, told.rival_gain, crowd[: len(told)]
        return confidences(evidence_given(*own, self.templates, self._usual))


def beginnings(templates: Templates, wait: int) -> Samples:
    """Largest score that each unit has of the beginning of a spike that is not known yet.

    Parameters
    ----------
    templates : Templates
    wait : int
        Samples whose scores are known after the unit's own.

    Returns
    -------
    ndarray, shape (n_units,), float32
    """
    ahead = max(templates.reach - wait, 0)
    out = np.zeros(len(templates), np.float32)
    np.maximum.at(
        out, templates.pairs[1], templates.echoes[:, :, :ahead].max(axis=(1, 2), initial=0)
    )
    return out


def _one_of_each(n_units: int) -> Matched:
    zero, one = np.zeros(n_units, np.float32), np.ones(n_units, np.float32)
    unit = np.arange(n_units)
    return Matched(np.zeros(n_units, np.int64), zero, unit, one, one, unit, zero)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _bar(barred: npt.NDArray[np.uint8], at: Ints, unit: Ints, refractory: int) -> None:
    for i in range(len(at)):
        for t in range(max(at[i] - refractory, 0), min(at[i] + refractory + 1, barred.shape[1])):
            barred[unit[i], t] = 1


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _explain(
    scores: Samples,
    lag0: Ints,
    unit: Ints,
    shift: Samples,
    amplitude: Samples,
    start: npt.NDArray[np.int32],
    columns: npt.NDArray[np.int32],
    echoes: Samples,
) -> None:
    for i in range(len(lag0)):
        low, high = max(lag0[i], 0), min(lag0[i] + echoes.shape[2], scores.shape[1])
        u = unit[i]
        take_out(
            scores, low, high, lag0[i], shift[i], amplitude[i], start[u], start[u + 1], columns,
            echoes,
        )  # fmt: skip
