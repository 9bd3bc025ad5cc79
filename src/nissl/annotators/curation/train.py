"""Make the shipped weights: ``python -m nissl.annotators.curation.train DATA OUT``.

DATA is the folder of UnitRefine's published metrics (see `nissl.annotators.curation.unitrefine`),
OUT the folder that receives the model's files and its card. No file holds an example.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nissl.annotators.curation.card import evaluation, make_card, render
from nissl.annotators.curation.learner import CurationLearner, grown
from nissl.annotators.curation.model import CARD, CORE, VOCABULARY, columns
from nissl.annotators.curation.unitrefine import read_unitrefine
from nissl.labels.atomic import write_bytes
from nissl.labels.digest import canonical_json
from nissl.tasks import Examples
from nissl.trust.novelty import fit_novelty

SOURCE = (
    "UnitRefine base data (Jain et al. 2025): SpikeInterface metrics of Neuropixels 1.0 units "
    "with the majority vote of 2 to 5 curators, who had no class for non-somatic units: that one "
    "is told by rules (nissl.annotators.curation.somatic)"
)
LICENCE = "MIT (data and weights)"


def train(examples: Examples, *, seed: int = 0) -> tuple[CurationLearner, dict[str, Any]]:
    """Fit to all subjects, and judge on each subject by a model that has not seen it.

    The judged model is calibrated on the other subjects only, so its card is about a new animal.

    Parameters
    ----------
    examples : Examples
    seed : int

    Returns
    -------
    learner : CurationLearner
    card : dict
    """
    model = grown(examples, rng=np.random.default_rng(seed))
    seen = fit_novelty(
        examples.features.values,
        examples.features.subject,
        names=examples.features.names,
        rng=np.random.default_rng([seed, 2]),
        kind="mahalanobis",  # the other kind keeps examples
    )
    learner = CurationLearner(replace(model, seen=seen))
    unseen = leave_subject_out(examples, seed)
    scores = evaluation(unseen, examples, rng=np.random.default_rng([seed, 1]))
    card = make_card(
        learner,
        "curation",
        examples,
        how="each subject left out in turn, from the training and from the calibration",
        scores=scores,
        before=None,
        seed=seed,
        licence=LICENCE,
        source=SOURCE,
    )
    return learner, card


def leave_subject_out(examples: Examples, seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Calibrated probabilities of every item by a model of the other subjects."""
    subject = np.asarray(examples.features.subject)
    out = np.empty((len(examples), len(CORE)))
    for name in sorted(set(subject)):
        model = grown(examples.take(subject != name), rng=np.random.default_rng(seed))
        values = columns(examples.features, model.features)[subject == name]
        out[subject == name] = model.calibration.apply(model.pooled(values))
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """Write weights and card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    learner, card = train(read_unitrefine(given.data), seed=given.seed)
    given.out.mkdir(parents=True, exist_ok=True)
    for name, content in learner.files().items():
        write_bytes(given.out / name, content)
    write_bytes(given.out / CARD, canonical_json(card))
    write_bytes(given.out / "CARD.md", render(card, VOCABULARY.names).encode())


if __name__ == "__main__":
    main()
