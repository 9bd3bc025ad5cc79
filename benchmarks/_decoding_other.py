"""Fists and eyes, the P300 speller, reaching, and live speed of `decoding.py`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from _decoding_data import Set, Speller, eyes, fists, reaches, speller
from nissl.annotators.decoding.csp import CommonPatterns
from nissl.annotators.decoding.eegnet import EegNet
from nissl.annotators.decoding.erp import Means, XdawnDiscriminant, XdawnTangent
from nissl.annotators.decoding.judging import scores
from nissl.annotators.decoding.kinematics import Lagged, Trees, blocks, r_squared
from nissl.annotators.decoding.methods import Taught
from nissl.annotators.decoding.recurrent import Recurrent
from nissl.annotators.decoding.riemann import TangentSpace
from nissl.annotators.decoding.tuning import cosine_tuning
from nissl.annotators.decoding.windows import Windowing
from nissl.live import StreamInfo
from nissl.live.decoding import LiveDecoder
from nissl.trust.intervals import binomial_interval, bootstrap_interval

BIN_S, FOLDS, GAP = 0.1, 5, 20
EPOCHS = 12
"""Of the network: what a few minutes on two shared cores allow."""
REPETITIONS = (1, 3, 5, 10, 15)


@dataclass(frozen=True)
class Sklearn:
    """A scikit-learn pipeline as an estimator."""

    make: Any

    def fit(self, x: Any, y: Any, *, rng: np.random.Generator) -> Any:
        """Fit a fresh one."""
        del rng
        return self.make().fit(x, y)


def mne_patterns() -> Any:
    """MNE's CSP with a shrunk discriminant."""
    import mne
    from mne.decoding import CSP
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.pipeline import make_pipeline

    mne.set_log_level("ERROR")
    discriminant = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    return make_pipeline(CSP(6, reg="ledoit_wolf", log=True), discriminant)


def plain_discriminant() -> Any:
    """Means over stretches of each channel and a shrunk discriminant (Blankertz et al. 2011)."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    discriminant = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    return make_pipeline(FunctionTransformer(Means(10).transform), discriminant)


def by_run(learn: Set, held: Set, same: bool, estimator: Any, seed: int) -> npt.NDArray[Any]:
    """Probability of each trial, its run left out."""
    p = np.empty((len(held), 2))
    for run in np.unique(held.run):
        away = held.run == run
        known = held.take(~away) if same else learn
        fitted = estimator.fit(known.x, known.y, rng=np.random.default_rng(seed))
        p[away] = fitted.predict_proba(held.x[away])
    return p


def _told(p: npt.NDArray[Any], y: npt.NDArray[Any]) -> dict[str, Any]:
    right = int(np.sum(p.argmax(axis=1) == y))
    return {**scores(p, y), "interval": binomial_interval(right, len(y)).to_json()}


def hands(train: Path, test: Path, same: bool, quick: bool) -> Mapping[str, Any]:
    """Left or right fist of one subject, a run left out; eyes open or closed by halves."""
    sets = {
        "real": ("R03", "R07"),
        "imagined": ("R04", "R08"),
        "both": ("R03", "R04", "R07", "R08"),
    }
    out: dict[str, Any] = {}
    for name, runs in sets.items():
        held = fists(test, runs)
        learn = held if same else fists(train, runs)
        out[name] = {"trials": len(held)}
        made = {
            "CSP": CommonPatterns(),
            "CSP (MNE)": Sklearn(mne_patterns),
            "tangent space": TangentSpace(),
            "EEGNet": EegNet(held.rate_hz),
        }
        for method, estimator in made.items():
            seeds = range(1 if quick else 3) if method == "EEGNet" else range(1)
            found = [_told(by_run(learn, held, same, estimator, s), held.y) for s in seeds]
            out[name][method] = {
                **found[0],
                "accuracy": float(np.mean([f["accuracy"] for f in found])),
                "auc": float(np.mean([f["auc"] for f in found])),
                "by_seed": [f["accuracy"] for f in found],
            }
    held = eyes(test)
    half = np.concatenate([np.arange(n) >= n // 2 for n in np.bincount(held.y)])
    p = np.empty((len(held), 2))
    for side in (False, True):
        away = half == side
        known = held.take(~away)
        p[away] = (
            TangentSpace()
            .fit(known.x, known.y, rng=np.random.default_rng(0))
            .predict_proba(held.x[away])
        )
    out["eyes"] = {"trials": len(held), "tangent space": _told(p, held.y)}
    return out


def spelling(train: Path, test: Path, same: bool, quick: bool) -> Mapping[str, Any]:
    """Flashes of the P300 speller, a run left out, and letters by number of repetitions."""
    held = speller(test)
    learn = held if same else speller(train)
    flashes = held.flashes
    out: dict[str, Any] = {"flashes": len(flashes), "letters": sum(map(len, held.words.values()))}
    made = {
        "shrunk discriminant": Sklearn(plain_discriminant),
        "xDAWN + tangent space": XdawnTangent(),
        "xDAWN + discriminant": XdawnDiscriminant(),
        "EEGNet": EegNet(flashes.rate_hz / 4, epochs=40, patience=8),
    }
    for method, estimator in made.items():
        seeds = range(1 if quick or method != "EEGNet" else 2)
        areas, letters = [], []
        for seed in seeds:
            p = by_run(learn.flashes, flashes, same, estimator, seed)
            areas.append(_run_areas(p, flashes))
            letters.append({str(n): _letters(p, held, n) for n in REPETITIONS})
        mean = np.mean(areas, axis=0)
        interval = bootstrap_interval(mean, rng=np.random.default_rng(0))
        out[method] = {
            "auc": interval.to_json(),
            "by_run": mean.tolist(),
            "letters": {k: float(np.mean([x[k] for x in letters])) for k in letters[0]},
        }
    return out


def _run_areas(p: npt.NDArray[Any], flashes: Set) -> list[float]:
    own = [flashes.run == r for r in np.unique(flashes.run)]
    return [float(scores(p[rows], flashes.y[rows])["auc"]) for rows in own]


def _letters(p: npt.NDArray[Any], held: Speller, repetitions: int) -> float:
    """Share of letters whose row and column have the most evidence after so many repetitions."""
    evidence = np.log(np.maximum(p[:, 1], 1e-9)) - np.log(np.maximum(p[:, 0], 1e-9))
    right = total = 0
    for run in np.unique(held.flashes.run):
        for k in np.unique(held.letter[held.flashes.run == run]):
            rows = np.flatnonzero((held.flashes.run == run) & (held.letter == k))
            rows = rows[: 12 * repetitions]
            code, target = held.code[rows], held.flashes.y[rows]
            sums = np.array([evidence[rows][code == c].sum() for c in range(1, 13)])
            true = np.unique(code[target == 1])
            said = {1 + int(sums[:6].argmax()), 7 + int(sums[6:].argmax())}
            right += said == set(true.tolist())
            total += 1
    return right / total


def reaching(train: Path, test: Path, same: bool, quick: bool) -> Mapping[str, Any]:
    """R2 of hand velocity of a monkey, contiguous blocks with gaps of two seconds."""
    del quick
    made = {"ridge": Lagged(1), "Wiener (5 bins)": Lagged(5), "boosted trees": Trees()}
    out = _reached(train, test, same, made)
    own, moves = reaches(test)
    tuned = cosine_tuning(own, moves, BIN_S, rng=np.random.default_rng(0), least_speed=0.02)
    out["tuning"] = {
        "tuned": float(tuned.tuned.mean()),
        "half_width_deg": float(np.degrees(np.median(tuned.preferred_half_width[tuned.tuned]))),
        "explained": float(np.median(tuned.explained[tuned.tuned])),
    }
    return out


def recurrence(train: Path, test: Path, same: bool, quick: bool) -> Mapping[str, Any]:
    """As `reaching`, by the network; at most `EPOCHS` epochs."""
    made = {"convolution + recurrence": Recurrent(epochs=2 if quick else EPOCHS)}
    return _reached(train, test, same, made)


def _reached(train: Path, test: Path, same: bool, made: Mapping[str, Any]) -> dict[str, Any]:
    counts, velocity = reaches(test)
    cuts: Any = blocks(len(velocity), FOLDS, GAP)
    if not same:
        more, there = reaches(train)
        cuts = [([(len(velocity) + GAP, len(velocity) + GAP + len(there))], (0, len(velocity)))]
        counts = np.concatenate([counts, np.zeros((GAP, counts.shape[1])), more])
        velocity = np.concatenate([velocity, np.zeros((GAP, 2)), there])
    out: dict[str, Any] = {"bins": len(velocity), "units": counts.shape[1], "methods": {}}
    for name, model in made.items():
        begun, rows = time.perf_counter(), []
        for known, (a, b) in cuts:
            fitted = model.fit(counts, velocity, known, rng=np.random.default_rng(0))
            rows.append(r_squared(velocity[a:b], fitted.predict(counts[a:b])))
        means = np.mean(rows, axis=1)
        interval = bootstrap_interval(means, rng=np.random.default_rng(0))
        out["methods"][name] = {
            "r2": interval.to_json(),
            "by_block": means.tolist(),
            "xy": np.mean(rows, axis=0).tolist(),
            "seconds": (time.perf_counter() - begun) / len(cuts),
        }
    return out


def live(train: Path, test: Path, same: bool, quick: bool) -> Mapping[str, Any]:
    """Time per chunk of 100 ms, 64 channels at 256 Hz, and per decision; delays of filters."""
    del train, test, same
    rate, n_channels = 256.0, 64
    rng = np.random.default_rng(0)
    settings = Windowing(rate, 0.0, 2.0, (8.0, 30.0), average=True)
    names = tuple(f"E{k}" for k in range(n_channels))
    x, y = rng.standard_normal((60, n_channels, settings.n_samples)), np.arange(60) % 2
    out: dict[str, Any] = {}
    for name, estimator in (("CSP", CommonPatterns()), ("tangent space", TangentSpace())):
        taught = Taught(settings, names, ("a", "b"), estimator.fit(x, y, rng=rng), None)
        decoder = LiveDecoder(StreamInfo.plain(list(names), rate), taught)
        plain, deciding = [], []
        n = round(0.1 * rate)
        for k in range(200 if quick else 2000):
            if k % 25 == 0:
                decoder.onset(k * n)
            chunk = rng.standard_normal((n, n_channels)).astype(np.float32)
            begun = time.perf_counter()
            said = decoder.push(chunk, k * n)
            (deciding if said else plain).append(1e3 * (time.perf_counter() - begun))
        every = plain + deciding
        out[name] = {
            "median_ms": float(np.median(every)),
            "p99_ms": float(np.percentile(every, 99)),
            "decision_ms": float(np.median(deciding)),
        }
    bands = {"8-30 Hz": (8.0, 30.0), "6-45 Hz": (6.0, 45.0), "0.5-20 Hz": (0.5, 20.0)}
    out["delays_ms"] = {
        name: 1e3 * Windowing(rate, 0.0, 1.0, band).delay_s for name, band in bands.items()
    }
    return out
