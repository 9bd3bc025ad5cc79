"""Model cards: what a model learnt from, how it does on what it has not seen, where it fails.

JSON values, and a page for people. Mitchell et al. 2019, Model cards for model reporting (FAT*).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import NisslError
from nissl.tasks import Examples, Learner
from nissl.trust import bias
from nissl.trust.bias import FEWEST
from nissl.trust.intervals import bootstrap_interval
from nissl.trust.reliability import reliability
from nissl.trust.selection import select

BUDGETS = (0.05, 0.10, 0.20)
AMPLITUDE_EDGES_UV = (50.0, 100.0)

Values = npt.NDArray[np.float64]


def make_card(
    learner: Learner,
    task: str,
    examples: Examples,
    *,
    how: str,
    scores: Mapping[str, Any] | None,
    before: Mapping[str, Any] | None,
    seed: int,
    licence: str,
    source: str = "decisions in this project",
) -> dict[str, Any]:
    """Card of a fitted learner.

    Parameters
    ----------
    learner : Learner
    task : str
    examples : Examples
        What it learnt from.
    how : str
        On which items it was judged.
    scores : mapping, optional
        From `evaluation`; None where there was too little to judge by.
    before : mapping, optional
        The model before, judged on the same items.
    seed : int
    licence, source : str

    Returns
    -------
    dict
        JSON values.
    """
    return {
        "format": 1,
        "task": task,
        "name": learner.name,
        "version": learner.version,
        "classes": list(learner.vocabulary.names),
        "licence": licence,
        "seed": seed,
        "packages": dict(learner.packages()),
        "data": composition(examples, source, getattr(learner, "modalities", {})),
        "how": how,
        "evaluation": None if scores is None else dict(scores),
        "before": None if before is None else dict(before),
    }


def composition(
    examples: Examples, source: str, modalities: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """How many examples of which class, subject and session.

    Parameters
    ----------
    examples : Examples
    source : str
    modalities : mapping of str to sequence of str, optional
        Names of columns that are samples of one curve, told as one.
    """
    table = examples.features
    missing = dict(zip(table.names, np.isnan(table.values).mean(axis=0).tolist(), strict=True))
    for curve, names in (modalities or {}).items():
        own = [missing.pop(name) for name in names if name in missing]
        if own:
            missing[curve] = float(np.mean(own))
    return {
        "source": source,
        "n": len(examples),
        "classes": _counts(examples.label.tolist()),
        "subjects": _by(table.subject, examples.label),
        "sessions": _by(table.session, examples.label),
        "composition": [
            share.to_json()
            for share in bias.composition(
                attributes_of(examples),
                classes=[str(code) for code in examples.label.tolist()],
                subjects=table.subject,
                edges={"amplitude_uv": AMPLITUDE_EDGES_UV},
            )
        ],
        "features": list(missing),
        "missing": {name: round(share, 4) for name, share in missing.items()},
    }


def evaluation(
    probabilities: Values,
    examples: Examples,
    *,
    attributes: Mapping[str, Sequence[Any]] | None = None,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Scores of predictions for items whose class is known.

    Parameters
    ----------
    probabilities : ndarray, shape (n, n_classes), float64
        Calibrated; of items the model has not seen.
    examples : Examples
    attributes : mapping of str to sequence of length n, optional
        Further groups to score apart: probe, region, lab, species.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        Scores with intervals (bootstrap over subjects where there are three or more, over
        sessions else, over items where there are too few of both), reliability, selection at
        error budgets, and scores by group.
    """
    truth, table = examples.label, examples.features
    groups = _groups(table.subject, table.session)
    called = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    loss = -np.log(np.maximum(probabilities[np.arange(len(truth)), truth], 1e-6))
    pairs = np.stack([truth, called], axis=1)

    def interval(values: npt.NDArray[Any], statistic: Any = np.mean) -> dict[str, Any]:
        return bootstrap_interval(values, groups, statistic, rng=rng, n=500).to_json()

    right = truth == called
    selected = [selection(confidence, right, budget, groups, rng) for budget in BUDGETS]
    threshold = _threshold(selected)
    named = attributes_of(examples) | dict(attributes or {})
    return {
        "n": len(truth),
        "intervals_over": "items" if groups is None else f"{len(set(groups))} groups",
        "balanced_accuracy": interval(pairs, balanced_accuracy),
        "accuracy": interval(right),
        "log_loss": interval(loss),
        "recall": {
            str(k): float(np.mean(called[truth == k] == k)) for k in np.unique(truth).tolist()
        },
        "reliability": reliability(confidence, right, groups=groups, rng=rng).to_json(),
        "selection": selected,
        "accepted_from": threshold,
        "groups": grouped(examples, called, confidence, confidence >= threshold, named, rng),
    }


def _threshold(selected: Sequence[Mapping[str, Any]]) -> float:
    """Least confidence accepted at the smallest budget that can be kept; 0.9 where none can."""
    for row in selected:
        found = row["these"]
        if found.get("n_accepted"):
            return float(found["threshold"])
    return 0.9


def selection(
    confidence: Values,
    right: npt.NDArray[np.bool_],
    budget: float,
    groups: Sequence[str] | None,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """What can be accepted without review within an error budget: of these subjects, and others.

    `these` holds for further items of the same subjects, `others` for subjects like these; a
    budget that needs more items, or more subjects, than there are is refused with the reason.
    """
    out: dict[str, Any] = {"budget": budget}
    for name, given in (("these", None), ("others", groups)):
        if name == "others" and groups is None:
            out[name] = {"refused": "fewer than three subjects or sessions"}
            continue
        try:
            found = select(confidence, right, budget=budget, groups=given, rng=rng)
        except NisslError as error:
            out[name] = {"refused": str(error)}
        else:
            out[name] = found.to_json()
    return out


def balanced_accuracy(pairs: npt.NDArray[np.int64]) -> float:
    """Mean over the classes that occur of the share called right; pairs (truth, called)."""
    truth, called = pairs[:, 0], pairs[:, 1]
    return float(np.mean([np.mean(called[truth == k] == k) for k in np.unique(truth)]))


def grouped(
    examples: Examples,
    called: npt.NDArray[np.int64],
    confidence: Values,
    accepted: npt.NDArray[np.bool_],
    attributes: Mapping[str, Sequence[Any]],
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """Score, calibration and coverage of each named group; none below 20 items.

    Parameters
    ----------
    examples : Examples
    called : ndarray, shape (n,), int64
    confidence : ndarray, shape (n,), float64
    accepted : ndarray, shape (n,), bool
        Items that would be accepted without review.
    attributes : mapping of str to sequence of length n
        Names, or numbers in micro-volts for "amplitude_uv".
    rng : numpy.random.Generator
    """
    right = examples.label == called
    edges = {name: AMPLITUDE_EDGES_UV for name in attributes if name == "amplitude_uv"}
    scores = bias.by_group(confidence, right, accepted, attributes, edges=edges, rng=rng)
    out = []
    for score in scores:
        row = score.to_json()
        if score.calibration is not None:
            row["calibration"] = {
                key: row["calibration"][key] for key in ("ece", "perfect", "mean_confidence")
            }
        out.append(row)
    return out


def attributes_of(examples: Examples) -> dict[str, Sequence[Any]]:
    """Groups that every feature table tells: subject, session, band of amplitude."""
    table = examples.features
    out: dict[str, Sequence[Any]] = {"subject": table.subject, "session": table.session}
    if "amplitude_uv" in table.names:
        values = table.values[:, table.names.index("amplitude_uv")]
        if np.all(np.isfinite(values)):
            out["amplitude_uv"] = values.tolist()
    return out


def _groups(subject: Sequence[str], session: Sequence[str]) -> Sequence[str] | None:
    for names in (subject, session):
        if len(set(names)) >= 3:
            return names
    return None


def _counts(codes: Sequence[int]) -> dict[str, int]:
    return {str(code): n for code, n in sorted(Counter(codes).items())}


def _by(names: Sequence[str], label: npt.NDArray[np.int64]) -> dict[str, dict[str, int]]:
    found: dict[str, list[int]] = {}
    for name, code in zip(names, label.tolist(), strict=True):
        found.setdefault(name, []).append(code)
    return {name: _counts(codes) for name, codes in sorted(found.items())}


def render(card: Mapping[str, Any], classes: Sequence[str]) -> str:
    """Card as a Markdown page for people.

    Parameters
    ----------
    card : mapping
    classes : sequence of str
        Names of the vocabulary.
    """
    data, scores, before = card["data"], card["evaluation"], card["before"]
    named = {str(k): name for k, name in enumerate(classes)}
    lines = [
        f"# Model card: {card['name']} {card['version']}, task {card['task']}",
        "",
        f"Licence: {card['licence']}. Seed: {card['seed']}. Packages: {_listed(card['packages'])}.",
        "",
        "## What it learnt from",
        "",
        f"{data['source']}: {data['n']} items, {len(data['subjects'])} subjects, "
        f"{len(data['sessions'])} sessions.",
        "",
        _table(
            ["session", *named.values()],
            [[name, *(c.get(k, 0) for k in named)] for name, c in data["sessions"].items()],
        ),
        "",
        f"Features: {', '.join(data['features'])}.",
        "",
        "## How it does on items that it has not seen",
        "",
        f"Judged with {card['how']}.",
    ]
    if scores is not None:
        lines += ["", *_scores(scores, named)]
    if before:
        lines += ["", "## Against the model before", "", *_before(before, scores)]
    return "\n".join(lines) + "\n"


def _scores(scores: Mapping[str, Any], named: Mapping[str, str]) -> list[str]:
    rows = [[k.replace("_", " "), _told(scores[k])] for k in _MEASURES]
    rows += [[f"recall of {named[k]}", f"{v:.3f}"] for k, v in scores["recall"].items()]
    chosen = []
    for row in scores["selection"]:
        chosen.append(
            [f"{row['budget']:.0%}", _coverage(row["these"]), _coverage(row["others"])],
        )
    groups = [_group(row) for row in scores["groups"]]
    return [
        f"{scores['n']} items; intervals of 95 % by bootstrap over {scores['intervals_over']}.",
        "",
        _table(["measure", "value"], rows),
        "",
        "### Calibration",
        "",
        *_calibration(scores["reliability"]),
        "",
        "### Without review, within an error budget",
        "",
        _table(["at most wrong", "further items of these subjects", "other subjects"], chosen),
        "",
        "### By group",
        "",
        _table(
            ["group", "n", "accuracy", "mean confidence", "calibration error", "accepted", "wrong"],
            groups,
        ),
        "",
        f"Accepted: confidence of at least {scores['accepted_from']:.3f}; wrong: of the accepted. "
        f"A group with fewer than {FEWEST} items has no score.",
    ]


def _group(row: Mapping[str, Any]) -> list[Any]:
    told = row.get("calibration") or {}
    return [
        f"{row['attribute']}: {row['name']}",
        row["n"],
        *(_told(row[key]) if row.get(key) else "–" for key in ("accuracy",)),
        _number(told.get("mean_confidence")),
        _number(told.get("ece")),
        *(_told(row[key]) if row.get(key) else "–" for key in ("coverage", "error")),
    ]


def _calibration(found: Mapping[str, Any]) -> list[str]:
    low, high = found["perfect"]
    rows = [
        [
            f"{b['low']:.2f} to {b['high']:.2f}",
            b["n"],
            _number(b["confidence"]),
            _told(b["accuracy"]),
        ]
        for b in found["bins"]
    ]
    return [
        _table(["confidence", "n", "mean confidence", "right"], rows),
        "",
        f"Calibration error {_number(found['ece'])}, debiased {_told(found['ece_debiased'])}; a "
        f"perfectly calibrated model would show {low:.3f} to {high:.3f} on so many items. "
        f"Confidence tells right from wrong with an AUROC of {_told(found['auroc'])}.",
    ]


def _before(before: Mapping[str, Any], scores: Mapping[str, Any] | None) -> list[str]:
    if scores is None or "evaluation" not in before:
        return ["There are too few decided items to compare."]
    old = before["evaluation"]
    rows = [[k.replace("_", " "), _told(old[k]), _told(scores[k])] for k in _MEASURES]
    return [
        _table(["measure", before["name"], "this model"], rows),
        "",
        f"{before['changed_classes']:.1%} of the items get another class. "
        f"{before.get('caution', '')}".rstrip(),
    ]


_MEASURES = ("balanced_accuracy", "accuracy", "log_loss")


def _told(interval: Mapping[str, Any]) -> str:
    if interval["low"] is None:
        return _number(interval["estimate"])
    return f"{interval['estimate']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"


def _coverage(found: Mapping[str, Any]) -> str:
    if "refused" in found:
        return f"refused: {found['refused'].splitlines()[0]}"
    share = found["coverage"]
    return f"{(share['estimate'] if isinstance(share, Mapping) else share):.1%}"


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.3f}"


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
