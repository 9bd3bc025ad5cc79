"""How probable it is that two units are one neuron, from templates and refractory period.

A logistic regression of two numbers: the log odds of the similarity of the templates, and the log
of how many pairs of spikes fall into a common refractory period against how many are expected of
two neurons. Where the trains fill each other's refractory period it is lowered in proportion: of
two neurons with the same template, which the simulation does not have, it must not say that they
are one. It is fitted to simulated recordings of which a quarter each of the units is left
whole, split at random, split by amplitude and split in time, with and without drift
(`python -m nissl.annotators.spikes.pairing` does it anew and prints how it does on other
simulations). Of pairs that are compared there about one in nine is one neuron; how it is in a real
sorting nobody knows, so the probability is one of the simulation's.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.correlograms import Refractory, refractory
from nissl.labels import Author, Kind, LabelSet

Values = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]

INTERCEPT, BY_SIMILARITY, BY_REFRACTORY = -10.292, 3.152, -1.447
"""Fitted to 936 pairs of six recordings; of 412 pairs of three others the log loss is 0.075; 3 of
353 below 0.05, 9 of 20 up to 0.7 and 39 of 39 above are one neuron."""

LEAST_SIMILARITY = 0.6
"""Templates that are less alike are not compared further."""

_CLOSEST = 0.98  # similarity at which its odds stop growing
_UNDECIDED = 0.39  # what the trains say where they say nothing
_TRAINING = ((2, None), (3, "rigid"), (4, "nonrigid"), (5, None), (6, "bumps"), (7, "rigid"))
_HELD_OUT = ((12, None), (13, "rigid"), (14, "bumps"))


def merge_probability(similarity: float, evidence: Refractory) -> float:
    """Probability that two units are one neuron.

    Parameters
    ----------
    similarity : float
        Of their templates, 0 to 1; NaN where there are none: then half of what the refractory
        period says.
    evidence : Refractory
        Of their trains.
    """
    if np.isnan(similarity):
        return 0.5 * evidence.probability
    if similarity <= 0:
        return 0.0
    inputs = _inputs(np.asarray([similarity]), [evidence])
    score = INTERCEPT + inputs @ np.asarray([BY_SIMILARITY, BY_REFRACTORY])
    return float(_gate([evidence])[0] / (1 + np.exp(-score[0])))


def _gate(evidence: Sequence[Refractory]) -> Values:
    return np.minimum(1.0, np.asarray([each.probability for each in evidence]) / _UNDECIDED)


def _inputs(similarity: Values, evidence: Sequence[Refractory]) -> Values:
    near = np.clip(similarity, 1e-6, _CLOSEST)
    kept = [np.log((each.observed + 1) / (each.expected + 1)) for each in evidence]
    return np.stack([np.log(near / (1 - near)), np.asarray(kept)], axis=1)


def split_sorting(truth: LabelSet, seed: int) -> tuple[LabelSet, dict[int, int]]:
    """True units, three quarters of them split in two, and the true unit of each part.

    Parameters
    ----------
    truth : LabelSet
        EVENTS with amplitudes.
    seed : int

    Returns
    -------
    sorting : LabelSet
    owner : dict of int to int
    """
    rng = np.random.default_rng([seed, 1])
    item, sample = truth.column("item").copy(), truth.column("sample")
    size = np.abs(truth.column("amplitude").astype(np.float64))
    owner = {int(u): int(u) for u in truth.items}
    free = int(truth.items.max()) + 1
    for k, unit in enumerate(truth.items.tolist()):
        rows = np.flatnonzero(item == unit)
        if k % 4 == 0:
            continue
        share = rng.uniform(0.25, 0.55)
        by = rng.random(rows.size)
        if k % 4 == 2:
            by = size[rows] + rng.normal(0, 0.15 * np.median(size[rows]), rows.size)
        elif k % 4 == 3:
            by = sample[rows].astype(np.float64)
        item[rows[by < np.quantile(by, share)]] = free
        owner[free] = unit
        free += 1
    columns = {name: truth.column(name) for name in ("sample", "amplitude", "channel")}
    made = replace(truth.provenance, author=Author("model", "split units", "1"))
    return LabelSet.build(Kind.EVENTS, {"item": item, **columns}, ("unit",), made), owner


def simulated_pairs(
    seed: int, drift: str | None, *, n_units: int = 24, duration_s: float = 90.0
) -> tuple[Values, list[Refractory], npt.NDArray[np.bool_]]:
    """Similarity, evidence and truth of near pairs of a simulated sorting with split units.

    Parameters
    ----------
    seed : int
    drift : str or None
        As for `nissl.annotators.spikes.simulate.simulate`.
    n_units : int
    duration_s : float
    """
    from nissl.annotators.spikes.similarity import Templates, near_rows, similarities
    from nissl.annotators.spikes.simulate import simulate
    from nissl.annotators.spikes.task import SPIKES
    from nissl.run.context import Context
    from nissl.tasks import Inputs

    recording, truth = simulate(
        seed, n_channels=32, duration_s=duration_s, n_units=n_units, drift=drift
    )
    sorting, owner = split_sorting(truth, seed)
    inputs = Inputs(recording, recording.signal.name, {"spikes": sorting})
    with tempfile.TemporaryDirectory() as scratch:
        items = SPIKES.describe(sorting, inputs, Context(Path(scratch)))
    templates = Templates.of(items)
    of, sample = sorting.column("item"), sorting.column("sample").astype(np.int64)
    trains = {u: np.sort(sample[of == u]) for u in templates.item.tolist()}
    alike, evidence, one = [], [], []
    for row in range(len(templates.item)):
        near = near_rows(templates, row)
        near = near[near > row]
        similarity, _ = similarities(templates, row, near)
        for k in np.flatnonzero(similarity >= LEAST_SIMILARITY - 0.1).tolist():
            a, b = int(templates.item[row]), int(templates.item[near[k]])
            alike.append(float(similarity[k]))
            evidence.append(refractory(trains[a], trains[b], recording.signal.rate_hz))
            one.append(owner[a] == owner[b])
    return np.asarray(alike), evidence, np.asarray(one, bool)


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit anew and print the numbers that stand in this file."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0]).parse_args(arguments)

    def gathered(which: Sequence[tuple[int, str | None]]) -> tuple[Values, Values, Truths]:
        parts = [simulated_pairs(seed, drift) for seed, drift in which]
        inputs = [_inputs(alike, evidence) for alike, evidence, _ in parts]
        gates = [_gate(evidence) for _, evidence, _ in parts]
        truth = np.concatenate([one for _, _, one in parts])
        return np.concatenate(inputs), np.concatenate(gates), truth

    (x, _, y), (x_held, gate, y_held) = gathered(_TRAINING), gathered(_HELD_OUT)
    model = LogisticRegression(C=10.0).fit(x, y)
    p = model.predict_proba(x_held)[:, 1] * gate
    print(f"intercept {model.intercept_[0]:.3f}, coefficients {model.coef_[0].round(3).tolist()}")  # noqa: T201
    print(f"{len(y)} pairs; held out {len(y_held)}, log loss {log_loss(y_held, p):.3f}")  # noqa: T201
    for low, high in ((0.0, 0.05), (0.05, 0.7), (0.7, 1.01)):
        rows = (p >= low) & (p < high)
        print(f"{low} to {high}: {int(y_held[rows].sum())} of {int(rows.sum())}")  # noqa: T201


if __name__ == "__main__":
    main()
