"""Seizures of one dog with whole seizures held out, and Bonn's five sets.

Clips, not monitoring: one second each, without what lies between them. A record of 24 h is put
together from clips that the model has not seen: runs of consecutive interictal clips in random
order, with the held-out seizure at random places. It has the rhythm of a day and the variety of
the few minutes that it is made of.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.events.method import Found
from nissl.annotators.events.score import szcore
from nissl.annotators.events.seizure_features import NAMES, WINDOW_S, baseline, window_features
from nissl.annotators.events.seizures import (
    SeizureModel,
    by_model,
    fitted_seizures,
    operating_point,
    shipped_seizures,
)
from nissl.annotators.events.vocabulary import classes
from nissl.annotators.events.waves import smooth
from nissl.clock import Clock
from nissl.data import ChannelTable, Signal
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.run.memory import measure_peak
from nissl.trust.intervals import binomial_interval, bootstrap_interval

DOG = Path("eeg/ieeg_dog_seizures/clips.npz")
BONN = Path("eeg/bonn_seizure/bonn.npz")
THIRDS = 3
INSERTED = 4
RUN = 10
"""Consecutive interictal clips that stay together in an assembled record."""
LOOSE = -2.0
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Clips:
    """Clips of one second, (n, n_samples, n_channels), and their features.

    Parameters
    ----------
    rate_hz : float
    ictal, quiet : ndarray
    seizure : ndarray, shape (n_ictal,)
        Which seizure each belongs to, in order of time.
    third : ndarray, shape (n_quiet,)
        Thirds of the interictal time.
    """

    rate_hz: float
    ictal: npt.NDArray[np.float32]
    quiet: npt.NDArray[np.float32]
    seizure: npt.NDArray[np.int64]
    third: npt.NDArray[np.int64]
    ictal_values: Values
    quiet_values: Values

    @classmethod
    def read(cls, folder: Path) -> Clips:
        """From the data folder."""
        with np.load(folder / DOG) as data:
            rate = float(data["fs"])
            order = np.argsort(data["idx_interictal"], kind="stable")
            quiet = data["X_interictal"][order].transpose(0, 2, 1)
            when = np.lexsort((data["latency_ictal"], data["seizure"]))
            ictal, seizure = data["X_ictal"][when].transpose(0, 2, 1), data["seizure"][when]
        third = np.arange(len(quiet)) * THIRDS // len(quiet)
        return cls(rate, ictal, quiet, seizure, third,
                   window_features(ictal, rate), window_features(quiet, rate))  # fmt: skip


@dataclass(frozen=True, eq=False)
class Fold:
    """What is learnt from, and what is held out: rows of ictal and quiet clips."""

    learn: Clips
    held: Clips
    learn_ictal: npt.NDArray[np.bool_]
    learn_quiet: npt.NDArray[np.bool_]
    held_ictal: npt.NDArray[np.bool_]
    held_quiet: npt.NDArray[np.bool_]
    name: str


def folds(train: Path, test: Path, same: bool) -> list[Fold]:
    """One per seizure that is held out, with a third of the interictal time."""
    held = Clips.read(test)
    learn = held if same else Clips.read(train)
    out = []
    for k, seizure in enumerate(np.unique(held.seizure).tolist()):
        own, quiet = held.seizure == seizure, held.third == k % THIRDS
        if same:
            out.append(Fold(held, held, ~own, ~quiet, own, quiet, f"seizure {seizure}"))
        else:
            every = np.ones(len(learn.ictal), bool), np.ones(len(learn.quiet), bool)
            out.append(Fold(learn, held, *every, own, quiet, f"seizure {seizure}"))
    return out


def model_of(clips: Clips, ictal: npt.NDArray[np.bool_], quiet: npt.NDArray[np.bool_],
             seed: int) -> tuple[SeizureModel, tuple[Values, Values]]:  # fmt: skip
    """Model of clips and the baseline that they were taken against."""
    middle, scale = baseline(clips.quiet_values[quiet])
    values = np.vstack([clips.ictal_values[ictal], clips.quiet_values[quiet]])
    label = np.repeat([0, 1], [int(ictal.sum()), int(quiet.sum())])
    rng = np.random.default_rng(seed)
    return fitted_seizures((values - middle) / scale, label, rng=rng), (middle, scale)


def clip_scores(fold: Fold, method: str, seed: int) -> dict[str, Any]:
    """Odds of held-out clips, and the threshold of 1 % false clips from left-out training clips."""
    f = fold
    scorer = _scorer(f, f.learn_ictal, f.learn_quiet, method, seed)
    ictal = scorer(f.held.ictal_values[f.held_ictal])
    quiet = scorer(f.held.quiet_values[f.held_quiet])
    inner = []
    for third in np.unique(f.learn.third[f.learn_quiet]).tolist():
        out = f.learn_quiet & (f.learn.third == third)
        keep = f.learn_quiet & ~out
        inner.append(_scorer(f, f.learn_ictal, keep, method, seed)(f.learn.quiet_values[out]))
    threshold = float(np.quantile(np.concatenate(inner), 0.99))
    return {"ictal": ictal, "quiet": quiet, "threshold": threshold}


def _scorer(fold: Fold, ictal: npt.NDArray[np.bool_], quiet: npt.NDArray[np.bool_], method: str,
            seed: int) -> Any:  # fmt: skip
    clips = fold.learn
    middle, scale = baseline(clips.quiet_values[quiet])
    line = NAMES.index("line_length_mean")
    if method == "line length":
        return lambda v: (v[:, line] - middle[line]) / scale[line]
    if method == "nissl, simulations only":
        model = shipped_seizures().windows
    elif method == "nissl":
        model = model_of(clips, ictal, quiet, seed)[0].windows
    else:
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(300, class_weight="balanced", random_state=seed, n_jobs=1)
        values = np.nan_to_num(np.vstack([clips.ictal_values[ictal], clips.quiet_values[quiet]]))
        forest.fit(values, np.repeat([1, 0], [int(ictal.sum()), int(quiet.sum())]))
        return lambda v: forest.predict_proba(np.nan_to_num(v))[:, 1]
    return lambda v: _odds(model.probabilities((v - middle) / scale)[:, 0])


def _odds(p: Values) -> Values:
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


def clips(cuts: list[Fold], seeds: int) -> dict[str, Any]:
    """AUC, and sensitivity at the threshold that lets 1 % of training clips through."""
    from sklearn.metrics import roc_auc_score

    out: dict[str, Any] = {}
    for method in ("nissl", "nissl, simulations only", "random forest", "line length"):
        auc: dict[str, list[float]] = {f.name: [] for f in cuts}
        hits, total, false, quiet = 0, 0, 0, 0
        runs = seeds if method in ("nissl", "random forest") else 1
        for seed in range(runs):
            for fold in cuts:
                s = clip_scores(fold, method, seed)
                truth = np.repeat([1, 0], [len(s["ictal"]), len(s["quiet"])])
                auc[fold.name].append(
                    float(roc_auc_score(truth, np.concatenate([s["ictal"], s["quiet"]])))
                )
                hits += int(np.sum(s["ictal"] > s["threshold"]))
                false += int(np.sum(s["quiet"] > s["threshold"]))
                total, quiet = total + len(s["ictal"]), quiet + len(s["quiet"])
        out[method] = {
            "auc": {name: [float(np.min(a)), float(np.max(a))] for name, a in auc.items()},
            "sensitivity": binomial_interval(round(hits / runs), total // runs).to_json(),
            "false": binomial_interval(round(false / runs), quiet // runs).to_json(),
            "seeds": runs,
        }
    return out


@dataclass(frozen=True)
class AssembledReader:
    """Clips one after the other, read as they are asked for; nothing is copied.

    Parameters
    ----------
    clips : ndarray, shape (n_clips, n_samples, n_channels)
    order : ndarray, shape (n_places,)
        Which clip stands where.
    shift : int
        Samples by which the record begins later than its first clip.
    """

    clips: npt.NDArray[np.float32]
    order: npt.NDArray[np.int64]
    shift: int = 0

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        return self.clips.dtype

    def read(self, start: int, stop: int, channels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Samples of an interval, shape (stop - start, len(channels))."""
        n = self.clips.shape[1]
        first, last = (start + self.shift) // n, -(-(stop + self.shift) // n)
        flat = self.clips[self.order[first:last]].reshape(-1, self.clips.shape[2])
        low = start + self.shift - first * n
        return flat[low : low + stop - start][:, channels]


def assembled(
    n_quiet: int, n_ictal: int, hours: float, inserted: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Order of clips (quiet first, then ictal, by number) and where seizures begin, in clips."""
    total = round(hours * 3600)
    runs = int(total / RUN) + 1
    begin = rng.integers(0, max(n_quiet - RUN, 1), runs)
    order = ((begin[:, None] + np.arange(min(RUN, n_quiet))).ravel() % n_quiet)[:total]
    width = total // max(inserted, 1)
    at = np.array([k * width + int(rng.integers(300, width - 300 - n_ictal))
                   for k in range(inserted)], np.int64)  # fmt: skip
    for a in at.tolist():
        order[a : a + n_ictal] = n_quiet + np.arange(n_ictal)
    return order.astype(np.int64), at


def events_of(model: SeizureModel, values: Values) -> tuple[Any, Any, Values]:
    """Events of a record by its windows: start, stop in windows, and smoothed odds."""
    middle, scale = baseline(values)
    odds = model.log_odds((values - middle) / scale)
    return *model.events(odds), odds


def with_operating_point(fold: Fold, seed: int, hours: float) -> SeizureModel:
    """Model of all training clips; threshold from assembled records of left-out training clips.

    At most one false alarm a day there, half way up to the weakest seizure of them.
    """
    f, rng = fold, np.random.default_rng([seed, 5])
    if f.learn is f.held:
        held_out = np.unique(f.learn.seizure[f.learn_ictal]).tolist()
    else:
        held_out = np.unique(f.learn.seizure).tolist()
    thirds = np.unique(f.learn.third[f.learn_quiet]).tolist()
    false, true, total = [], [], 0.0
    for k, seizure in enumerate(held_out):
        out = f.learn_ictal & (f.learn.seizure == seizure)
        quiet = f.learn_quiet & (f.learn.third == thirds[k % len(thirds)])
        model, _ = model_of(f.learn, f.learn_ictal & ~out, f.learn_quiet & ~quiet, seed)
        values = np.vstack([f.learn.quiet_values[quiet], f.learn.ictal_values[out]])
        order, at = assembled(int(quiet.sum()), int(out.sum()), hours, INSERTED, rng)
        start, stop, odds = events_of(replace(model, threshold=LOOSE), values[order])
        inside = np.zeros(len(order), bool)
        for a in at.tolist():
            inside[a - 30 : a + int(out.sum()) + 60] = True
            true.append(float(odds[a : a + int(out.sum())].max()))
        false += [float(odds[i:j].max()) for i, j in zip(start, stop, strict=True)
                  if not inside[i:j].any()]  # fmt: skip
        total += hours
    low = operating_point(np.array(false), total, false_per_day=1.0, least=LOOSE)
    threshold = low if low >= min(true) else (low + min(true)) / 2
    model, _ = model_of(f.learn, f.learn_ictal, f.learn_quiet, seed)
    return replace(model, threshold=threshold)


def line_length_events(values: Values, threshold: float) -> tuple[Any, Any]:
    """The classical rule: smoothed line length against the record's own usual one."""
    middle, scale = baseline(values)
    k = NAMES.index("line_length_mean")
    z = smooth((values[:, k] - middle[k]) / scale[k], 10)
    return replace(shipped_seizures(), threshold=threshold).events(z)


def monitoring(cuts: list[Fold], seeds: int, hours: float) -> dict[str, Any]:
    """SzCORE's counts on assembled records, by method."""
    rows: dict[str, list[dict[str, float]]] = {}
    for fold in cuts:
        f = fold
        quiet, ictal = f.held.quiet_values[f.held_quiet], f.held.ictal_values[f.held_ictal]
        values = np.vstack([quiet, ictal])
        for seed in range(seeds):
            rng = np.random.default_rng([seed, 6])
            order, at = assembled(len(quiet), len(ictal), hours, INSERTED, rng)
            truth = spans(at, at + len(ictal))
            model = with_operating_point(fold, seed, min(hours, 12.0))
            methods = {
                "nissl": events_of(model, values[order])[:2],
                "nissl, simulations only": events_of(shipped_seizures(), values[order])[:2],
                "line length over 3 deviations": line_length_events(values[order], 3.0),
            }
            for name, found in methods.items():
                counts = szcore(truth, spans(*found), 1.0, hours * 3600)
                rows.setdefault(name, []).append(counts.to_json() | {"seed": seed})
    return {name: _summed(found) for name, found in rows.items()}


def _summed(rows: list[dict[str, float]]) -> dict[str, Any]:
    n_true, n_hit, n_false = (int(sum(r[k] for r in rows)) for k in ("n_true", "n_hit", "n_false"))
    hours = sum(r["duration_s"] for r in rows) / 3600
    rng = np.random.default_rng(0)
    f1 = bootstrap_interval([r["f1"] for r in rows], rng=rng)
    alarms = bootstrap_interval([r["false_per_day"] for r in rows], rng=rng)
    return {
        "n_true": n_true,
        "n_hit": n_hit,
        "n_false": n_false,
        "hours": hours,
        "sensitivity": n_hit / n_true,
        "f1": f1.to_json(),
        "false_per_day": alarms.to_json(),
        "records": len(rows),
    }


def spans(start: npt.ArrayLike, stop: npt.ArrayLike, rate: float = 1.0) -> LabelSet:
    """Seizures as a label set."""
    found = Found.of(np.rint(np.asarray(start) * rate), np.rint(np.asarray(stop) * rate))
    about = Provenance("events", "", Author("model", "benchmark"))
    columns = {"start": found.start, "stop": found.stop}
    return LabelSet.build(Kind.SPANS, columns, classes("seizure"), about)


def whole_path(fold: Fold, hours: float) -> dict[str, Any]:
    """The detector itself on samples, windows aligned with clips and half a clip off."""
    f = fold
    quiet, ictal = f.held.quiet[f.held_quiet], f.held.ictal[f.held_ictal]
    both = np.concatenate([quiet, ictal])
    model = with_operating_point(fold, 0, min(hours, 12.0))
    rng = np.random.default_rng([0, 6])
    order, at = assembled(len(quiet), len(ictal), hours, INSERTED, rng)
    n = both.shape[1]
    out: dict[str, Any] = {}
    for name, shift in (("aligned", 0), ("half a clip off", n // 2)):
        length = len(order) * n - shift
        signal = Signal(
            "ieeg",
            AssembledReader(both, order, shift),
            ChannelTable.plain([f"LA{k + 1}" for k in range(both.shape[2])], kind="ieeg"),
            Clock.regular(f.held.rate_hz, length),
        )
        began = time.perf_counter()
        with measure_peak() as peak:
            found = by_model(signal, 0, length, list(range(both.shape[2])), model)
        truth = spans((at * n - shift) / 1.0, ((at + len(ictal)) * n - shift) / 1.0)
        seconds = length / f.held.rate_hz
        counts = szcore(truth, spans(found.start, found.stop), f.held.rate_hz, seconds)
        out[name] = counts.to_json() | {
            "wall_s": time.perf_counter() - began,
            "peak_memory_bytes": peak.bytes,
        }
    return out


def seizures(train: Path, test: Path, same: bool, *, quick: bool) -> dict[str, Any]:
    """Everything about the dog."""
    cuts = folds(train, test, same)
    hours = 2.0 if quick else 24.0
    held = cuts[0].held
    return {
        "n_ictal": len(held.ictal),
        "n_quiet": len(held.quiet),
        "hours": hours,
        "clips": clips(cuts, 1 if quick else 5),
        "monitoring": monitoring(cuts, 1 if quick else 5, hours),
        "whole_path": whole_path(cuts[0], hours),
        "window_s": WINDOW_S,
    }


def segment_features(x: npt.NDArray[np.floating], rate_hz: float) -> Values:
    """Mean and deviation over one-second windows of one-channel segments, (n, 2 * n_features)."""
    n = round(rate_hz)
    count = x.shape[1] // n
    windows = x[:, : count * n].reshape(-1, n, 1)
    values = window_features(windows, rate_hz).reshape(len(x), count, len(NAMES))
    keep = np.isfinite(values).all(axis=(0, 1)) & (values.std(axis=(0, 1)) > 1e-9)
    values = values[:, :, keep]
    return np.hstack([values.mean(axis=1), values.std(axis=1)])


def bonn(train: Path, test: Path, same: bool, *, seeds: int) -> dict[str, Any]:
    """Five sets of Bonn by segment; whose segments they are is not known: optimistic."""
    x, y = _bonn(test)
    learn = None if same else _bonn(train)
    out: dict[str, Any] = {"n": len(y)}
    for name, make in _CLASSIFIERS.items():
        scores = [_cross_validated(x, y, learn, make, seed) for seed in range(seeds)]
        hits = np.mean([s == y for s in scores], axis=0)
        rng = np.random.default_rng(0)
        out[name] = {
            "accuracy": bootstrap_interval(hits, rng=rng).to_json(),
            "macro_f1": float(np.mean([_macro_f1(s, y) for s in scores])),
            "by_set": {str(c): float(hits[y == c].mean()) for c in np.unique(y)},
        }
    return out


def _bonn(folder: Path) -> tuple[Values, npt.NDArray[Any]]:
    with np.load(folder / BONN) as data:
        return segment_features(data["X"].astype(np.float64), float(data["fs"])), data["set"]


def _cross_validated(x: Values, y: Any, learn: Any, make: Any, seed: int) -> npt.NDArray[Any]:
    from sklearn.model_selection import StratifiedKFold

    if learn is not None:
        return make(seed).fit(*learn).predict(x)
    out = np.empty_like(y)
    for fit, held in StratifiedKFold(10, shuffle=True, random_state=seed).split(x, y):
        out[held] = make(seed).fit(x[fit], y[fit]).predict(x[held])
    return out


def _macro_f1(said: Any, truth: Any) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(truth, said, average="macro"))


def _regression(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=2000))


def _boosting(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=150, max_leaf_nodes=7, random_state=seed)


def _forest(seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(300, random_state=seed, n_jobs=1)


_CLASSIFIERS: Mapping[str, Any] = {
    "nissl's features, regression": _regression,
    "nissl's features, boosted trees": _boosting,
    "nissl's features, extremely random trees": _forest,
}
