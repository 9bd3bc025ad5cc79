"""Make the weights for live use: ``python -m nissl.annotators.sleep.train_causal DATA OUT``.

DATA is a folder of nights as `nissl.annotators.sleep.sleep_edf` reads them, OUT the folder that
receives the model's files and a card. The features are those of `nissl.annotators.sleep.causal`.
One member is kept: a stream has no use for votes, and the wait is a quarter.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nissl.annotators.sleep.causal import causal_examples
from nissl.annotators.sleep.fitting import grown
from nissl.annotators.sleep.model import CARD, Model, to_files
from nissl.annotators.sleep.sleep_edf import Night, read_nights
from nissl.annotators.sleep.train import LICENCE, SOURCE
from nissl.annotators.sleep.varying import varied
from nissl.annotators.sleep.vocabulary import HUMAN
from nissl.labels.atomic import write_bytes
from nissl.labels.digest import canonical_json


def learnt_causal(nights: Sequence[Night], *, seed: int = 0) -> Model:
    """Fit a model of what an epoch follows, with varied copies, calibrated by subject."""
    rng = np.random.default_rng([seed, 3])
    copies = causal_examples([varied(night, rng) for night in nights])
    stages = HUMAN.names[:-1]
    model = grown(causal_examples(nights), stages, seed=seed, copies=copies)
    return replace(model, members=model.members[:1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Write weights and card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    nights = read_nights(given.data)
    model = learnt_causal(nights, seed=given.seed)
    card: dict[str, Any] = {
        "name": "sleep/nissl, causal features, for live use",
        "source": SOURCE,
        "licence": LICENCE,
        "nights": [night.name for night in nights],
        "subjects": sorted({night.subject for night in nights}),
        "epochs": int(sum(len(night.stage) for night in nights)),
        "classes": list(model.classes),
        "calibrated_on": model.calibrated_on,
        "seed": given.seed,
        "scores": "measured with subjects left out by benchmarks/live.py",
    }
    given.out.mkdir(parents=True, exist_ok=True)
    for name, content in to_files(model).items():
        write_bytes(given.out / name, content)
    write_bytes(given.out / CARD, canonical_json(card))


if __name__ == "__main__":
    main()
