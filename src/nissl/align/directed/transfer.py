"""Transfer entropy from one series to another, with delays, embeddings and tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from nissl.align.directed.embedding import Past, Rows, embed
from nissl.align.directed.estimators import (
    Estimator,
    NearestNeighbours,
    gaussian,
)
from nissl.align.directed.surrogates import Kind, p_value, reindex

Values = npt.NDArray[np.float64]
Method = Literal["gaussian", "ksg"]
Given = Sequence[tuple[npt.ArrayLike, Past]]


@dataclass(frozen=True, eq=False)
class Transfer:
    """Transfer entropy and its test.

    Parameters
    ----------
    value : float
        Nats.
    local : ndarray, shape (n_rows,), float64
        What each predicted sample adds; `value` is their mean.
    p : float
        Of no transfer; NaN where it was not tested.
    null : ndarray, shape (n_surrogates,), float64
        Empty where the test has a closed form.
    delay : int
        Samples.
    """

    value: float
    local: Values
    p: float
    null: Values
    delay: int


def estimator_of(method: Method, rows: Rows, *, k: int = 4, theiler: int = 0) -> Estimator:
    """Return the function behind a method's name."""
    if method == "gaussian":
        return gaussian
    return NearestNeighbours(k, theiler, rows.trial, rows.sample)


def transfer_entropy(
    source: npt.ArrayLike,
    target: npt.ArrayLike,
    *,
    method: Method = "ksg",
    target_past: Past | None = None,
    source_past: Past | None = None,
    given: Given = (),
    k: int = 4,
    theiler: int = 0,
    surrogates: int = 0,
    kind: Kind = "block",
    block: int = 1,
    rng: np.random.Generator | None = None,
) -> Transfer:
    """Transfer entropy, conditional where other series are given.

    Parameters
    ----------
    source, target : array-like, shape (n_samples,) or (n_trials, n_samples)
    method : "gaussian" or "ksg"
        Linear, with an F test; or nearest neighbours, tested by surrogates.
    target_past, source_past : Past, optional
    given : sequence of (series, Past)
        What is conditioned on, such as a common drive.
    k, theiler : int
        See `NearestNeighbours`.
    surrogates : int
        Zero for none; "gaussian" is then tested by its F distribution, "ksg" not at all.
    kind, block
        See `reindex`.
    rng : numpy Generator
        Needed with surrogates.

    References
    ----------
    Schreiber 2000, Phys. Rev. Lett. 85:461.
    """
    rows = embed(source, target, target_past=target_past, source_past=source_past, given=given)
    estimate = estimator_of(method, rows, k=k, theiler=theiler)
    found = estimate(rows.source, rows.now, rows.past)
    null = np.zeros(0)
    p = f_test(rows, found.value) if method == "gaussian" else float("nan")
    if surrogates:
        chance = rng or np.random.default_rng(0)
        null = null_of(rows, estimate, surrogates, chance, kind=kind, block=block)
        p = p_value(found.value, null)
    return Transfer(found.value, found.local, p, null, (source_past or Past()).delay)


def null_of(
    rows: Rows,
    estimate: Estimator,
    n: int,
    rng: np.random.Generator,
    *,
    kind: Kind = "block",
    block: int = 1,
) -> Values:
    """Estimates for sources whose rows were put in another order, shape (n,)."""
    out = np.zeros(n)
    for at in range(n):
        order = reindex(len(rows.now), kind, rng, block=block)
        out[at] = estimate(rows.source[order], rows.now, rows.past).value
    return out


def f_test(rows: Rows, value: float) -> float:
    """P value of a Gaussian transfer entropy: that the source adds nothing to a prediction."""
    from scipy.stats import f

    added = rows.source.shape[1]
    left = len(rows.now) - 1 - rows.past.shape[1] - added
    return float(f.sf(np.expm1(2 * value) * left / added, added, left))


def scan_delays(
    source: npt.ArrayLike,
    target: npt.ArrayLike,
    delays: Sequence[int],
    *,
    method: Method = "ksg",
    target_past: Past | None = None,
    source_past: Past | None = None,
    given: Given = (),
    k: int = 4,
    theiler: int = 0,
) -> tuple[Transfer, Values]:
    """The delay at which most is transferred.

    Parameters
    ----------
    delays : sequence of int
        Samples. All are estimated on the rows that the longest allows, so that they compare.

    Returns
    -------
    best : Transfer
        Untested: a test of it must scan its surrogates too.
    profile : ndarray, shape (n_delays,), float64
        Transfer entropy at each delay, nats.

    References
    ----------
    Wibral et al. 2013, PLoS ONE 8:e55809: the target's own past stays next to the predicted
    sample, the source's moves.
    """
    own, theirs = target_past or Past(), source_past or Past()
    longest = max(delays)
    profile, best = np.zeros(len(delays)), None
    for at, delay in enumerate(delays):
        cut = longest - delay  # drop the first rows of short delays
        rows = embed(
            np.atleast_2d(np.asarray(source))[:, cut:],
            np.atleast_2d(np.asarray(target))[:, cut:],
            target_past=own,
            source_past=replace(theirs, delay=int(delay)),
            given=[(np.atleast_2d(np.asarray(each))[:, cut:], past) for each, past in given],
        )
        estimate = estimator_of(method, rows, k=k, theiler=theiler)
        found = estimate(rows.source, rows.now, rows.past)
        profile[at] = found.value
        if best is None or found.value > best.value:
            best = Transfer(found.value, found.local, float("nan"), np.zeros(0), int(delay))
    if best is None:
        best = Transfer(float("nan"), np.zeros(0), float("nan"), np.zeros(0), 0)
    return best, profile


def choose_past(
    source: npt.ArrayLike,
    target: npt.ArrayLike,
    *,
    longest: int,
    method: Method = "gaussian",
    surrogates: int = 100,
    alpha: float = 0.05,
    k: int = 4,
    rng: np.random.Generator,
) -> tuple[list[int], list[int], Transfer]:
    """Greedy choice of single lags of target and source, without even spacing.

    Lags of the target are taken first, each the one that tells most beyond those taken, until
    the best is no better than the best of the same lags in permuted rows; then the source's.

    Parameters
    ----------
    longest : int
        Largest lag, samples.
    surrogates : int
        Permutations for each stop.
    alpha : float

    Returns
    -------
    target_lags, source_lags : list of int
    transfer : Transfer
        From the chosen lags; zero where none of the source's was taken. Its P value is that of
        a permutation of the source's rows, after choice, and thus a little small.

    References
    ----------
    Faes, Nollo and Porta 2011, Phys. Rev. E 83:051112; Lizier and Rubinov 2012, Preprint 25,
    Max Planck Institute for Mathematics in the Sciences.
    """
    whole = Past(length=longest)
    rows = embed(source, target, target_past=whole, source_past=whole)
    estimate = estimator_of(method, rows, k=k)
    own = _greedy(
        rows.now, rows.past, np.zeros((len(rows.now), 0)), estimate, surrogates, alpha, rng
    )
    past = rows.past[:, own]
    theirs = _greedy(rows.now, rows.source, past, estimate, surrogates, alpha, rng)
    lags = [at + 1 for at in own], [at + 1 for at in theirs]
    if not theirs:
        return *lags, Transfer(0.0, np.zeros(len(rows.now)), 1.0, np.zeros(0), 0)
    chosen = replace(rows, past=past, source=rows.source[:, theirs])
    found = estimate(chosen.source, chosen.now, chosen.past)
    null = null_of(chosen, estimate, surrogates, rng, kind="permutation")
    p = p_value(found.value, null)
    return *lags, Transfer(found.value, found.local, p, null, theirs[0] + 1)


def _greedy(
    now: Values,
    candidates: Values,
    given: Values,
    estimate: Estimator,
    surrogates: int,
    alpha: float,
    rng: np.random.Generator,
) -> list[int]:
    taken: list[int] = []
    while len(taken) < candidates.shape[1]:
        left = [at for at in range(candidates.shape[1]) if at not in taken]
        known = np.column_stack([given, candidates[:, taken]])
        gains = [estimate(candidates[:, [at]], now, known).value for at in left]
        null = np.zeros(surrogates)
        for s in range(surrogates):
            order = rng.permutation(len(now))
            null[s] = max(estimate(candidates[order][:, [at]], now, known).value for at in left)
        if p_value(max(gains), null) > alpha:
            break
        taken.append(left[int(np.argmax(gains))])
    return taken
