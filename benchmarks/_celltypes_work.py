"""What the benchmark of cell types computes: claims about animals that no method has seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from _celltypes_data import CLASSES, Cells
from nissl.annotators.celltypes.axes import ACG, WAVE
from nissl.annotators.celltypes.encoder import Encoder
from nissl.annotators.celltypes.fitting import grown
from nissl.annotators.celltypes.inputs import curve
from nissl.annotators.celltypes.learner import CelltypesLearner
from nissl.annotators.celltypes.vocabulary import UNKNOWN
from nissl.errors import MissingInputError
from nissl.trust.intervals import bootstrap_interval
from nissl.trust.reliability import reliability

Values = npt.NDArray[np.float64]
Encoders = Mapping[str, Encoder]
Method = Callable[[Cells, Cells, int], Values]

BUDGETS = (0.05, 0.1, 0.2, 0.3)
FEW_GROUPS = 5
LABELS = (20, 50, 100)
SHARES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)


def nissl(encoders: Encoders) -> Method:
    """Nissl's learner, grown from the training cells only."""

    def method(train: Cells, test: Cells, seed: int) -> Values:
        return _told(learner(train, encoders, seed), test)

    return method


def learner(train: Cells, encoders: Encoders, seed: int) -> CelltypesLearner:
    """Learner that knows the training cells and nothing else."""
    return CelltypesLearner(grown(train.examples(), encoders, seed=seed))


def _told(known: CelltypesLearner, test: Cells) -> Values:
    """Probabilities over `CLASSES`; 0 for those that the learner does not know."""
    p, names = known.predict(test.table).probabilities, known.vocabulary.names
    columns = [p[:, names.index(n)] if n in names else np.zeros(len(p)) for n in CLASSES]
    return np.stack(columns, axis=1)


def boosting(train: Cells, test: Cells, seed: int) -> Values:
    """Gradient boosting (LightGBM) on the numbers that the collection gives."""
    import lightgbm

    model = lightgbm.LGBMClassifier(
        n_estimators=100,
        learning_rate=0.06,
        num_leaves=8,
        min_child_samples=8,
        class_weight="balanced",
        random_state=seed,
        n_jobs=1,
        verbose=-1,
    )
    return _sklearn(model, train.hand, test.hand, train)


def logistic(train: Cells, test: Cells, seed: int) -> Values:
    """Logistic regression on the numbers that the collection gives, classes balanced."""
    del seed
    return _sklearn(_linear(0.3), train.hand, test.hand, train)


def components(train: Cells, test: Cells, seed: int) -> Values:
    """Principal components of waveform and autocorrelogram, then logistic regression."""
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(PCA(12, random_state=seed), _linear(0.3))
    known = _curves(train)
    middle = np.nanmean(known, axis=0)
    filled = [np.where(np.isfinite(x), x, middle) for x in (known, _curves(test))]
    return _sklearn(model, filled[0], filled[1], train)


def template(train: Cells, test: Cells, seed: int) -> Values:
    """Nearest class mean of waveform and autocorrelogram."""
    from sklearn.neighbors import NearestCentroid

    del seed
    known = _curves(train)
    middle = np.nanmean(known, axis=0)
    filled = [np.where(np.isfinite(x), x, middle) for x in (known, _curves(test))]
    model = NearestCentroid()
    rows = np.isin(train.label, CLASSES)
    model.fit(filled[0][rows], train.label[rows])
    called = model.predict(filled[1])
    return np.stack([(called == name).astype(float) for name in CLASSES], axis=1)


def methods(sets: Mapping[str, Encoders]) -> dict[str, Method]:
    """Methods by name; one of nissl's per set of encoders."""
    own = {f"nissl, {name}" if name else "nissl": nissl(e) for name, e in sets.items()}
    return own | {
        "logistic regression, hand features": logistic,
        "gradient boosting, hand features": boosting,
        "PCA and logistic regression": components,
        "nearest template": template,
    }


def predictions(cuts: Sequence[tuple[str, Cells, Cells]], method: Method, seed: int) -> Values:
    """Probabilities over `CLASSES` of all test cells, cut by cut."""
    return np.concatenate([method(known, held, seed) for _, known, held in cuts])


def folds(train: Cells, test: Cells, same: bool) -> list[tuple[str, Cells, Cells]]:
    """Held-out animals with what may be learnt from."""
    out = []
    labelled = test.take(np.isin(test.label, CLASSES))
    for name in sorted(set(labelled.animal)):
        known = train.take(train.animal != name) if same else train
        out.append((str(name), known, labelled.take(labelled.animal == name)))
    return out


def by_session(train: Cells, test: Cells) -> list[tuple[str, Cells, Cells]]:
    """Sessions of animals that are the only ones of their class, held out in turn."""
    alone = [n for n in CLASSES if len(set(train.animal[train.label == n])) == 1]
    rows = np.isin(test.label, alone)
    return [
        (str(name), train.take(train.session != name), test.take(rows & (test.session == name)))
        for name in sorted(set(test.session[rows]))
    ]


def stacked(
    cuts: Sequence[tuple[str, Cells, Cells]],
) -> tuple[npt.NDArray, npt.NDArray, npt.NDArray]:
    """Label, animal and lab of the test cells in the order of `predictions`."""
    parts = [(held.label, held.animal, held.lab) for _, _, held in cuts]
    label, animal, lab = (np.concatenate(column) for column in zip(*parts, strict=True))
    return label, animal, lab


def scored(
    p: Values, label: npt.NDArray, animal: npt.NDArray, classes: Sequence[str]
) -> dict[str, Any]:
    """Balanced accuracy and recall of each class, over animals.

    Parameters
    ----------
    p : ndarray, shape (n, n_classes)
    label, animal : ndarray, shape (n,)
    classes : sequence of str
        Those that count: known from more than one animal.
    """
    rows = np.isin(label, classes)
    right = np.asarray(CLASSES)[p.argmax(axis=1)] == label
    recalls = {}
    for name in classes:
        own = label == name
        animals = sorted(set(animal[own]))
        row: dict[str, Any] = {"n": int(own.sum()), "animals": len(animals)}
        row["recall"] = float(right[own].mean()) if own.any() else None
        row["by_animal"] = {
            a: [int(right[own & (animal == a)].sum()), int((own & (animal == a)).sum())]
            for a in animals
        }
        if len(animals) >= FEW_GROUPS:
            found = bootstrap_interval(
                right[own].astype(float), animal[own], np.mean, rng=np.random.default_rng(0)
            )
            row["interval"] = found.to_json()
        recalls[name] = row
    known = [row["recall"] for row in recalls.values() if row["recall"] is not None]
    pairs = np.stack(
        [np.asarray([CLASSES.index(n) for n in label[rows]]), p[rows].argmax(axis=1)], axis=1
    )
    spread = bootstrap_interval(
        pairs, animal[rows], _balanced, rng=np.random.default_rng(1), n=1000
    )
    return {
        "balanced_accuracy": float(np.mean(known)) if known else None,
        "interval": spread.to_json(),
        "accuracy": float(right[rows].mean()) if rows.any() else None,
        "recalls": recalls,
        "risk": {str(s): _risk(p[rows], right[rows], s) for s in SHARES},
        "coverage_at_95": _coverage(p[rows], right[rows], 0.95),
    }


def within_lab(p: Values, label: npt.NDArray, lab: npt.NDArray) -> dict[str, Any]:
    """Balanced accuracy among the classes that one lab gave, choosing only among these."""
    out = {}
    for name in sorted(set(lab)):
        rows = lab == name
        own = [n for n in CLASSES if np.any(label[rows] == n)]
        if len(own) < 2:
            continue
        columns = [CLASSES.index(n) for n in own]
        called = np.asarray(own)[p[rows][:, columns].argmax(axis=1)]
        recall = {n: float(np.mean(called[label[rows] == n] == n)) for n in own}
        out[name] = {
            "classes": own,
            "recall": recall,
            "balanced_accuracy": float(np.mean(list(recall.values()))),
        }
    return out


def claimed(
    cuts: Sequence[tuple[str, Cells, Cells]], encoders: Encoders, seed: int
) -> list[dict[str, Any]]:
    """What nissl claims in each held-out animal at each budget, and how much of it is wrong."""
    rows = []
    for name, known, held in cuts:
        own = learner(known, encoders, seed)
        absent = ~np.isin(held.label, known.label)
        distance = own.known.strange.distance(own.known.frame.inputs(held.table))
        for budget in BUDGETS:
            code, _ = replace(own, budget=budget).claims(held.table)
            told = np.asarray(own.vocabulary.names)[code]
            on = told != UNKNOWN
            rows.append(
                {
                    "animal": name,
                    "class": str(held.label[0]),
                    "absent": bool(absent.all()),
                    "budget": budget,
                    "n": len(held),
                    "claimed": int(on.sum()),
                    "right": int((told == held.label)[on].sum()),
                    "outside": int((distance > own.known.strange.limit).sum()),
                }
            )
    return rows


def calibration(
    p: Values, label: npt.NDArray, animal: npt.NDArray, classes: Sequence[str]
) -> dict[str, Any]:
    """Reliability of the largest probability: with classes counting alike, and as they come."""
    rows = np.isin(label, classes)
    confidence = p[rows].max(axis=1)
    right = np.asarray(CLASSES)[p[rows].argmax(axis=1)] == label[rows]
    counts = {n: np.sum(label[rows] == n) for n in classes}
    weight = np.asarray([1 / counts[n] for n in label[rows]])
    out = {}
    for name, weights in (("balanced", weight / weight.mean()), ("plain", None)):
        found = reliability(
            confidence, right, groups=animal[rows], weights=weights, rng=np.random.default_rng(0)
        )
        out[name] = found.to_json()
    return out


def few_labels(
    cuts: Sequence[tuple[str, Cells, Cells]],
    sets: Mapping[str, Encoders],
    seeds: int,
    classes: Sequence[str],
) -> list[dict[str, Any]]:
    """Balanced accuracy against the number of labelled cells, by set of encoders.

    Cells are drawn so that classes come in turn, the rest of the training cells is not used.
    """
    rows = []
    for seed in range(seeds):
        for n in (*LABELS, None):
            for name, encoders in sets.items():
                parts = []
                for animal, known, held in cuts:
                    part = (
                        known if n is None else known.take(_drawn(known, n, [seed, n, len(animal)]))
                    )
                    try:
                        parts.append(nissl(encoders)(part, held, seed))
                    except MissingInputError:
                        parts.append(np.full((len(held), len(CLASSES)), 1 / len(CLASSES)))
                label, animals, _ = stacked(cuts)
                score = scored(np.concatenate(parts), label, animals, classes)
                rows.append(
                    {
                        "seed": seed,
                        "labels": n,
                        "encoders": name,
                        "balanced_accuracy": score["balanced_accuracy"],
                    }
                )
    return rows


def _drawn(cells: Cells, n: int, seed: Sequence[int]) -> npt.NDArray[np.int64]:
    rng = np.random.default_rng(list(seed))
    queues = [rng.permutation(np.flatnonzero(cells.label == name)).tolist() for name in CLASSES]
    out: list[int] = []
    while len(out) < n and any(queues):
        for queue in queues:
            if queue and len(out) < n:
                out.append(queue.pop())
    return np.asarray(sorted(out))


def transferred(train: Cells, test: Cells, encoders: Encoders, seed: int) -> dict[str, Any]:
    """Train on one laboratory's cells, classify another's, among the classes that both have."""
    both = [n for n in CLASSES if np.any(train.label == n) and np.any(test.label == n)]
    own = learner(train, encoders, seed)
    held = test.take(np.isin(test.label, both))
    p = _told(own, held)[:, [CLASSES.index(n) for n in both]]
    called = np.asarray(both)[p.argmax(axis=1)]
    code, _ = own.claims(held.table)
    told = np.asarray(own.vocabulary.names)[code]
    on = told != UNKNOWN
    recall = {n: float(np.mean(called[held.label == n] == n)) for n in both}
    from sklearn.metrics import roc_auc_score

    share = p / np.maximum(p.sum(axis=1, keepdims=True), 1e-12)
    return {
        "classes": both,
        "n": {n: int(np.sum(held.label == n)) for n in both},
        "recall": recall,
        "balanced_accuracy": float(np.mean(list(recall.values()))),
        "auc": {n: float(roc_auc_score(held.label == n, share[:, k])) for k, n in enumerate(both)},
        "claimed": float(on.mean()),
        "right_of_claimed": float((told == held.label)[on].mean()) if on.any() else None,
    }


def strangers(
    train: Cells,
    others: Mapping[str, Cells],
    cuts: Sequence[tuple[str, Cells, Cells]],
    encoders: Encoders,
    seed: int,
) -> dict[str, Any]:
    """Distance from what is known: of held-out animals, and of other species and probes.

    Only waveforms are compared, for the others have nothing else.
    """
    from sklearn.metrics import roc_auc_score

    def bare(cells: Cells) -> Cells:
        names = cells.table.names
        values = cells.table.values.copy()
        values[:, [k for k, n in enumerate(names) if not n.startswith("wave_")]] = np.nan
        return replace(cells, table=replace(cells.table, values=values))

    own = learner(train, encoders, seed).known
    at_home = []
    for _, known, held in cuts:
        model = learner(known, encoders, seed).known
        present = held.take(np.isin(held.label, known.label))
        if len(present):
            at_home.append(model.strange.distance(model.frame.inputs(bare(present).table)))
    home = np.concatenate(at_home)
    out: dict[str, Any] = {"held-out animals": _spread(home)}
    for name, cells in others.items():
        far = own.strange.distance(own.frame.inputs(bare(cells).table))
        truth = np.repeat([0, 1], [home.size, far.size])
        out[name] = _spread(far) | {"auc": float(roc_auc_score(truth, np.concatenate([home, far])))}
    return out


def clusters(
    cells: Cells, cluster: npt.NDArray[np.int64], encoders: Encoders, seed: int
) -> dict[str, Any]:
    """Agreement of the encoder's embedding with given clusters of waveforms."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score
    from sklearn.model_selection import cross_val_score
    from sklearn.neighbors import KNeighborsClassifier

    rows = cluster >= 0
    latent = encoders["waveform"].encode(curve(cells.table, "waveform"))[rows]
    latent = (latent - latent.mean(axis=0)) / latent.std(axis=0)
    truth, n = cluster[rows], len(set(cluster[rows].tolist()))
    found = KMeans(n, n_init=10, random_state=seed).fit_predict(latent)
    near = cross_val_score(KNeighborsClassifier(10), latent, truth, cv=5)
    most = float(np.bincount(truth).max() / truth.size)
    return {
        "clusters": n,
        "adjusted_rand": float(adjusted_rand_score(truth, found)),
        "neighbours_agree": float(near.mean()),
        "largest_cluster": most,
    }


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that a call takes, and what it gives."""
    began = time.perf_counter()
    found = function()
    return time.perf_counter() - began, found


def _curves(cells: Cells) -> Values:
    place = {name: k for k, name in enumerate(cells.table.names)}
    wave = cells.table.values[:, [place[n] for n in WAVE[4:46]]]
    if ACG[0] not in place:
        return wave
    acg = np.log1p(cells.table.values[:, [place[n] for n in ACG]])
    return np.hstack([wave, acg])


def _linear(strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(
        StandardScaler(), LogisticRegression(C=strength, class_weight="balanced", max_iter=3000)
    )


def _sklearn(model: Any, known: Values, unknown: Values, train: Cells) -> Values:
    rows = np.isin(train.label, CLASSES)
    model.fit(known[rows], train.label[rows])
    told = model.predict_proba(unknown)
    out = np.zeros((len(unknown), len(CLASSES)))
    for k, name in enumerate(model.classes_.tolist()):
        out[:, CLASSES.index(name)] = told[:, k]
    return out


def _balanced(pairs: npt.NDArray[np.int64]) -> float:
    return float(
        np.mean([np.mean(pairs[pairs[:, 0] == k, 1] == k) for k in np.unique(pairs[:, 0])])
    )


def _risk(p: Values, right: npt.NDArray[np.bool_], share: float) -> float:
    order = np.argsort(-p.max(axis=1), kind="stable")[: max(1, round(share * len(p)))]
    return float(np.mean(~right[order]))


def _coverage(p: Values, right: npt.NDArray[np.bool_], least: float) -> float:
    """Largest share of the most confident cells of which so many are right, after the fact."""
    order = np.argsort(-p.max(axis=1), kind="stable")
    rate = np.cumsum(right[order]) / (np.arange(len(order)) + 1)
    fine = np.flatnonzero(rate >= least)
    return float((fine[-1] + 1) / len(order)) if fine.size else 0.0


def _spread(values: Values) -> dict[str, Any]:
    low, middle, high = (float(v) for v in np.quantile(values, [0.1, 0.5, 0.9]))
    return {"n": len(values), "p10": low, "median": middle, "p90": high}
