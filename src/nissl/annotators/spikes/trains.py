"""Cutting and joining real spike trains to a given length."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

_TRIES = 20


def without_violations(
    times_s: npt.NDArray[np.float64], refractory_s: float
) -> npt.NDArray[np.float64]:
    """Drop spikes that follow the last kept one within the refractory period.

    Parameters
    ----------
    times_s : ndarray, shape (n_spikes,), seconds, increasing
    refractory_s : float

    Returns
    -------
    ndarray, shape (n_kept,), seconds
        Differences are all at least `refractory_s`.
    """
    kept = []
    last = -np.inf
    for time in times_s.tolist():
        if time - last >= refractory_s:
            kept.append(time)
            last = time
    return np.asarray(kept, dtype=np.float64)


def fit_train(
    times_s: npt.NDArray[np.float64],
    duration_s: float,
    rng: np.random.Generator,
    *,
    refractory_s: float = 1e-3,
    min_spikes: int = 30,
) -> tuple[npt.NDArray[np.float64], bool]:
    """Cut a train to a duration, or join copies of it until it is long enough.

    Parameters
    ----------
    times_s : ndarray, shape (n_spikes,), seconds, increasing
        At least two spikes.
    duration_s : float
    rng : numpy.random.Generator
        Places the cut; draws the interval at each join from the train's own intervals.
    refractory_s : float
        Spikes closer than this to the one before are dropped: in a train that was sorted from
        extracellular data they are errors, and as truth they would be two spikes of one cell
        at once.
    min_spikes : int
        Of up to twenty windows the first with so many spikes is taken, else the fullest.

    Returns
    -------
    times_s : ndarray, shape (n,), seconds in ``[0, duration_s)``
        No interval below `refractory_s`.
    joined : bool
        Whether copies were joined.

    Raises
    ------
    BadArgumentError
        Fewer than two spikes, or a duration that is not above 0 s.
    """
    if times_s.size < 2 or not duration_s > 0:
        raise BadArgumentError(
            "at least two spikes and a duration above 0 s",
            f"{times_s.size} spikes, {duration_s} s",
            "Leave the unit out, or ask for a longer recording.",
        )
    span_s = float(times_s[-1] - times_s[0])
    if span_s < duration_s:
        return _joined(times_s, duration_s, rng, refractory_s), True
    best = np.empty(0)
    for _ in range(_TRIES):
        start = times_s[0] + rng.uniform(0.0, span_s - duration_s)
        first, last = np.searchsorted(times_s, [start, start + duration_s])
        window = without_violations(times_s[first:last] - start, refractory_s)
        if window.size > best.size:
            best = window
        if best.size >= min_spikes:
            break
    return best, False


def _joined(
    times_s: npt.NDArray[np.float64],
    duration_s: float,
    rng: np.random.Generator,
    refractory_s: float,
) -> npt.NDArray[np.float64]:
    clean = without_violations(times_s, refractory_s)
    if clean.size < 2:
        raise BadArgumentError(
            f"at least two spikes {refractory_s} s apart", f"{clean.size}", "Leave the unit out."
        )
    gaps = np.diff(clean)
    copy = clean - clean[0]
    pieces, start = [], float(rng.choice(gaps)) * float(rng.uniform())
    while start < duration_s:
        pieces.append(copy + start)
        start += copy[-1] + float(rng.choice(gaps))
    times = without_violations(np.concatenate(pieces), refractory_s)
    return times[times < duration_s]
