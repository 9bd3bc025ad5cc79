"""How neurons answer to stimuli: on and off, over trials, and one stimulus against another.

An answer is the mean trace during a window less that before it. Chance is what the same trace
gives at trials at other times: all are shifted around the recording together, and each by up to
half the usual distance of trials on its own, so that slow fluctuations and about the spacing are
those of the data, while no shift meets all trials again. The observed trials count among them. Q
values control the false discovery rate over neurons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError, MissingInputError
from nissl.trust.discoveries import benjamini_hochberg

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_TRIALS = 3


@dataclass(frozen=True)
class Window:
    """Frames around a stimulus.

    Parameters
    ----------
    before_s : float
        Length of the stretch before the stimulus that it is compared with.
    after_s : float
        Length of the stretch after its end whose answer is "off".
    """

    before_s: float = 3.0
    after_s: float = 3.0


@dataclass(frozen=True, eq=False)
class Responses:
    """Answers of neurons to one stimulus.

    Parameters
    ----------
    on, off : ndarray, shape (n_trials, n_neurons)
        Answer of each trial; NaN where too little of the trace is known.
    p_on, p_off : ndarray, shape (n_neurons,)
        Of the mean over trials; NaN where fewer than three of them are known.
    q_on, q_off : ndarray, shape (n_neurons,)
        Over the neurons.
    adaptation, p_adaptation, q_adaptation : ndarray, shape (n_neurons,)
        Slope of the on answer over the number of the trial, and how often trials in random
        order give one as steep.
    """

    on: Floats
    off: Floats
    p_on: Floats
    p_off: Floats
    q_on: Floats
    q_off: Floats
    adaptation: Floats
    p_adaptation: Floats
    q_adaptation: Floats


def responses(
    traces: npt.NDArray[np.floating],
    starts: Sequence[int],
    stops: Sequence[int],
    rate_hz: float,
    rng: np.random.Generator,
    *,
    window: Window | None = None,
    permutations: int = 2000,
) -> Responses:
    """Answers of every neuron to a stimulus that comes several times.

    Parameters
    ----------
    traces : ndarray, shape (n_frames, n_neurons)
        dF/F, say; NaN where a neuron was not seen.
    starts, stops : sequence of int
        Frames [start, stop) of each trial, in order.
    rate_hz : float
    rng : numpy.random.Generator
    window : Window, optional
    permutations : int

    Raises
    ------
    MissingInputError
        Fewer than three trials that lie within the recording with what is before them.
    """
    begin, end = np.asarray(starts, np.int64), np.asarray(stops, np.int64)
    if begin.shape != end.shape or np.any(end <= begin):
        raise BadArgumentError(
            "a stop after each start", f"{begin.tolist()} and {end.tolist()}", "Mend the trials."
        )
    frames = window or Window()
    before = max(round(frames.before_s * rate_hz), 1)
    after = max(round(frames.after_s * rate_hz), 1)
    n = len(traces)
    whole = (begin >= before) & (end + after <= n)
    begin, end = begin[whole], end[whole]
    if begin.size < LEAST_TRIALS:
        raise MissingInputError(
            f"{LEAST_TRIALS} trials within the recording, {frames.before_s:g} s before and "
            f"{frames.after_s:g} s after them included",
            f"{begin.size}",
            "Record more trials, or shorten the window.",
        )
    sums = _Sums.of(np.asarray(traces, np.float64))
    on, off = _answers(sums, begin, end, before, after)
    count = [np.ones(traces.shape[1]) for _ in range(2)]
    observed = [np.where(_few(each), np.nan, np.abs(_mean(each))) for each in (on, off)]
    half = max(int(np.median(np.diff(begin))) // 2, 1)
    for shift in rng.integers(1, n, permutations).tolist():
        away = shift + rng.integers(-half, half + 1, begin.size)
        for k, each in enumerate(_answers(sums, begin + away, end + away, before, after)):
            with np.errstate(invalid="ignore"):
                count[k] += np.abs(_mean(each)) >= observed[k]
    p = [np.where(np.isfinite(o), c / (permutations + 1), np.nan)
         for c, o in zip(count, observed, strict=True)]  # fmt: skip
    slope, p_slope = _adaptation(on, rng, permutations)
    p_slope = np.where(_few(on), np.nan, p_slope)
    q_on, q_off, q_slope = (benjamini_hochberg(each) for each in (*p, p_slope))
    return Responses(on, off, p[0], p[1], q_on, q_off, slope, p_slope, q_slope)


def compared(
    a: Floats, b: Floats, rng: np.random.Generator, *, permutations: int = 2000
) -> tuple[Floats, Floats, Floats]:
    """Difference of answers to two stimuli, with P and Q, each (n_neurons,).

    Parameters
    ----------
    a, b : ndarray, shape (n_trials, n_neurons)
        Answers of single trials, as `Responses.on`.
    rng : numpy.random.Generator
    permutations : int
        Random exchanges of trials between the two.
    """
    together = np.concatenate([a, b])
    observed = np.where(_few(a) | _few(b), np.nan, _mean(a) - _mean(b))
    count = np.ones(a.shape[1])
    for _ in range(permutations):
        mixed = together[rng.permutation(len(together))]
        with np.errstate(invalid="ignore"):
            count += np.abs(_mean(mixed[: len(a)]) - _mean(mixed[len(a) :])) >= np.abs(observed)
    p = np.where(np.isfinite(observed), count / (permutations + 1), np.nan)
    return observed, p, benjamini_hochberg(p)


@dataclass(frozen=True, eq=False)
class _Sums:
    """Running sums of traces and of how many values are known, twice around the recording."""

    total: Floats
    known: Floats
    n: int

    @classmethod
    def of(cls, traces: Floats) -> _Sums:
        known = np.isfinite(traces)
        twice = np.concatenate([np.where(known, traces, 0.0)] * 2)
        counts = np.concatenate([known] * 2).astype(np.float64)
        none = np.zeros((1, traces.shape[1]))
        return cls(
            np.concatenate([none, np.cumsum(twice, axis=0)]),
            np.concatenate([none, np.cumsum(counts, axis=0)]),
            len(traces),
        )

    def mean(self, start: Ints, stop: Ints) -> Floats:
        """Mean over [start, stop), around the end; NaN where less than half is known."""
        first = start % self.n
        last = first + (stop - start)
        counts = self.known[last] - self.known[first]
        enough = counts >= 0.5 * (stop - start)[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(enough, (self.total[last] - self.total[first]) / counts, np.nan)


def _answers(sums: _Sums, begin: Ints, end: Ints, before: int, after: int) -> tuple[Floats, Floats]:
    """On and off answers of each trial, (n_trials, n_neurons)."""
    during = sums.mean(begin, end)
    on = during - sums.mean(begin - before, begin)
    late = np.maximum(begin, end - after)
    off = sums.mean(end, end + after) - sums.mean(late, end)
    return on, off


def _mean(answers: Floats) -> Floats:
    """Mean over trials that are known, (n_neurons,)."""
    known = np.isfinite(answers)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, answers, 0).sum(axis=0) / known.sum(axis=0))


def _few(answers: Floats) -> npt.NDArray[np.bool_]:
    """Neurons of which too few trials are known to tell an answer from chance, (n_neurons,)."""
    return np.asarray(np.isfinite(answers).sum(axis=0) < LEAST_TRIALS)


def _adaptation(on: Floats, rng: np.random.Generator, permutations: int) -> tuple[Floats, Floats]:
    """Slope over trials by least squares, and its P by trials in random order."""
    order = np.arange(len(on), dtype=np.float64)[:, None]
    known = np.isfinite(on)
    filled = np.where(known, on, 0.0)

    def slope(turn: Floats) -> Floats:
        count = known.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            x = np.where(known, turn - (turn * known).sum(axis=0) / count, 0.0)
            y = np.where(known, filled - filled.sum(axis=0) / count, 0.0)
            return np.asarray((x * y).sum(axis=0) / (x**2).sum(axis=0))

    observed = slope(order)
    count = np.ones(on.shape[1])
    for _ in range(permutations):
        with np.errstate(invalid="ignore"):
            count += np.abs(slope(order[rng.permutation(len(on))])) >= np.abs(observed)
    return observed, np.where(np.isfinite(observed), count / (permutations + 1), np.nan)


__all__ = ["Responses", "Window", "compared", "responses"]
