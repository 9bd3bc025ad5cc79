"""What the curation benchmark computes: predictions for mice that a method has not seen."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.curation import boosting
from nissl.annotators.curation.card import balanced_accuracy
from nissl.annotators.curation.learner import CurationLearner, grown, left_out
from nissl.annotators.curation.thresholds import RULES, THRESHOLDS, judged, limits_of
from nissl.annotators.curation.unitrefine import CLASSES, read_unitrefine
from nissl.errors import NisslError
from nissl.tasks import Examples
from nissl.trust.acceptance import judge
from nissl.trust.audit import draw, residual
from nissl.trust.intervals import bootstrap_interval
from nissl.trust.reliability import reliability, top_label
from nissl.trust.selection import select

Values = npt.NDArray[np.float64]
BUDGETS = (0.05, 0.10, 0.20)
SEEN = (0, 20, 50, 100, 200)
AUDIT = 150
SHARES = (0.05, 0.1, 0.3, 0.5, 0.7, 1.0)


@dataclass(frozen=True)
class Data:
    """Units with nissl's features and with all published metrics, in the same order."""

    mapped: Examples
    every: Examples

    @classmethod
    def read(cls, folder: Path) -> Data:
        """Read UnitRefine's files in a data folder."""
        place = folder / "ephys" / "curation" / "unitrefine_base"
        return cls(read_unitrefine(place), read_unitrefine(place, mapped=False))

    @property
    def mouse(self) -> npt.NDArray[np.str_]:
        """Mouse of each unit."""
        return np.asarray(self.mapped.features.subject)

    def like(self, other: Data) -> Data:
        """The same units with the published metrics of other ones, NaN where these lack one."""
        names, table = other.every.features.names, self.every.features
        values = np.full((len(table.items), len(names)), np.nan)
        for k, name in enumerate(names):
            if name in table.names:
                values[:, k] = table.values[:, table.names.index(name)]
        same = replace(table, names=names, values=values, units=("",) * len(names))
        return Data(self.mapped, replace(self.every, features=same))

    def take(self, rows: npt.NDArray[np.bool_]) -> Data:
        """Some of the units."""
        return Data(self.mapped.take(rows), self.every.take(rows))


Method = Callable[[Data, Data, int], Values]


def trees(train: Data, test: Data, seed: int) -> Values:
    """Nissl's learner from nothing, on its own features."""
    return _trees(train.mapped, test.mapped, seed)


def trees_on_all(train: Data, test: Data, seed: int) -> Values:
    """The same trees on all published metrics."""
    return _trees(train.every, test.every, seed)


def boosting_alone(train: Data, test: Data, seed: int) -> Values:
    """Gradient boosting over the three classes at once, as nissl did before."""
    return _trees(train.mapped, test.mapped, seed, stages=1)


def _trees(train: Examples, test: Examples, seed: int, *, stages: int = 2) -> Values:
    model = grown(train, rng=np.random.default_rng(seed), stages=stages)
    return model.calibration.apply(model.pooled(test.features.values))


def forest(train: Data, test: Data, seed: int) -> Values:
    """Random forest on all metrics, as UnitRefine trains: medians for gaps, scaled, balanced."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        RandomForestClassifier(300, class_weight="balanced", random_state=seed, n_jobs=1),
    )
    bounded = (np.clip(d.every.features.values, -1e12, 1e12) for d in (train, test))
    known, unknown = bounded
    model.fit(known, train.every.label)
    return np.asarray(model.predict_proba(unknown))


def limits(preset: str) -> Method:
    """Nissl's own limits on single metrics; no probabilities, and no non-somatic class here."""

    def method(train: Data, test: Data, seed: int) -> Values:
        del train, seed
        mapped, every = test.mapped.features, test.every.features
        metrics = {rule.feature: np.full(len(test.mapped), np.nan) for rule in RULES}
        metrics |= {name: mapped.values[:, k] for k, name in enumerate(mapped.names)}
        if "num_spikes" in every.names:
            metrics["n_spikes"] = every.values[:, every.names.index("num_spikes")]
        code, _ = judged(metrics, limits_of({**THRESHOLDS.defaults(), "preset": preset}))
        return np.asarray(np.eye(len(CLASSES))[code])

    return method


def thresholds(train: Data, test: Data, seed: int) -> Values:
    """SpikeInterface's port of Bombcell with its default thresholds; no probabilities."""
    import pandas as pd
    from spikeinterface.curation.bombcell_curation import (
        bombcell_get_default_thresholds,
        bombcell_label_units,
    )

    del train, seed
    table = test.every.features
    frame = pd.DataFrame(table.values, columns=list(table.names))
    if "peak_to_valley" in frame:
        frame["peak_to_trough_duration"] = frame["peak_to_valley"]
    if "peak_trough_ratio" in frame:
        frame["peak_after_to_trough_ratio"] = frame["peak_trough_ratio"].abs()
    limits = bombcell_get_default_thresholds()
    limits["non-somatic"] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        named = bombcell_label_units(thresholds=limits, external_metrics=frame).iloc[:, 0]
    out = np.zeros((len(named), len(CLASSES)))
    out[np.arange(len(named)), [CLASSES.index(name) for name in named]] = 1.0
    return out


def base_rate(train: Data, test: Data, seed: int) -> Values:
    """Always the share of each class in the training mice."""
    del seed
    share = np.bincount(train.mapped.label, minlength=len(CLASSES)) / len(train.mapped)
    return np.tile(share, (len(test.mapped), 1))


METHODS: Mapping[str, Method] = {
    "nissl": trees,
    "nissl, all metrics": trees_on_all,
    "gradient boosting": boosting_alone,
    "random forest, all metrics": forest,
    "thresholds": limits("default"),
    "thresholds, ccg": limits("ccg"),
    "thresholds, psth": limits("psth"),
    "Bombcell thresholds": thresholds,
    "base rate": base_rate,
}
UNCALIBRATED = (
    "thresholds",
    "thresholds, ccg",
    "thresholds, psth",
    "Bombcell thresholds",
    "base rate",
)


def folds(train: Data, test: Data, same: bool) -> list[tuple[str, Data, Data]]:
    """Held-out mice with what may be learnt from: the others of one folder, or another folder."""
    out = []
    for name in sorted(set(test.mouse)):
        known = train.take(train.mouse != name) if same else train
        out.append((str(name), known, test.take(test.mouse == name)))
    return out


def predictions(cuts: list[tuple[str, Data, Data]], method: str, seed: int) -> dict[str, Any]:
    """Probabilities of a method for every held-out mouse, and the seconds it took."""
    begun = time.perf_counter()
    parts = {name: METHODS[method](known, held, seed) for name, known, held in cuts}
    return {"parts": parts, "seconds": time.perf_counter() - begun}


def scored(
    cuts: list[tuple[str, Data, Data]], runs: list[dict[str, Any]], calibrated: bool
) -> dict[str, Any]:
    """Scores of the runs of one method; intervals resample mice, spreads are over seeds."""
    truth = np.concatenate([held.mapped.label for _, _, held in cuts])
    mouse = np.concatenate([held.mouse for _, _, held in cuts])
    rng = np.random.default_rng(0)
    pooled = [np.concatenate(list(run["parts"].values())) for run in runs]
    called = [p.argmax(axis=1) for p in pooled]
    scores = [balanced_accuracy(np.stack([truth, c], axis=1)) for c in called]
    pairs = np.stack([truth, called[0]], axis=1)
    found: dict[str, Any] = {
        "balanced_accuracy": bootstrap_interval(pairs, mouse, balanced_accuracy, rng=rng).to_json(),
        "balanced_accuracy_seeds": scores,
        "by_mouse": {
            name: float(
                np.mean(
                    [
                        balanced_accuracy(pair[mouse == name])
                        for pair in (np.stack([truth, c], axis=1) for c in called)
                    ]
                )
            )
            for name in sorted(set(mouse))
        },
        "accuracy": float(np.mean([np.mean(c == truth) for c in called])),
        "seconds": float(np.mean([run["seconds"] for run in runs])),
    }
    if not calibrated:
        return found
    rows = [_calibration(p, truth, mouse, rng) for p in pooled]
    found["log_loss"] = float(np.mean([row["log_loss"] for row in rows]))
    found["calibration"] = rows[0]
    found["risk"] = {str(share): _risk(pooled[0], truth, share) for share in SHARES}
    found["within"] = {str(budget): _within(pooled[0], truth, budget) for budget in BUDGETS}
    found["ece_seeds"] = [row["ece"] for row in rows]
    found["ece_by_mouse"] = {
        name: reliability(*top_label(pooled[0][mouse == name], truth[mouse == name]), rng=rng).ece
        for name in sorted(set(mouse))
    }
    return found


def _calibration(
    p: Values, truth: npt.NDArray[np.int64], mouse: npt.NDArray[np.str_], rng: np.random.Generator
) -> dict[str, Any]:
    told = reliability(*top_label(p, truth), groups=mouse, rng=rng).to_json()
    told["log_loss"] = float(-np.log(np.maximum(p[np.arange(len(truth)), truth], 1e-6)).mean())
    return told


def _risk(p: Values, truth: npt.NDArray[np.int64], share: float) -> float:
    """Share of wrong classes among the most confident units."""
    confidence, right = top_label(p, truth)
    kept = np.argsort(-confidence, kind="stable")[: round(share * len(truth))]
    return float(np.mean(~right[kept]))


def _within(p: Values, truth: npt.NDArray[np.int64], budget: float) -> float:
    """Largest share of the most confident units among which at most `budget` are wrong."""
    confidence, right = top_label(p, truth)
    wrong = np.cumsum(~right[np.argsort(-confidence, kind="stable")])
    n = np.arange(1, len(wrong) + 1)
    return float(np.max(n[wrong <= budget * n], initial=0)) / len(wrong)


def acceptance(cuts: list[tuple[str, Data, Data]], seeds: int) -> list[dict[str, Any]]:
    """What is accepted without review in a new mouse, at each budget.

    The threshold comes from the training mice, each left out in turn; it is aimed at half of the
    budget. An audit sample of `AUDIT` accepted units of the new mouse is answered by the votes;
    acceptance is on only where its bound keeps the budget.
    """
    rows = []
    for name, known, held in cuts:
        for seed in range(seeds):
            rng = np.random.default_rng([seed, 2])
            p = trees(known, held, seed)
            confidence, right = top_label(p, held.mapped.label)
            unseen, truth, _, _ = left_out(
                known.mapped,
                sorted(set(known.mouse)),
                lambda part, s=seed: grown(part, rng=np.random.default_rng(s)),
            )
            for budget in BUDGETS:
                row = {"mouse": name, "seed": seed, "budget": budget}
                rows.append(row | _accepted(unseen, truth, confidence, right, budget, rng))
    return rows


def _accepted(
    unseen: Values,
    truth: npt.NDArray[np.int64],
    confidence: Values,
    right: npt.NDArray[np.bool_],
    budget: float,
    rng: np.random.Generator,
) -> dict[str, Any]:
    off = {"on": False, "coverage": 0.0, "error": None, "within": True}
    for aim in (budget / 2, budget):
        try:
            chosen = select(*top_label(unseen, truth), budget=aim)
        except NisslError:
            continue
        if chosen.n_accepted:
            break
    else:
        return off | {"why": "no threshold keeps the budget in the training mice"}
    accepted = confidence >= chosen.threshold
    if not accepted.any():
        return off | {"why": "nothing in the new mouse is confident enough"}
    sample = draw(confidence, accepted, size=AUDIT, rng=rng)
    wrong = (~right[sample.indices]).astype(float)
    told = judge(chosen, residual(wrong, sample), budget=budget)
    error = float(np.mean(~right[accepted]))
    would = {"would_cover": float(accepted.mean()), "would_err": error, "why": told.reason}
    if not told.on:
        return off | would
    return would | {
        "on": True,
        "coverage": float(accepted.mean()),
        "error": error,
        "within": error <= budget,
    }


def personal(cuts: list[tuple[str, Data, Data]], seeds: int) -> list[dict[str, Any]]:
    """Learning from answers in a new mouse: on top of other mice, and from nothing.

    Answers are drawn at random; scores are over the mouse's units that were not asked.
    """
    rows = []
    for name, known, held in cuts:
        model = grown(known.mapped, rng=np.random.default_rng(0))
        for seed in range(seeds):
            order = np.random.default_rng([seed, 3]).permutation(len(held.mapped))
            rest = held.mapped.take(order[max(SEEN) :])
            for n in SEEN:
                asked = held.mapped.take(order[:n])
                begun = time.perf_counter()
                learner = CurationLearner(model)
                if n:
                    learner = learner.fit(asked, rng=np.random.default_rng(seed))
                took = time.perf_counter() - begun
                p = learner.predict(rest.features).probabilities
                rows.append(_point(name, seed, n, "on top", p, rest.label) | {"seconds": took})
                if n and len(set(asked.label.tolist())) > 1:
                    own = _from_nothing(asked, rest, seed)
                    rows.append(_point(name, seed, n, "from nothing", own, rest.label))
    return rows


def _from_nothing(asked: Examples, rest: Examples, seed: int) -> Values:
    members = boosting.grow(
        asked.features.values,
        asked.label,
        asked.weight,
        asked.features.session,
        seed,
        names=asked.features.names,
    )
    scores = [boosting.raw(member, rest.features.values) for member in members]
    return boosting.probabilities(np.mean(scores, axis=0))


def _point(
    mouse: str, seed: int, n: int, how: str, p: Values, label: npt.NDArray[np.int64]
) -> dict[str, Any]:
    told = reliability(*top_label(p, label), rng=np.random.default_rng(0))
    return {
        "mouse": mouse,
        "seed": seed,
        "n": n,
        "how": how,
        "balanced_accuracy": balanced_accuracy(np.stack([label, p.argmax(axis=1)], axis=1)),
        "log_loss": float(-np.log(np.maximum(p[np.arange(len(label)), label], 1e-6)).mean()),
        "accuracy": float(np.mean(p.argmax(axis=1) == label)),
        "ece": told.ece,
    }
