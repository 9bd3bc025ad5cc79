"""Sleep from subthalamic field potentials: band powers of three contacts pairs per 30 s."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from _sleep_work import _boosted, _logistic
from nissl.annotators.sleep.context import context, own_numbers
from nissl.annotators.sleep.fitting import grown
from nissl.annotators.sleep.learner import SleepLearner
from nissl.annotators.sleep.score import agreement
from nissl.labels import FeatureTable
from nissl.tasks import Examples

ALIGNED = ("PD01", "PD04")
"""Patients whose stages and powers have the same number of epochs."""
BANDS = ("delta", "theta", "alpha", "sigma", "beta", "gamma")
STAGES = {"W": 0, "N1": 1, "N2": 2, "N3": 3, "R": 4}


def nights(folder: Path) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Name, log powers (n_epochs, 18) and stage codes (-1 unscored) of each aligned patient."""
    out = []
    for name in ALIGNED:
        path = folder / f"{name}.npz"
        if not path.is_file():
            continue
        with np.load(path, allow_pickle=False) as held:
            power = np.log10(np.maximum(held["band_mean"].astype(float), 1e-9))
            spread = np.log10(np.maximum(held["band_sd"].astype(float), 1e-9))
            stage = np.asarray([STAGES.get(str(s).strip(), -1) for s in held["stage"]])
        out.append(
            (
                name,
                np.hstack([power.reshape(len(stage), -1), spread.reshape(len(stage), -1)]),
                stage,
            )
        )
    return out


def _examples(rows: list[tuple[str, np.ndarray, np.ndarray]]) -> Examples:
    names = [f"lfp{c}:log10_bp_{b}" for b in BANDS for c in range(3)]
    names += [f"lfp{c}:sd_{b}" for b in BANDS for c in range(3)]
    tables = [context(values, names, 30.0) for _, values, _ in rows]
    keep = [stage >= 0 for _, _, stage in rows]
    n = [int(k.sum()) for k in keep]
    told = tables[0][1]
    table = FeatureTable(
        items=np.arange(sum(n), dtype=np.int64),
        names=told,
        values=np.vstack([wide[k] for (wide, _), k in zip(tables, keep, strict=True)]),
        units=("",) * len(told),
        subject=tuple(s for (name, _, _), m in zip(rows, n, strict=True) for s in [name] * m),
        session=tuple(s for (name, _, _), m in zip(rows, n, strict=True) for s in [name] * m),
    )
    label = np.concatenate([stage[k] for (_, _, stage), k in zip(rows, keep, strict=True)])
    return Examples(table, label.astype(np.int64), np.ones(sum(n)))


def field_potentials(folder: Path) -> dict[str, Any]:
    """Kappa across patients, and within a patient from one half of the night to the other."""
    rows = nights(folder)
    if len(rows) < 2:
        return {}
    every = _examples(rows)
    subject = np.asarray(every.features.subject)
    out: dict[str, Any] = {"across patients": {}, "within a patient, halves": {}}
    for name in ALIGNED:
        train, test = every.take(subject != name), every.take(subject == name)
        out["across patients"][name] = _three(train, test)
        own = np.flatnonzero(subject == name)
        half = len(own) // 2
        parts = (own[: half - 20], own[half + 20 :])  # ten minutes between them are left out
        got = [_three(every.take(a), every.take(b)) for a, b in (parts, parts[::-1])]
        out["within a patient, halves"][name] = {
            m: float(np.mean([g[m] for g in got])) for m in got[0]
        }
    return out


def _three(train: Examples, test: Examples) -> dict[str, float]:
    learner = SleepLearner(grown(train, tuple(STAGES), seed=0))
    said = learner.predict(test.features).probabilities[:, :-1].argmax(axis=1)
    out = {"sleep/nissl": agreement(said, test.label)["kappa"]}
    plain = own_numbers(train.features.names)
    x, y = train.features.values[:, plain], test.features.values[:, plain]
    for name, model in (
        ("gradient boosting, epochs alone", _boosted(n_estimators=100)),
        ("logistic regression, epochs alone", _logistic()),
    ):
        model.fit(x, train.label)
        out[name] = agreement(model.predict(y), test.label)["kappa"]
    return out


__all__ = ["field_potentials"]
