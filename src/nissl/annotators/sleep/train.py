"""Make the shipped weights: ``python -m nissl.annotators.sleep.train DATA OUT``.

DATA is a folder of nights as `nissl.annotators.sleep.sleep_edf` reads them, OUT the folder that
receives the model's files and its card. No file holds an example.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nissl.annotators.curation.card import evaluation, make_card, render
from nissl.annotators.sleep.context import own_numbers
from nissl.annotators.sleep.fitting import grown
from nissl.annotators.sleep.learner import SleepLearner
from nissl.annotators.sleep.model import CARD
from nissl.annotators.sleep.sleep_edf import Night, examples_of, read_nights
from nissl.annotators.sleep.varying import varied
from nissl.annotators.sleep.vocabulary import HUMAN
from nissl.labels.atomic import write_bytes
from nissl.labels.digest import canonical_json
from nissl.tasks import Examples
from nissl.trust.novelty import fit_novelty

SOURCE = (
    "Sleep-EDF expanded, Sleep Cassette (Kemp et al. 2000, IEEE Trans. Biomed. Eng. 47): numbers "
    "of Fpz-Cz and Pz-Oz per 30 s, stages 3 and 4 of Rechtschaffen and Kales as N3"
)
LICENCE = "ODC-BY 1.0 (data); weights under the licence of nissl, with attribution of the data"


def learnt(nights: Sequence[Night], *, seed: int = 0) -> SleepLearner:
    """Fit a learner to scored nights, with varied copies and a measure of what it has seen."""
    examples = examples_of(nights)
    rng = np.random.default_rng([seed, 3])
    copies = examples_of([varied(night, rng) for night in nights])
    model = grown(examples, HUMAN.names[:-1], seed=seed, copies=copies)
    seen = None
    if len(set(examples.features.subject)) >= 2:
        places = own_numbers(examples.features.names)
        seen = fit_novelty(
            examples.features.values[:, places],
            examples.features.subject,
            names=[examples.features.names[k] for k in places],
            rng=np.random.default_rng([seed, 2]),
            kind="mahalanobis",  # the other kind keeps examples
        )
    return SleepLearner(replace(model, seen=seen))


def left_out(nights: Sequence[Night], *, seed: int) -> tuple[Examples, np.ndarray]:
    """Every epoch, and its probabilities by a learner that has not seen its subject."""
    examples = examples_of(nights)
    subject = np.asarray(examples.features.subject)
    out = np.empty((len(examples), len(HUMAN)))
    for name in sorted(set(subject.tolist())):
        learner = learnt([night for night in nights if night.subject != name], seed=seed)
        own = examples.take(subject == name)
        out[subject == name] = learner.predict(own.features).probabilities
    return examples, out


def main(arguments: Sequence[str] | None = None) -> None:
    """Write weights and card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    nights = read_nights(given.data)
    learner = learnt(nights, seed=given.seed)
    examples, unseen = left_out(nights, seed=given.seed)
    scores = evaluation(unseen, examples, rng=np.random.default_rng([given.seed, 1]))
    card = make_card(
        learner,
        "sleep",
        examples,
        how="each subject left out in turn, from the training and from the calibration",
        scores=scores,
        before=None,
        seed=given.seed,
        licence=LICENCE,
        source=SOURCE,
    )
    given.out.mkdir(parents=True, exist_ok=True)
    for name, content in learner.files().items():
        write_bytes(given.out / name, content)
    write_bytes(given.out / CARD, canonical_json(card))
    write_bytes(given.out / "CARD.md", render(card, HUMAN.names).encode())


if __name__ == "__main__":
    main()
