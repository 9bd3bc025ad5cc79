"""Pasts of series as rows: what transfer entropy is a function of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError, BadSamplesError

Values = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Past:
    """Which samples of a series stand for its past.

    Parameters
    ----------
    length : int
        Number of samples.
    step : int
        Samples between them.
    delay : int
        Samples from the newest of them to the predicted one, 1 or more.
    """

    length: int = 1
    step: int = 1
    delay: int = 1

    def __post_init__(self) -> None:
        if min(self.length, self.step, self.delay) < 1:
            raise BadArgumentError(
                "a past of at least one sample, step and delay of 1 or more",
                f"length {self.length}, step {self.step}, delay {self.delay}",
                "Give positive numbers of samples.",
            )

    @property
    def reach(self) -> int:
        """Samples from the oldest to the predicted one."""
        return self.delay + (self.length - 1) * self.step


@dataclass(frozen=True, eq=False)
class Rows:
    """One row per predicted sample.

    Parameters
    ----------
    now : ndarray, shape (n_rows, 1), float64
        The predicted sample of the target.
    past : ndarray, shape (n_rows, n_past), float64
        The target's own past, then that of the series conditioned on.
    source : ndarray, shape (n_rows, n_source), float64
    trial : ndarray, shape (n_rows,), int64
    sample : ndarray, shape (n_rows,), int64
        Of the predicted sample, within its trial.
    """

    now: Values
    past: Values
    source: Values
    trial: Indices
    sample: Indices


def as_trials(series: npt.ArrayLike, name: str = "series") -> Values:
    """Return (n_trials, n_samples), z-scored over all of them.

    Raises
    ------
    BadSamplesError
        Where samples are missing, or all the same.
    """
    x = np.atleast_2d(np.asarray(series, dtype=np.float64))
    if x.ndim != 2 or x.size < 8:
        raise BadSamplesError(
            "a series of at least 8 samples, or trials of them",
            f"{name} of shape {np.shape(series)}",
            "Give an array of shape (n_samples,) or (n_trials, n_samples).",
        )
    spread = x.std(ddof=1)
    if not np.isfinite(spread) or spread <= 1e-12 * max(1.0, float(np.abs(x).max())):
        raise BadSamplesError(
            "finite samples that vary",
            f"a {name} that is constant or has missing samples",
            "Leave it out, or cut the stretches without data.",
        )
    return np.asarray((x - x.mean()) / spread)


def embed(
    source: npt.ArrayLike,
    target: npt.ArrayLike,
    *,
    target_past: Past | None = None,
    source_past: Past | None = None,
    given: Sequence[tuple[npt.ArrayLike, Past]] = (),
) -> Rows:
    """Rows of a target's samples, its past, a source's past, and pasts conditioned on.

    Parameters
    ----------
    source, target : array-like, shape (n_samples,) or (n_trials, n_samples)
        Sampled together; no row reaches over the edge of a trial.
    target_past, source_past : Past, optional
        One sample each, at a delay of one, where None.
    given : sequence of (array-like, Past)

    Raises
    ------
    BadArgumentError
        Where series differ in shape, or pasts reach beyond a trial.
    """
    own, theirs = target_past or Past(), source_past or Past()
    y = as_trials(target, "target")
    parts = [(y, own), *((as_trials(each, "series"), past) for each, past in given)]
    x = as_trials(source, "source")
    if {part.shape for part, _ in parts} != {x.shape} or x.shape != y.shape:
        shapes = sorted({x.shape, *(part.shape for part, _ in parts)})
        raise BadArgumentError(
            "series of one shape", f"{shapes}", "Cut them to the same trials and samples."
        )
    first = max(theirs.reach, *(past.reach for _, past in parts))
    n_trials, n = y.shape
    if n - first < 8:
        raise BadArgumentError(
            f"more than {first + 8} samples in a trial",
            f"{n}",
            "Shorten the pasts or the delay, or give longer trials.",
        )
    past = np.column_stack([_columns(part, each, first) for part, each in parts])
    return Rows(
        y[:, first:].reshape(-1, 1),
        past,
        _columns(x, theirs, first),
        np.repeat(np.arange(n_trials), n - first),
        np.tile(np.arange(first, n), n_trials),
    )


def _columns(series: Values, past: Past, first: int) -> Values:
    n = series.shape[1]
    lags = past.delay + past.step * np.arange(past.length)
    return np.column_stack([series[:, first - lag : n - lag].reshape(-1) for lag in lags])


def ragwitz(
    series: npt.ArrayLike, *, lengths: Sequence[int], steps: Sequence[int], k: int = 4
) -> Past:
    """The past from which a series is best predicted by its nearest neighbours.

    Parameters
    ----------
    series : array-like, shape (n_samples,) or (n_trials, n_samples)
    lengths, steps : sequence of int
        What is tried.
    k : int
        Neighbours whose futures are averaged.

    References
    ----------
    Ragwitz and Kantz 2002, Phys. Rev. E 65:056201.
    """
    from scipy.spatial import cKDTree

    x = as_trials(series)
    tried = [Past(length, step) for length in lengths for step in steps]
    tried = [each for each in dict.fromkeys(tried) if each.length > 1 or each.step == steps[0]]
    first = max(each.reach for each in tried)
    now = x[:, first:].reshape(-1)
    errors = []
    for past in tried:
        rows = _columns(x, past, first)
        _, near = cKDTree(rows).query(rows, k=k + 1, p=np.inf)
        others = _without_self(near)
        errors.append(float(np.mean((now[others].mean(axis=1) - now) ** 2)))
    return tried[int(np.argmin(errors))]


def _without_self(near: Indices) -> Indices:
    """Drop each row's own index, the last one where duplicates pushed it out."""
    own = near == np.arange(len(near))[:, None]
    own[~own.any(axis=1), -1] = True
    return np.asarray(near[~own].reshape(len(near), -1))
