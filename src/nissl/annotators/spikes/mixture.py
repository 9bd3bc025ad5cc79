"""How probable it is that a unit is a mixture of neurons, and should be split.

A logistic regression of two numbers: the log of how many of its intervals fall into the refractory
period against how many are expected of independent spikes, and by how much two Gaussians explain
its amplitudes better than one. Where the refractory period is clean it is lowered in proportion:
the amplitudes of one neuron may have two humps, from bursts or drift, which the simulation does
not have. It is fitted to simulated recordings in which a third of the units
are joined with a near one, with and without drift (`python -m nissl.annotators.spikes.mixture`
does it anew); a third of the resulting units are mixtures there. How many are in a real sorting
nobody knows, so the probability is one of the simulation's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.correlograms import CENSORED_MS, REFRACTORY_MS, SHOULDER_MS
from nissl.labels import LabelSet

Values = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]

INTERCEPT, BY_INTERVALS, BY_AMPLITUDES = -0.880, 1.633, 1.943
"""Fitted to 112 units of six recordings; of 56 of three others 1 of 41 below 0.2 is a mixture and
15 of 15 above 0.8 are (log loss 0.064)."""

CLEAN = 0.1
"""Share of the expected refractory intervals up to which a unit counts as one neuron's."""

FEWEST = 50
"""Spikes below which nothing is said."""

_ROUNDS = 30
_TRAINING = ((2, None), (3, "rigid"), (4, "nonrigid"), (5, None), (6, "bumps"), (7, "rigid"))
_HELD_OUT = ((12, None), (13, "rigid"), (14, "bumps"))


def split_probability(sample: Ints, amplitude: Values, rate_hz: float) -> float:
    """Probability that a unit is a mixture.

    Parameters
    ----------
    sample : ndarray, shape (n_spikes,), int64
        Increasing.
    amplitude : ndarray, shape (n_spikes,), float64
        In any unit; NaN where unknown.
    rate_hz : float

    Returns
    -------
    float
        NaN with fewer than `FEWEST` spikes.
    """
    if sample.size < FEWEST:
        return float("nan")
    inputs = evidence(sample, amplitude, rate_hz)
    score = INTERCEPT + inputs[:2] @ np.asarray([BY_INTERVALS, BY_AMPLITUDES])
    return float(inputs[2] / (1 + np.exp(-score)))


def evidence(sample: Ints, amplitude: Values, rate_hz: float) -> Values:
    """Both numbers, and how far the refractory period allows a mixture; shape (3,).

    Of the intervals, of the amplitudes (0 where unknown), and the probability that more than
    `CLEAN` of the expected refractory intervals are there, a ratio of Poisson counts with a Gamma
    prior as in `nissl.annotators.spikes.correlograms.refractory`.
    """
    from scipy.special import gammaincc

    near = _within(sample, REFRACTORY_MS, rate_hz) - _within(sample, CENSORED_MS, rate_hz)
    shoulder = _within(sample, SHOULDER_MS[1], rate_hz) - _within(sample, SHOULDER_MS[0], rate_hz)
    expected = shoulder * (REFRACTORY_MS - CENSORED_MS) / (SHOULDER_MS[1] - SHOULDER_MS[0])
    allowed = float(gammaincc(near + 1.0, CLEAN * (expected + 1.0)))
    intervals = np.log((near + 1) / (expected + 1))
    return np.asarray([intervals, np.log1p(two_over_one(amplitude)), allowed])


def two_over_one(values: Values) -> float:
    """Gain in log-likelihood of two Gaussians over one, less the price of three parameters.

    Parameters
    ----------
    values : ndarray, shape (n,), float64
        Values that are not finite are left out.

    Returns
    -------
    float
        Half the difference of Bayes' information criteria (Schwarz 1978), 0 where it is negative.
    """
    x = values[np.isfinite(values)]
    if x.size < FEWEST or x.std() == 0:
        return 0.0
    x = (x - x.mean()) / x.std()
    low, high = np.quantile(x, [0.25, 0.75])
    mean, spread, share = np.asarray([low, high]), np.asarray([0.7, 0.7]), np.asarray([0.5, 0.5])
    one = -0.5 * (np.log(2 * np.pi) + x**2).sum()
    two = one
    for _ in range(_ROUNDS):
        log = np.log(share / spread) - 0.5 * (
            ((x[:, None] - mean) / spread) ** 2 + np.log(2 * np.pi)
        )
        top = log.max(axis=1)
        total = top + np.log(np.exp(log - top[:, None]).sum(axis=1))
        two = float(total.sum())
        weight = np.exp(log - total[:, None])
        mass = weight.sum(axis=0) + 1e-9
        share, mean = mass / mass.sum(), (weight * x[:, None]).sum(axis=0) / mass
        spread = np.sqrt((weight * (x[:, None] - mean) ** 2).sum(axis=0) / mass + 0.05**2)
    return max(float(two - one - 1.5 * np.log(x.size)), 0.0)


def simulated_units(
    seed: int, drift: str | None, *, n_units: int = 24, duration_s: float = 90.0
) -> tuple[Values, Truths]:
    """Evidence of units of a simulated sorting, and whether each is a mixture of two.

    Parameters
    ----------
    seed : int
    drift : str or None
        As for `nissl.annotators.spikes.simulate.simulate`.
    n_units : int
    duration_s : float

    Returns
    -------
    evidence : ndarray, shape (n, 3), float64
    mixture : ndarray, shape (n,), bool
    """
    from nissl.annotators.spikes.simulate import simulate_truth

    made = simulate_truth(seed, n_channels=32, duration_s=duration_s, n_units=n_units, drift=drift)
    rate_hz, table = made.recording.signal.rate_hz, made.items.table
    place = np.stack([table.column(axis).to_numpy() for axis in ("x_um", "y_um")], axis=1)
    joined = near_pairs(made.items.items, place, n_units // 4, np.random.default_rng([seed, 2]))
    inputs, mixture = [], []
    noise = np.random.default_rng([seed, 3])
    for group in joined:
        rows = np.isin(made.truth.column("item"), group)
        sample = made.truth.column("sample")[rows].astype(np.int64)
        size = made.truth.column("amplitude")[rows].astype(np.float64)
        if sample.size >= FEWEST:
            order = np.argsort(sample, kind="stable")
            size += noise.normal(0, 8.0, size.size)  # true amplitudes have no background on them
            inputs.append(evidence(sample[order], size[order], rate_hz))
            mixture.append(len(group) > 1)
    return np.asarray(inputs).reshape(-1, 3), np.asarray(mixture, bool)


def near_pairs(
    items: Ints, place: Values, n_pairs: int, rng: np.random.Generator
) -> list[tuple[int, ...]]:
    """Units, some of them joined with the nearest one that is free.

    Parameters
    ----------
    items : ndarray, shape (n_units,), int64
    place : ndarray, shape (n_units, 2), float64, um
    n_pairs : int
    rng : numpy.random.Generator
    """
    free = {int(u): place[k] for k, u in enumerate(items.tolist())}
    out: list[tuple[int, ...]] = []
    for unit in rng.permutation(items)[:n_pairs].tolist():
        if unit not in free or len(free) < 2:
            continue
        own = free.pop(unit)
        other = min(free, key=lambda u: float(np.nan_to_num(np.linalg.norm(free[u] - own))))
        free.pop(other)
        out.append((unit, other))
    return [*out, *((u,) for u in free)]


def flagged(units: LabelSet, rate_hz: float, least: float = 0.8) -> dict[int, float]:
    """Units that are mixtures with at least such a probability."""
    out = {}
    of = units.column("item")
    sample = units.column("sample").astype(np.int64)
    size = units.column("amplitude").astype(np.float64)
    for unit in units.items.tolist():
        rows = np.flatnonzero(of == unit)
        rows = rows[np.argsort(sample[rows], kind="stable")]
        p = split_probability(sample[rows], size[rows], rate_hz)
        if p >= least:
            out[unit] = p
    return out


def _within(sample: Ints, reach_ms: float, rate_hz: float) -> int:
    """Pairs of different spikes at most so far apart."""
    reach = round(reach_ms * rate_hz / 1000)
    after = np.searchsorted(sample, sample + reach, side="right") - np.arange(sample.size) - 1
    return int(after.sum())


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit anew and print the numbers that stand in this file."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0]).parse_args(arguments)
    parts = [[simulated_units(*each) for each in which] for which in (_TRAINING, _HELD_OUT)]
    (x, y), (x_held, y_held) = (
        (np.concatenate([p[0] for p in part]), np.concatenate([p[1] for p in part]))
        for part in parts
    )
    model = LogisticRegression(C=10.0).fit(x[:, :2], y)
    p = model.predict_proba(x_held[:, :2])[:, 1] * x_held[:, 2]
    lines = [
        f"intercept {model.intercept_[0]:.3f}, coefficients {model.coef_[0].round(3).tolist()}",
        f"{len(y)} units; held out {len(y_held)}, log loss {log_loss(y_held, p):.3f}",
    ]
    for low, high in ((0.0, 0.2), (0.2, 0.8), (0.8, 1.01)):
        rows = (p >= low) & (p < high)
        lines.append(f"{low} to {high}: {int(y_held[rows].sum())} of {int(rows.sum())}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
