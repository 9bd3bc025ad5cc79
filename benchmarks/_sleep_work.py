"""What the benchmark of sleep computes: subjects left out, peers, answers, other nights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nissl.annotators.sleep.context import on_own_scale, with_ratios
from nissl.annotators.sleep.fitting import MEMBERS, SHAPE, SHARE_OF_COLUMNS
from nissl.annotators.sleep.learner import LEARNER, SleepLearner
from nissl.annotators.sleep.model import CARD
from nissl.annotators.sleep.score import agreement, f1
from nissl.annotators.sleep.sleep_edf import Night, examples_of
from nissl.annotators.sleep.train import learnt
from nissl.annotators.sleep.vocabulary import HUMAN
from nissl.annotators.trees import Shape, boosted, raw_scores
from nissl.tasks import Examples
from nissl.trust.reliability import reliability

STAGES = HUMAN.names[:-1]
BUDGETS = (0.05, 0.10, 0.20)
FIRST_ANSWERS = 20
SMALL = Shape(rounds=60, rate=0.12, leaves=6, min_leaf=5, l2=5.0)


@dataclass(frozen=True)
class Held:
    """One held-out subject, its nights and a learner that has not seen it."""

    subject: str
    learner: SleepLearner
    nights: tuple[Night, ...]
    known: tuple[Night, ...]


def folds(
    train: Sequence[Night], test: Sequence[Night], same: bool, seed: int, kept: Path
) -> list[Held]:
    """Subjects to report on, each with a learner of the others, or of all of `train`.

    Learners are kept in a folder, named by all that they follow from.
    """
    out: list[Held] = []
    for subject in sorted({night.subject for night in test}):
        known = tuple(n for n in train if not same or n.subject != subject)
        learner = _learner(known, seed, kept)
        own = tuple(n for n in test if n.subject == subject)
        out.append(Held(subject, learner, own, known))
        print(f"subject {subject}: learnt from {len(known)} nights", flush=True)
    return out


def _learner(known: Sequence[Night], seed: int, kept: Path) -> SleepLearner:
    told = hashlib.sha256(repr((seed, SHAPE, MEMBERS, SHARE_OF_COLUMNS, LEARNER.version)).encode())
    for night in known:
        told.update(night.name.encode() + night.values.tobytes() + night.stage.tobytes())
    folder = kept / told.hexdigest()[:20]
    if (folder / CARD).is_file():
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != CARD}
        return LEARNER.restored(files)
    learner = learnt(known, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in learner.files().items():
        (folder / name).write_bytes(content)
    (folder / CARD).write_text("{}", encoding="utf-8")  # last: now it is whole
    return learner


def nissl(held: Held, nights: Sequence[Night]) -> np.ndarray:
    """Probabilities by `sleep/nissl`, shape (n_epochs, 5)."""
    return held.learner.predict(examples_of(nights).features).probabilities[:, :-1]


def _boosted(seed: int = 0, **more: Any) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(random_state=seed, n_jobs=1, verbose=-1, deterministic=True, **more)


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=400))


def plain(night: Night) -> np.ndarray:
    """Numbers of each epoch alone."""
    return night.values


def neighbours(night: Night) -> np.ndarray:
    """Numbers with those of the two epochs before and after: the baseline of the data's floor."""
    n = len(night.values)
    rows = [np.clip(np.arange(n) + lag, 0, n - 1) for lag in range(-2, 3)]
    return np.hstack([night.values[r] for r in rows])


def as_yasa(night: Night) -> np.ndarray:
    """The recipe of YASA (Vallat and Walker 2021, Methods) on the same numbers.

    Each with a centred triangle of 7.5 min and the mean of the past 2 min, both on the night's
    own scale, and the time since the start.
    """
    from pandas import DataFrame

    values = with_ratios(night.values, night.names)[0]
    table = DataFrame(values)
    smooth = table.rolling(15, center=True, min_periods=1, win_type="triang").mean().to_numpy()
    past = table.rolling(4, min_periods=1).mean().to_numpy()
    n = len(values)
    time = np.column_stack([np.arange(n) / 120, np.arange(n) / max(n, 1)])
    return np.hstack([values, on_own_scale(smooth), on_own_scale(past), time])


PEERS: Mapping[str, tuple[Callable[[Night], np.ndarray], Callable[[], Any]]] = {
    "gradient boosting, epochs alone": (plain, lambda: _boosted(n_estimators=200)),
    "logistic regression, five epochs": (neighbours, _logistic),
    "gradient boosting, five epochs": (neighbours, lambda: _boosted(n_estimators=200)),
    "YASA's recipe, trained here": (
        as_yasa,
        lambda: _boosted(
            n_estimators=400,
            max_depth=5,
            num_leaves=90,
            colsample_bytree=0.5,
            importance_type="gain",
        ),
    ),
}


def peer(name: str, held: Held, nights: Sequence[Night]) -> np.ndarray:
    """Probabilities by a plain classifier trained on the same nights."""
    features, model = PEERS[name]
    fitted = model()
    x = np.vstack([features(night) for night in held.known])
    fitted.fit(x, np.concatenate([night.stage for night in held.known]))
    out = np.zeros((sum(len(n.stage) for n in nights), len(STAGES)))
    given = fitted.predict_proba(np.vstack([features(night) for night in nights]))
    out[:, fitted.classes_] = given
    return out


@dataclass(frozen=True)
class Told:
    """Probabilities of every held-out epoch, with truth and subject."""

    p: np.ndarray
    truth: np.ndarray
    subject: np.ndarray


def told(cuts: Sequence[Held], say: Callable[[Held, Sequence[Night]], np.ndarray]) -> Told:
    """Collect what a method says of all held-out nights."""
    p = [say(held, held.nights) for held in cuts]
    truth = [np.concatenate([night.stage for night in held.nights]) for held in cuts]
    subject = [np.full(len(t), held.subject) for t, held in zip(truth, cuts, strict=True)]
    return Told(np.vstack(p), np.concatenate(truth), np.concatenate(subject))


def scored(runs: Sequence[Told], *, calibrated: bool) -> dict[str, Any]:
    """Scores of a method, averaged over seeds, with an interval over subjects."""
    first = runs[0]
    said = [run.p.argmax(axis=1) for run in runs]
    rng = np.random.default_rng(0)

    def kappa(rows: np.ndarray) -> float:
        return float(np.mean([agreement(s[rows], first.truth[rows])["kappa"] for s in said]))

    out: dict[str, Any] = {
        "kappa": kappa(np.arange(len(first.truth))),
        "kappa_interval": _over_subjects(first.subject, kappa, rng),
        "kappa_by_seed": [agreement(s, first.truth)["kappa"] for s in said],
        "accuracy": float(np.mean([np.mean(s == first.truth) for s in said])),
        "macro_f1": float(np.mean([agreement(s, first.truth)["macro_f1"] for s in said])),
        "f1": {
            name: float(np.mean([f1(s, first.truth, k) for s in said]))
            for k, name in enumerate(STAGES)
        },
        "by_subject": {
            name: kappa(np.flatnonzero(first.subject == name)) for name in np.unique(first.subject)
        },
    }
    p = first.p / first.p.sum(axis=1, keepdims=True)
    right = p.argmax(axis=1) == first.truth
    confidence = p.max(axis=1)
    found = reliability(confidence, right, groups=first.subject, rng=rng)
    out["calibrated"] = calibrated
    out["ece"] = found.ece
    out["ece_of_a_perfect_model"] = list(found.perfect)
    out["coverage"] = coverage(confidence, right, first.subject)
    return out


def _over_subjects(
    subject: np.ndarray, statistic: Callable[[np.ndarray], float], rng: np.random.Generator
) -> list[float]:
    """95 % interval by drawing subjects with replacement."""
    rows = [np.flatnonzero(subject == name) for name in np.unique(subject)]
    draws = [
        statistic(np.concatenate([rows[k] for k in rng.integers(0, len(rows), len(rows))]))
        for _ in range(1000)
    ]
    return [float(v) for v in np.percentile(draws, [2.5, 97.5])]


def coverage(
    confidence: np.ndarray, right: np.ndarray, subject: np.ndarray
) -> dict[str, dict[str, float]]:
    """Coverage and error at error budgets; thresholds come from the other subjects.

    The threshold for a subject is the lowest at which the other subjects' accepted epochs keep
    the budget, each subject counting the same.
    """
    out = {}
    for budget in BUDGETS:
        accepted = np.zeros(confidence.size, bool)
        for name in np.unique(subject):
            others = subject != name
            chosen = _threshold(confidence[others], right[others], subject[others], budget)
            accepted |= (subject == name) & (confidence >= chosen)
        out[f"{budget:g}"] = {
            "coverage": float(accepted.mean()),
            "error": float(np.mean(~right[accepted])) if accepted.any() else float("nan"),
            "worst_subject": max(
                (
                    float(np.mean(~right[accepted & (subject == name)]))
                    for name in np.unique(subject)
                    if np.any(accepted & (subject == name))
                ),
                default=float("nan"),
            ),
        }
    return out


def _threshold(
    confidence: np.ndarray, right: np.ndarray, subject: np.ndarray, budget: float
) -> float:
    names = np.unique(subject)
    for threshold in np.unique(np.quantile(confidence, np.linspace(0, 1, 200))):
        errors = [
            np.mean(~right[(subject == n) & (confidence >= threshold)])
            for n in names
            if np.any((subject == n) & (confidence >= threshold))
        ]
        if errors and np.mean(errors) <= budget:
            return float(threshold)
    return float("inf")


def personal(cuts: Sequence[Held], seeds: int) -> dict[str, Any]:
    """Kappa on the rest of a new night before and after a few of its epochs were reviewed."""
    out: dict[str, Any] = {}
    for how in ("at random", "least sure"):
        for n in (10, FIRST_ANSWERS, 50, 100):
            gains, before, after = [], [], []
            for held in cuts:
                for night in held.nights:
                    for seed in range(seeds if how == "at random" else 1):
                        was, now = _reviewed(held.learner, night, n, how, seed)
                        before.append(was)
                        after.append(now)
                        gains.append(now - was)
            out.setdefault(how, {})[str(n)] = {
                "before": float(np.mean(before)),
                "after": float(np.mean(after)),
                "gain": float(np.mean(gains)),
                "nights_better": float(np.mean(np.asarray(gains) > 0)),
            }
    return out


def _reviewed(
    learner: SleepLearner, night: Night, n: int, how: str, seed: int
) -> tuple[float, float]:
    every = examples_of([night])
    p = learner.predict(every.features).probabilities
    if how == "at random":
        order = np.random.default_rng(seed).permutation(len(every))
    else:
        order = np.argsort(p.max(axis=1), kind="stable")
    asked, rest = order[:n], order[n:]
    fitted = learner.fit(every.take(asked), rng=np.random.default_rng(seed))
    q = fitted.predict(every.features).probabilities
    truth = every.label[rest]
    was, now = (agreement(x.argmax(axis=1)[rest], truth)["kappa"] for x in (p, q))
    return was, now


def active(cuts: Sequence[Held], seeds: int, sizes: Sequence[int]) -> dict[str, Any]:
    """Kappa on the held-out subject against the number of labelled epochs, least sure or random."""
    curves = {how: np.zeros(len(sizes)) for how in ("random", "least sure")}
    full = []
    for k, held in enumerate(cuts):
        pool, rest = examples_of(held.known), examples_of(held.nights)
        full.append(_small(pool, np.arange(len(pool)), rest)[0])
        for how, curve in curves.items():
            for seed in range(seeds):
                rng = np.random.default_rng([seed, k])
                have = rng.permutation(len(pool))[: sizes[0]]
                text = ""
                for at, size in enumerate(sizes):
                    if text:
                        have = _more(how, have, size, pool.features.values, text, rng)
                    kappa, text = _small(pool, have, rest)
                    curve[at] += kappa / (seeds * len(cuts))
    aim = 0.95 * float(np.mean(full))
    reached = {
        how: next((int(s) for s, v in zip(sizes, curve, strict=True) if v >= aim), None)
        for how, curve in curves.items()
    }
    return {
        "sizes": list(sizes),
        "kappa": {how: curve.tolist() for how, curve in curves.items()},
        "all_labels": float(np.mean(full)),
        "to_95_percent": reached,
    }


def _small(pool: Examples, rows: np.ndarray, rest: Examples) -> tuple[float, str]:
    """Kappa on the rest of a small model of some rows of a pool, and its text."""
    values = pool.features.values[rows]
    text = boosted(values, pool.label[rows], np.ones(len(rows)), SMALL, 5, 0, columns=0.15)
    said = raw_scores(text, rest.features.values).argmax(axis=1)
    return agreement(said, rest.label)["kappa"], text


def _more(
    how: str, have: np.ndarray, size: int, x: np.ndarray, text: str, rng: np.random.Generator
) -> np.ndarray:
    free = np.setdiff1d(np.arange(len(x)), have)
    if how == "random":
        return np.concatenate([have, rng.permutation(free)[: size - len(have)]])
    some = rng.permutation(free)[: 20 * (size - len(have))]  # a random part, so that it spreads
    scores = raw_scores(text, x[some])
    best = np.sort(scores, axis=1)
    order = np.argsort(best[:, -1] - best[:, -2], kind="stable")
    return np.concatenate([have, some[order[: size - len(have)]]])


__all__ = [
    "PEERS",
    "Held",
    "active",
    "folds",
    "nissl",
    "peer",
    "personal",
    "scored",
    "told",
]
