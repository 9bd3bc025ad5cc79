"""Arrows between continuous series: rates, fields, fluorescence, blood flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.align.directed.arrows import Arrow, Arrows, Modality, judge
from nissl.align.directed.embedding import Past, as_trials, embed
from nissl.align.directed.estimators import residuals
from nissl.align.directed.surrogates import memory, p_value
from nissl.align.directed.transfer import Method, estimator_of, f_test, null_of
from nissl.errors import BadArgumentError
from nissl.run.progress import Progress, Silent

Values = npt.NDArray[np.float64]
STAGE = "arrows"


def order_by_bic(series: npt.ArrayLike, *, longest: int = 10) -> int:
    """Order of a vector autoregression by the Bayesian information criterion.

    Parameters
    ----------
    series : array-like, shape (n_series, n_samples) or (n_series, n_trials, n_samples)
    longest : int
        Largest order; less where samples do not allow it.

    References
    ----------
    Schwarz 1978, Ann. Stat. 6:461.
    """
    x = stacked(series)
    n_series, _, n = x.shape
    rows_of = x.shape[1] * n
    longest = max(1, min(longest, n // 4, (rows_of // 3) // n_series))
    best, best_score = 1, np.inf
    for order in range(1, longest + 1):
        now, past = lagged(x, order, first=longest)
        if past.shape[1] + n_series + 1 >= len(now):
            break
        left = residuals(now, past)
        _, log_det = np.linalg.slogdet(left.T @ left / len(now))
        score = len(now) * log_det + np.log(len(now)) * order * n_series**2
        if score < best_score:
            best, best_score = order, score
    return best


def stacked(series: npt.ArrayLike) -> Values:
    """Return (n_series, n_trials, n_samples), each series z-scored."""
    given = [as_trials(each, f"series {at}") for at, each in enumerate(np.asarray(series))]
    if len(given) < 2:
        raise BadArgumentError("two or more series", f"{len(given)}", "Give them as rows.")
    return np.stack(given)


def lagged(x: Values, order: int, *, first: int | None = None) -> tuple[Values, Values]:
    """Rows of a vector autoregression.

    Parameters
    ----------
    x : ndarray, shape (n_series, n_trials, n_samples)
    order : int
    first : int, optional
        First predicted sample of each trial; `order` where None.

    Returns
    -------
    now : ndarray, shape (n_rows, n_series)
    past : ndarray, shape (n_rows, order * n_series)
        Lag 1 of every series, then lag 2, and so on.
    """
    start = order if first is None else first
    n = x.shape[2]
    now = x[:, :, start:].reshape(len(x), -1).T
    past = [x[:, :, start - lag : n - lag].reshape(len(x), -1).T for lag in range(1, order + 1)]
    return now, np.column_stack(past)


def directed(
    series: npt.ArrayLike,
    modality: Modality,
    *,
    names: Sequence[str] | None = None,
    interval_s: float = 1.0,
    method: Method = "gaussian",
    order: int | None = None,
    conditional: bool = True,
    alpha: float = 0.05,
    surrogates: int = 200,
    k: int = 4,
    rng: np.random.Generator | None = None,
    progress: Progress | None = None,
) -> Arrows:
    """Transfer entropy between all series, with verdicts on its directions.

    Parameters
    ----------
    series : array-like, shape (n_series, n_samples) or (n_series, n_trials, n_samples)
    modality : Modality
        What may feign a direction here.
    names : sequence of str, optional
    interval_s : float
        Seconds between samples.
    method : "gaussian" or "ksg"
        The Gaussian one is Granger causality, tested by F; the other is tested by rows of the
        source put in another order in blocks longer than its memory.
    order : int, optional
        Samples of each past; chosen by the Bayesian information criterion where None.
    conditional : bool
        Whether the pasts of all other series are conditioned on.
    alpha : float
    surrogates, k, rng
        Of "ksg".
    progress : Progress, optional
        Told of each target that is done.
    """
    x = stacked(series)
    n = len(x)
    past = Past(order or order_by_bic(x))
    everyone = [(each, past) for each in x]
    chance = rng or np.random.default_rng(0)
    arrows = []
    bar = progress or Silent()
    bar.start(STAGE, n, "targets")
    for target in range(n):
        for source in range(n):
            if source == target:
                continue
            given = [g for at, g in enumerate(everyone) if at not in (source, target)]
            rows = embed(
                x[source],
                x[target],
                target_past=past,
                source_past=past,
                given=given if conditional else (),
            )
            estimate = estimator_of(method, rows, k=k)
            value = estimate(rows.source, rows.now, rows.past).value
            if method == "gaussian":
                p, high = f_test(rows, value), float("nan")
            else:
                block = min(max(memory(x[source]), 2 * past.length), len(rows.now) // 4)
                null = null_of(rows, estimate, surrogates, chance, block=block)
                p, high = p_value(value, null), float(np.quantile(null, 0.95))
            arrows.append(Arrow(source, target, value, p, null_high=high))
        bar.advance(STAGE, 1)
    bar.finish(STAGE)
    at_once = together(x, past.length)
    arrows = [replace(a, together_p=float(at_once[a.source, a.target])) for a in arrows]
    options: dict[str, Any] = {"past": past, "method": method, "k": k}

    def direction(source: int, target: int) -> float:
        others = [at for at in range(n) if conditional and at not in (source, target)]
        return feigned(x[source], x[target], x[others], modality, interval_s=interval_s, **options)

    doubtful = modality.mixing or modality.lag_s > 0
    return judge(
        arrows,
        tuple(names or (str(at) for at in range(n))),
        method=f"transfer entropy, {method}, order {past.length}",
        alpha=alpha,
        direction=direction if doubtful else None,
    )


def together(x: Values, order: int) -> Values:
    """P values of no instantaneous dependence, shape (n_series, n_series).

    Of partial correlations between what a vector autoregression leaves: each pair given all
    others (Geweke 1982, J. Am. Stat. Assoc. 77:304, splits dependence so).
    """
    from scipy.stats import t as student

    now, past = lagged(x, order)
    left = residuals(now, past)
    degrees = len(now) - past.shape[1] - len(x) - 1
    if degrees < 1:
        return np.full((len(x), len(x)), np.nan)
    # not shrunk, unlike where edges are ranked: the test's distribution knows of no shrinkage
    precision = np.linalg.pinv(np.cov(left.T))
    width = np.sqrt(np.maximum(np.diag(precision), 1e-300))
    partial = np.clip(-precision / np.outer(width, width), -1, 1)
    score = partial * np.sqrt(degrees / np.maximum(1 - partial**2, 1e-12))
    out = 2 * student.sf(np.abs(score), degrees)
    np.fill_diagonal(out, np.nan)
    return np.asarray(out)


def partial_correlation(rows: Values) -> Values:
    """Correlation of each pair of columns given all others; zero on the diagonal.

    Parameters
    ----------
    rows : ndarray, shape (n_rows, n_columns)

    Notes
    -----
    The covariance is shrunk as Ledoit and Wolf 2004 (J. Multivar. Anal. 88:365) do, which
    matters where columns are many.
    """
    from sklearn.covariance import ledoit_wolf

    scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    precision = np.linalg.inv(ledoit_wolf(scaled)[0])
    width = np.sqrt(np.diag(precision))
    out = -precision / np.outer(width, width)
    np.fill_diagonal(out, 0.0)
    return np.asarray(out)


def feigned(
    source: Values,
    target: Values,
    others: Values,
    modality: Modality,
    *,
    interval_s: float,
    past: Past,
    method: Method = "gaussian",
    k: int = 4,
) -> float:
    """P value that what feigns directions in a modality made this one.

    Parameters
    ----------
    source, target : ndarray, shape (n_trials, n_samples)
    others : ndarray, shape (n_others, n_trials, n_samples)
        Conditioned on.
    modality : Modality
    interval_s : float
    past : Past
    method, k
        As in `directed`.

    Returns
    -------
    float
        The largest of the P values of each threat, since all must be ruled out: that the net
        transfer is not from source to target, that it does not turn when time does, and that
        it is not so once the source is held back by ``modality.lag_s``.

    References
    ----------
    Haufe et al. 2013, NeuroImage 64:120; Winkler et al. 2016, IEEE Trans. Signal Process.
    64:2746.
    """
    options: dict[str, Any] = {"past": past, "method": method, "k": k}
    worst = net_transfer(source, target, others, **options)
    if modality.mixing:
        turned = net_transfer(target[:, ::-1], source[:, ::-1], others[:, :, ::-1], **options)
        worst = max(worst, turned)
    if modality.lag_s > 0:
        held = delayed(source, modality.lag_s / interval_s)
        worst = max(worst, net_transfer(held, target, others, **options))
    return worst


def net_transfer(
    source: Values, target: Values, others: Values, *, past: Past, method: Method, k: int
) -> float:
    """P value, one-sided, that no more is transferred from source to target than back.

    By the means of the rows' differences over blocks, each longer than the memory of the
    differences, compared with their spread by Student's t.
    """
    from scipy.stats import t as student

    given = [(each, past) for each in others]
    differences = np.zeros(0)
    for sign, (a, b) in ((1.0, (source, target)), (-1.0, (target, source))):
        rows = embed(a, b, target_past=past, source_past=past, given=given)
        local = sign * estimator_of(method, rows, k=k)(rows.source, rows.now, rows.past).local
        differences = local if not differences.size else differences + local
    block = max(memory(differences), 2 * past.length)
    n_blocks = int(np.clip(len(differences) // block, 4, 50))
    means = np.asarray([piece.mean() for piece in np.array_split(differences, n_blocks)])
    spread = means.std(ddof=1) / np.sqrt(n_blocks)
    if spread <= 0:
        return 1.0
    return float(student.sf(means.mean() / spread, n_blocks - 1))


def delayed(series: Values, samples: float) -> Values:
    """A series that comes later by a number of samples, not necessarily whole.

    Parameters
    ----------
    series : ndarray, shape (n_trials, n_samples)
    samples : float

    Returns
    -------
    ndarray, shape (n_trials, n_samples)
        Shifted in phase, so that no frequency is weakened; mirrored at its edges.
    """
    n = series.shape[1]
    mirrored = np.concatenate([series, series[:, ::-1]], axis=1)
    phase = np.exp(-2j * np.pi * np.fft.rfftfreq(2 * n) * samples)
    return np.asarray(np.fft.irfft(np.fft.rfft(mirrored, axis=1) * phase, 2 * n, axis=1)[:, :n])
