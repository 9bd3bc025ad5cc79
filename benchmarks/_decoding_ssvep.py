"""Steady-state responses of `decoding.py`: within and across subjects, windows, transfer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from _decoding_data import SSVEP_HZ, Set, joined, ssvep
from nissl.annotators.decoding.align import recentred
from nissl.annotators.decoding.judging import bits_per_minute, scores
from nissl.annotators.decoding.riemann import TangentSpace, around, stacked
from nissl.annotators.decoding.ssvep import CanonicalCorrelation, TaskRelated
from nissl.annotators.decoding.ssvep_weights import WeightedCorrelations
from nissl.annotators.decoding.stopping import stopped
from nissl.trust.calibration import choose
from nissl.trust.intervals import bootstrap_interval
from nissl.trust.reliability import reliability

Chances = npt.NDArray[np.float64]

CUE_S = 2.0
"""Of every trial; the window begins at its end."""
LENGTHS_S = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
CONFIDENCES = (0.7, 0.8, 0.9, 0.95, 0.99)
PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
COUNTS = (6, 9, 15, 21)
SEEDS = 5


@dataclass(frozen=True)
class MinimumDistance:
    """Minimum distance to the Riemannian mean, as Kalunga et al. 2016; pyriemann's own."""

    rate_hz: float

    def fit(self, x: Any, y: Any, *, rng: np.random.Generator) -> Any:
        """Learn one mean per class."""
        del rng
        from pyriemann.classification import MDM
        from pyriemann.estimation import Covariances
        from sklearn.pipeline import make_pipeline

        stack = Stacking(self.rate_hz)
        made = make_pipeline(Covariances("oas"), MDM()).fit(stack(x), y)
        return Piped(stack, made)


@dataclass(frozen=True)
class Stacking:
    """Channels filtered around each frequency, below each other."""

    rate_hz: float

    def __call__(self, x: Any) -> Any:
        """(n_trials, 3 * n_channels, n_samples)."""
        return stacked(x, self.rate_hz, around(SSVEP_HZ))


@dataclass(frozen=True)
class Piped:
    """A fitted pipeline behind a change of the trials."""

    before: Any
    model: Any

    def predict_proba(self, x: Any) -> Chances:
        """Probabilities."""
        return np.asarray(self.model.predict_proba(self.before(x)))


@dataclass(frozen=True)
class OnEvidence:
    """`WeightedCorrelations` on evidence that was computed before, in the place of trials."""

    inner: WeightedCorrelations

    def fit(self, x: Any, y: Any, *, rng: np.random.Generator) -> Any:
        """Learn the weights."""
        del rng
        return FromEvidence(self.inner.fit_evidence(x, y))


@dataclass(frozen=True)
class FromEvidence:
    """What `OnEvidence.fit` returns."""

    inner: Any

    def predict_proba(self, x: Any) -> Chances:
        """Probabilities."""
        return np.asarray(self.inner.of_evidence(x))


def with_evidence(data: Set, inner: WeightedCorrelations) -> Set:
    """Trials replaced by their evidence."""
    return replace(data, x=inner.evidence(data.x))


def methods(rate_hz: float) -> dict[str, Any]:
    """What is compared."""
    return {
        "CCA": CanonicalCorrelation(SSVEP_HZ, rate_hz),
        "FBCCA": CanonicalCorrelation(SSVEP_HZ, rate_hz, n_bands=3, first_hz=6.0),
        "MDM (pyriemann)": MinimumDistance(rate_hz),
        "tangent space": TangentSpace(rate_hz, around(SSVEP_HZ)),
        "TRCA": TaskRelated(rate_hz, 3, 6.0),
        "nissl": WeightedCorrelations(SSVEP_HZ, rate_hz),
    }


def splits(train: Set, test: Set, same: bool, by: str) -> Iterator[tuple[Set, Any]]:
    """What is learnt from, and which trials of `test` are judged, group by group."""
    names = getattr(test, by)
    for name in np.unique(names):
        away = names == name
        yield (test.take(~away) if same else train), away


def within(data: Set, estimator: Any) -> Chances:
    """Each run by what the subject's other runs teach."""
    p = np.full((len(data), len(SSVEP_HZ)), np.nan)
    rng = np.random.default_rng(0)
    for run in np.unique(data.run):
        away = data.run == run
        own = ~away & (data.subject == data.subject[away][0])
        if own.any():
            p[away] = estimator.fit(data.x[own], data.y[own], rng=rng).predict_proba(data.x[away])
    return p


def across(train: Set, test: Set, same: bool, estimator: Any, *, centred: bool = False) -> Chances:
    """Each subject by what all others teach."""
    p = np.empty((len(test), len(SSVEP_HZ)))
    rng = np.random.default_rng(0)
    for learn, away in splits(train, test, same, "subject"):
        x, seen = learn.x, test.x[away]
        if centred:
            x, seen = recentred(x, learn.subject), recentred(seen, test.subject[away])
        p[away] = estimator.fit(x, learn.y, rng=rng).predict_proba(seen)
    return p


def calibrated_across(train: Set, test: Set, same: bool, estimator: Any) -> Chances:
    """As `across`, with a calibration from subjects that are left out of the training subjects."""
    p = np.empty((len(test), len(SSVEP_HZ)))
    rng = np.random.default_rng(0)
    for learn, away in splits(train, test, same, "subject"):
        inner = across(learn, learn, True, estimator)
        calibration, _ = choose(inner, learn.y, learn.subject.tolist(), rng=rng)
        fitted = estimator.fit(learn.x, learn.y, rng=rng)
        p[away] = calibration.apply(fitted.predict_proba(test.x[away]))
    return p


def judged(p: Chances, data: Set, seconds: float) -> dict[str, Any]:
    """Scores with intervals over subjects."""
    right = (p.argmax(axis=1) == data.y).astype(float)
    rng = np.random.default_rng(1)
    interval = bootstrap_interval(right, data.subject, rng=rng)
    by = [float(right[data.subject == s].mean()) for s in np.unique(data.subject)]
    rates = [bits_per_minute(a, len(SSVEP_HZ), seconds) for a in by]
    return {
        **scores(p, data.y),
        "interval": interval.to_json(),
        "by_subject": by,
        "bits_per_minute": float(np.mean(rates)),
    }


def calibration(p: Chances, data: Set) -> dict[str, Any]:
    """Calibration error with the range of a perfect model."""
    found = reliability(
        p.max(axis=1), p.argmax(axis=1) == data.y, groups=data.subject, rng=np.random.default_rng(2)
    )
    return {
        "ece": found.ece,
        "debiased": found.ece_debiased.to_json(),
        "perfect": list(found.perfect),
        "bins": [b.to_json() for b in found.bins],
    }


def shortened(data: Set, seconds: float) -> Set:
    """The first part of each window; the band-pass is causal, so nothing later is in it."""
    n = round(seconds * data.rate_hz)
    return Set(data.x[:, :, :n], data.y, data.subject, data.run, data.rate_hz)


def evident(learn: Set, held: Set, same: bool) -> tuple[Set, Set]:
    """Both sets as evidence."""
    inner = methods(held.rate_hz)["nissl"]
    there = with_evidence(held, inner)
    return (there if same else with_evidence(learn, inner)), there


def windows(train: Set, test: Set, same: bool) -> dict[str, Any]:
    """Accuracy and rate against the length of the window, new subjects; and dynamic stopping."""
    names = ("CCA", "FBCCA", "nissl")
    lengths: dict[str, Any] = {name: [] for name in names}
    chances = []
    for seconds in LENGTHS_S:
        learn, held = shortened(train, seconds), shortened(test, seconds)
        made = methods(test.rate_hz)
        for name in names[:2]:
            p = across(learn, held, same, made[name])
            lengths[name].append(judged(p, held, CUE_S + seconds))
        p = calibrated_across(*evident(learn, held, same), same, OnEvidence(made["nissl"]))
        chances.append(p)
        lengths["nissl"].append(judged(p, held, CUE_S + seconds))
    stops = []
    for confidence in CONFIDENCES:
        label, took = stopped(chances, LENGTHS_S, confidence)
        right = (label == test.y).astype(float)
        interval = bootstrap_interval(right, test.subject, rng=np.random.default_rng(1))
        rates = []
        for s in np.unique(test.subject):
            own = test.subject == s
            spent = CUE_S + float(took[own].mean())
            rates.append(bits_per_minute(float(right[own].mean()), len(SSVEP_HZ), spent))
        stops.append(
            {
                "confidence": confidence,
                "accuracy": interval.to_json(),
                "seconds": float(took.mean()),
                "bits_per_minute": float(np.mean(rates)),
            }
        )
    return {"lengths_s": list(LENGTHS_S), "methods": lengths, "stopping": stops}


def transfer(train: Set, test: Set, same: bool, seeds: int) -> dict[str, Any]:
    """The last run of each subject, by others, by few own labels of the first, and by both."""
    out: dict[str, Any] = {}
    runs = {s: np.unique(test.run[test.subject == s]) for s in np.unique(test.subject)}
    light = OnEvidence(methods(test.rate_hz)["nissl"])
    stacks = tuple(replace(s, x=Stacking(s.rate_hz)(s.x)) for s in (train, test))
    given: dict[str, tuple[Any, tuple[Set, ...], int, tuple[int, ...]]] = {
        "nissl": (light, evident(train, test, same), seeds, COUNTS),
        "tangent space": (TangentSpace(), stacks, 1, COUNTS[-1:]),
    }
    for name, (estimator, (train, test), seeds, counts) in given.items():
        cases: dict[str, Callable[..., Chances]] = {
            "others only": _others,
            "others only, recentred": _recentred,
            "own only": _own,
            "others and own": _both,
            "others and own, recentred": _both_recentred,
        }
        out[name] = {}
        for case, predict in cases.items():
            if name == "nissl" and "recentred" in case:
                continue  # correlations do not depend on where channels stand
            needs = "own" in case
            row = []
            for count in counts if needs else (0,):
                hits, groups = [], []
                for seed in range(seeds if needs else 1):
                    for subject, own_runs in runs.items():
                        learn = test.take(test.subject != subject) if same else train
                        first = test.take(test.run == own_runs[0])
                        last = test.take(test.run == own_runs[-1])
                        few = first.take(drawn(first.y, count, seed)) if needs else None
                        p = predict(estimator, learn, first, few, last.x)
                        hits.append((p.argmax(axis=1) == last.y).astype(float))
                        groups += [subject] * len(last)
                interval = bootstrap_interval(
                    np.concatenate(hits), groups, rng=np.random.default_rng(1)
                )
                row.append({"labels": count, "accuracy": interval.to_json()})
            out[name][case] = row
    return out


def drawn(y: npt.NDArray[np.int64], count: int, seed: int) -> npt.NDArray[np.intp]:
    """So many trials at random, of each class as many."""
    rng = np.random.default_rng(seed)
    classes = np.unique(y)
    each = count // classes.size
    return np.sort(
        np.concatenate([rng.permutation(np.flatnonzero(y == k))[:each] for k in classes])
    )


def _fit(estimator: Any, x: Any, y: Any, seen: Any) -> Chances:
    return np.asarray(estimator.fit(x, y, rng=np.random.default_rng(0)).predict_proba(seen))


def _others(estimator: Any, learn: Set, first: Set, few: Set | None, x: Any) -> Chances:
    del first, few
    return _fit(estimator, learn.x, learn.y, x)


def _recentred(estimator: Any, learn: Set, first: Set, few: Set | None, x: Any) -> Chances:
    """The new subject is recentred on the first run, without its labels."""
    del few
    from nissl.annotators.decoding.align import whitener

    seen = np.einsum("cd,ndt->nct", whitener(first.x), x)
    return _fit(estimator, recentred(learn.x, learn.subject), learn.y, seen)


def _own(estimator: Any, learn: Set, first: Set, few: Set | None, x: Any) -> Chances:
    del learn, first
    if few is None:
        raise ValueError("needs own trials")
    return _fit(estimator, few.x, few.y, x)


def _both(estimator: Any, learn: Set, first: Set, few: Set | None, x: Any) -> Chances:
    """Own trials are repeated until they count about as much as those of one other subject."""
    del first
    if few is None:
        raise ValueError("needs own trials")
    each = len(learn) // max(len(np.unique(learn.subject)), 1)
    pooled = joined([learn, *[few] * max(1, round(each / len(few)))])
    return _fit(estimator, pooled.x, pooled.y, x)


def _both_recentred(estimator: Any, learn: Set, first: Set, few: Set | None, x: Any) -> Chances:
    if few is None:
        raise ValueError("needs own trials")
    from nissl.annotators.decoding.align import whitener

    onto = whitener(first.x)

    def moved(part: Any) -> Any:
        return np.einsum("cd,ndt->nct", onto, part)

    there = Set(recentred(learn.x, learn.subject), learn.y, learn.subject, learn.run, learn.rate_hz)
    here = Set(moved(few.x), few.y, few.subject, few.run, few.rate_hz)
    return _both(estimator, there, first, here, moved(x))


def part(train: Path, test: Path, same: bool, quick: bool) -> Mapping[str, Any]:
    """Everything about steady-state responses but transfer."""
    del quick
    held = ssvep(test)
    learn = held if same else ssvep(train)
    made = methods(held.rate_hz)
    seconds = CUE_S + held.x.shape[2] / held.rate_hz
    out: dict[str, Any] = {
        "trials": len(held),
        "subjects": len(np.unique(held.subject)),
        "within": {n: judged(within(held, m), held, seconds) for n, m in made.items()},
        "across": {n: judged(across(learn, held, same, m), held, seconds) for n, m in made.items()},
    }
    centred = across(learn, held, same, made["tangent space"], centred=True)
    out["across"]["tangent space, recentred"] = judged(centred, held, seconds)
    known, seen = evident(learn, held, same)
    light = OnEvidence(made["nissl"])
    p = calibrated_across(known, seen, same, light)
    out["across"]["nissl, calibrated"] = judged(p, held, seconds)
    out["calibration"] = {
        "nissl, calibrated": calibration(p, held),
        "nissl": calibration(across(known, seen, same, light), held),
        "FBCCA": calibration(across(learn, held, same, made["FBCCA"]), held),
    }
    out["penalties"] = [
        {
            "penalty": v,
            "accuracy": float(np.mean(across(known, seen, same, m).argmax(axis=1) == held.y)),
        }
        for v in PENALTIES
        for m in [OnEvidence(WeightedCorrelations(SSVEP_HZ, held.rate_hz, penalty=v))]
    ]
    out["windows"] = windows(learn, held, same)
    return out


def transfer_part(train: Path, test: Path, same: bool, quick: bool) -> Mapping[str, Any]:
    """Few labels of a new subject."""
    held = ssvep(test)
    return transfer(held if same else ssvep(train), held, same, 1 if quick else SEEDS)
