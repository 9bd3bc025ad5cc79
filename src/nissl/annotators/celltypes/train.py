"""Make the shipped weights: ``python -m nissl.annotators.celltypes.train DATA OUT``.

DATA is the folder of CellExplorer's published ground-truth cells (see `cellexplorer`), OUT the
folder that receives the model's files and its card. Encoders learn from simulated units without
labels, classifiers from the published cells whose licence allows it. No file holds an example:
exemplars are means over three cells or more.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes import pretrain
from nissl.annotators.celltypes.cellexplorer import read_cellexplorer
from nissl.annotators.celltypes.encoder import Encoder
from nissl.annotators.celltypes.features import featurise_units
from nissl.annotators.celltypes.fitting import grown, seen
from nissl.annotators.celltypes.inputs import curve
from nissl.annotators.celltypes.learner import CelltypesLearner
from nissl.annotators.celltypes.model import CARD
from nissl.annotators.celltypes.simulate import simulate_units
from nissl.annotators.celltypes.strange import SHARE
from nissl.annotators.celltypes.teaching import taught_by
from nissl.annotators.curation.card import evaluation, make_card, render
from nissl.labels.atomic import write_bytes
from nissl.labels.digest import canonical_json
from nissl.tasks import Examples

N_SIMULATED = 3000
ENCODED = ("waveform", "acg", "acg3")
"""Modalities with an encoder. One of intervals changed classes when spikes were dropped."""

SOURCE = (
    "CellExplorer's published opto-tagged cells (Petersen et al. 2021) of which spike times or "
    "waveforms were given cell by cell; encoders: 3,000 simulated units, without labels"
)
LICENCE = "BSD-3-Clause (data and weights)"
LIMITS = (
    "Four classes from six animals of three laboratories, in which laboratory and class go "
    "together; no SST cells are among them. It stays unknown for most units. Bring units of "
    "your own, or a library."
)


def simulated_encoders(*, n_units: int = N_SIMULATED, seed: int = 1) -> dict[str, Encoder]:
    """Encoders trained on simulated units (needs PyTorch)."""
    table = featurise_units(simulate_units(seed, n_units=n_units, duration_s=600.0).units)
    return pretrain.pretrain({name: curve(table, name) for name in ENCODED}, seed=0)


def train(
    examples: Examples, encoders: Mapping[str, Encoder], *, seed: int = 0
) -> tuple[CelltypesLearner, dict[str, Any]]:
    """Fit to all animals, and judge on each animal by a model that has not seen it.

    Parameters
    ----------
    examples : Examples
    encoders : mapping of str to Encoder
    seed : int

    Returns
    -------
    learner : CelltypesLearner
    card : dict
    """
    learner = CelltypesLearner(
        replace(grown(examples, encoders, seed=seed), seen=seen(examples.features))
    )
    unseen = leave_animal_out(examples, encoders, seed)
    card = make_card(
        learner,
        "celltypes",
        examples,
        how="each animal left out in turn; a class known from one animal only is then unknown",
        scores=evaluation(unseen, examples, rng=np.random.default_rng([seed, 1])),
        before=None,
        seed=seed,
        licence=LICENCE,
        source=SOURCE,
    )
    known = learner.known
    card["limits"] = LIMITS
    card["assumed_share_of_no_known_class"] = SHARE
    card["thresholds"] = {
        str(budget): value if np.isfinite(value) else None
        for budget, value in known.thresholds.items()
    }
    return learner, card


def leave_animal_out(
    examples: Examples, encoders: Mapping[str, Encoder], seed: int
) -> npt.NDArray[np.float64]:
    """Probabilities of every unit, over the examples' classes, by a model of other animals."""
    animal = np.asarray(examples.features.subject)
    out = np.zeros((len(examples), len(examples.classes)))
    for name in sorted(set(animal)):
        rows = animal == name
        known = CelltypesLearner(grown(examples.take(~rows), encoders, seed=seed))
        told = known.predict(examples.take(rows).features).probabilities
        for k, own in enumerate(known.vocabulary.names):
            out[np.flatnonzero(rows), examples.classes.index(own)] = told[:, k]
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path, help="folder of CellExplorer's ground-truth cells")
    parser.add_argument("out", type=Path, help="folder for the weights")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    encoders = simulated_encoders()
    empty = CelltypesLearner()
    examples = taught_by(read_cellexplorer(given.data), empty, extend=False)
    learner, card = train(examples, encoders, seed=given.seed)
    given.out.mkdir(parents=True, exist_ok=True)
    for name, content in learner.files().items():
        write_bytes(given.out / name, content)
    write_bytes(given.out / CARD, canonical_json(card))
    write_bytes(given.out / "CARD.md", render(card, learner.vocabulary.names).encode())


if __name__ == "__main__":
    main()
