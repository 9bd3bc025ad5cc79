"""Fit the probability that a unit holds two neurons: ``python benchmarks/train_unit_doubts.py``.

Simulated recordings are sorted by `spikes/nissl`. Each unit is taken as it was found (one neuron),
and mixed with some spikes of others, moved to within 2 to 10 noise SDs of its own. The constants
stand in `nissl.annotators.spikes.own.doubting.doubts`; recordings of `HELD_OUT` judge them.
"""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from nissl.annotators.spikes.own.doubting.doubts import MIXTURES
from nissl.annotators.spikes.own.doubting.heaps import FEWEST, divided, looked, norm, of_unit
from nissl.annotators.spikes.own.sorter import fit
from nissl.annotators.spikes.simulate import simulate_truth
from nissl.run.context import Context

TRAINING = ((130, None), (131, "rigid"), (134, "nonrigid"))
HELD_OUT = ((132, "bumps"), (133, None), (135, None))
BAND_HZ = (300.0, 6000.0)
APART_SD, SHARE = (2.0, 10.0), (0.08, 0.5)
PER_UNIT, LEAST_ADDED = 3, 5
BINS = (0.0, 0.05, 0.2, 0.5, 0.8, 1.01)


def heaps_of(seed: int, drift: str | None) -> list[tuple[float, float, bool]]:
    """Log of one plus the ratio, log share, and whether it is a mixture, of units of a sorting."""
    signal = simulate_truth(
        seed, n_channels=32, duration_s=60.0, n_units=24, drift=drift
    ).recording.signal
    with tempfile.TemporaryDirectory() as scratch:
        columns = list(range(signal.n_channels))
        fitted = fit(signal, columns, BAND_HZ, Context(Path(scratch)), "finding units")
    templates, rng = fitted.templates, np.random.default_rng(seed)
    if templates is None:
        return []
    at = looked(signal, fitted.front, templates)
    count = np.bincount(at.spikes.unit, minlength=len(templates))
    rows = []
    for name in np.unique(fitted.unit):
        own = np.flatnonzero(fitted.unit == name)
        found = of_unit(at, own, rng)
        if found is not None:
            rows.append((np.log1p(found.ratio), np.log(found.share), False))
        main = int(own[np.argmax(count[own])])
        if count[main] < FEWEST:
            continue
        channels = at.channels(main)
        usual, when = at.features(main, channels)
        near = templates.overlaps[main] & (fitted.unit != name) & (count >= FEWEST)
        for other in rng.permutation(np.flatnonzero(near))[:PER_UNIT]:
            added, later = at.features(int(other), channels)
            line = added.mean(axis=0) - usual.mean(axis=0)
            added = added - line * (1 - rng.uniform(*APART_SD) / np.linalg.norm(line))
            share = rng.uniform(*SHARE)
            n = min(len(added), int(share / (1 - share) * len(usual)))
            if n < LEAST_ADDED:
                continue
            some = rng.permutation(len(added))[:n]
            both, piece = np.concatenate([usual, added[some]]), np.append(when, later[some])
            order = rng.permutation(len(both))
            found = divided(both[order], piece[order], norm(at, main), rng)
            rows.append((np.log1p(found.ratio), np.log(found.share), True))
    return rows


def main() -> None:
    """Fit, and print the constants and how they do on the recordings that were held out."""
    (x, y, w), (x_held, y_held, w_held) = (
        _weighed([row for each in which for row in heaps_of(*each)])
        for which in (TRAINING, HELD_OUT)
    )
    model = LogisticRegression(C=10.0).fit(x, y, sample_weight=w)
    p = model.predict_proba(x_held)[:, 1]
    print(f"intercept {model.intercept_[0]:.3f}, coefficients {model.coef_[0].round(3).tolist()}")
    loss = log_loss(y_held, p, sample_weight=w_held)
    chance = log_loss(y_held, np.full(p.size, MIXTURES), sample_weight=w_held)
    print(f"AUC {roc_auc_score(y_held, p):.3f}, log loss {loss:.3f} (share alone {chance:.3f})")
    for low, high in pairwise(BINS):
        rows = (p >= low) & (p < high)
        if rows.any():
            told, true = (np.average(v[rows], weights=w_held[rows]) for v in (p, y_held))
            print(f"{low} to {high}: {rows.sum()} units, told {told:.3f}, true {true:.3f}")


def _weighed(rows: list[tuple[float, float, bool]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both numbers, truth, and weights with which `MIXTURES` of the units are mixtures."""
    y = np.asarray([row[2] for row in rows], float)
    x = np.asarray([row[:2] for row in rows])
    mixture = (1 - y).sum() / y.sum() * MIXTURES / (1 - MIXTURES)
    return x, y, np.where(y == 1, mixture, 1.0)


if __name__ == "__main__":
    main()
