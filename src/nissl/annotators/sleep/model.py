"""What `sleep/nissl` knows: trees, their calibration, a correction, and what it has seen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.annotators.sleep.personal import Correction
from nissl.annotators.sleep.vocabulary import HUMAN, RODENT, UNKNOWN
from nissl.annotators.trees import raw_scores
from nissl.errors import BadArgumentError
from nissl.labels import FeatureTable, Vocabulary
from nissl.labels.digest import canonical_json
from nissl.trust.calibration import Calibration
from nissl.trust.novelty import Novelty

Values = npt.NDArray[np.float64]

MODEL, SEEN, CARD = "model.json", "seen.json", "card.json"
_COLOURS = dict(zip(HUMAN.names + RODENT.names, HUMAN.colours + RODENT.colours, strict=True))
_SPARE = ("#009e73", "#cc79a7", "#5b4db7", "#7a8b00", "#a03d4b", "#00808a")


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted model.

    Parameters
    ----------
    features : tuple of str
        Columns that the trees read; see `nissl.annotators.sleep.context`.
    classes : tuple of str
        Stages that it tells apart.
    members : tuple of tuple of str
        Of each member LightGBM's texts, whose raw scores add up.
    calibration : Calibration
    calibrated_on : str
        In words.
    correction : Correction, optional
        Learnt from decisions on one's own nights.
    seen : Novelty, optional
        Of the numbers of epochs, in the order of its frame's names.
    """

    features: tuple[str, ...]
    classes: tuple[str, ...]
    members: tuple[tuple[str, ...], ...]
    calibration: Calibration
    calibrated_on: str
    correction: Correction | None = None
    seen: Novelty | None = None

    @property
    def vocabulary(self) -> Vocabulary:
        """Its classes, and "unknown" last."""
        known = (*self.classes, UNKNOWN)
        if known == HUMAN.names:
            return HUMAN
        colours = [_COLOURS.get(n, _SPARE[k % len(_SPARE)]) for k, n in enumerate(known)]
        return Vocabulary(known, tuple(colours))

    def scores(self, features: FeatureTable) -> Values:
        """Raw scores by member, shape (n_members, n_items, n_classes)."""
        values = columns(features, self.features)
        if not len(values):
            return np.empty((len(self.members), 0, len(self.classes)))
        return np.stack(
            [np.sum([raw_scores(text, values) for text in m], axis=0) for m in self.members]
        )

    def probabilities(self, features: FeatureTable, scores: Values) -> Values:
        """Calibrated probabilities of raw scores, shape (..., n_items, n_classes)."""
        p = softmax(scores)
        calibrated = self.calibration.apply(p.reshape(-1, p.shape[-1])).reshape(p.shape)
        if self.correction is None or not calibrated.size:
            return np.asarray(calibrated)
        places = columns(features, self.correction.names)
        logs = np.log(np.clip(calibrated, 1e-6, 1.0))
        if logs.ndim == 2:
            return softmax(self.correction.apply(logs, places))
        return np.stack([softmax(self.correction.apply(one, places)) for one in logs])


def columns(features: FeatureTable, names: tuple[str, ...]) -> Values:
    """Values in the order of `names`; `BadArgumentError` where one is not in the table."""
    place = {name: k for k, name in enumerate(features.names)}
    lacking = [name for name in names if name not in place]
    if lacking:
        raise BadArgumentError(
            f"{len(names)} features of epochs",
            f"a table without {lacking[:3]} and {max(len(lacking) - 3, 0)} more",
            "The model was trained on other numbers: take another model, or learn one afresh.",
        )
    return np.asarray(features.values[:, [place[name] for name in names]])


def softmax(scores: Values) -> Values:
    """Probabilities of scores, over the last axis."""
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def to_files(model: Model) -> dict[str, bytes]:
    """Model as files by name; text and numbers, no example."""
    out: dict[str, bytes] = {}
    chains = []
    for k, member in enumerate(model.members):
        names = [f"member-{k}-{i}.txt" for i in range(len(member))]
        out |= {name: text.encode() for name, text in zip(names, member, strict=True)}
        chains.append(names)
    head = {
        "format": 1,
        "features": list(model.features),
        "classes": list(model.classes),
        "members": chains,
        "calibration": model.calibration.to_json(),
        "calibrated_on": model.calibrated_on,
        "correction": None if model.correction is None else model.correction.to_json(),
    }
    if model.seen is not None:
        out[SEEN] = canonical_json(model.seen.to_json())
    return out | {MODEL: canonical_json(head)}


def from_files(files: Mapping[str, bytes]) -> Model:
    """Inverse of `to_files`; `BadArgumentError` where they are not such files."""
    try:
        head = json.loads(files[MODEL])
        if head["format"] != 1:
            raise ValueError(f"format {head['format']}")
        told = head["correction"]
        return Model(
            features=tuple(str(name) for name in head["features"]),
            classes=tuple(str(name) for name in head["classes"]),
            members=tuple(tuple(files[n].decode() for n in names) for names in head["members"]),
            calibration=Calibration.from_json(head["calibration"]),
            calibrated_on=str(head["calibrated_on"]),
            correction=None if told is None else Correction.from_json(told),
            seen=Novelty.from_json(json.loads(files[SEEN])) if SEEN in files else None,
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise BadArgumentError(
            "the files of a model of sleep/nissl",
            f"{sorted(files)} ({error})",
            "Take another model: nissl models STUDY",
        ) from None


def weights_folder(*, causal: bool = False) -> Path:
    """Folder of the shipped weights; those for live use look only backwards."""
    return Path(__file__).parent / ("weights_causal" if causal else "weights")


@cache
def shipped(*, causal: bool = False) -> Model:
    """Model that the package brings; see `weights_folder`."""
    folder = weights_folder(causal=causal)
    told = (CARD, "CARD.md")
    return from_files({p.name: p.read_bytes() for p in folder.iterdir() if p.name not in told})


__all__ = [
    "CARD",
    "Model",
    "columns",
    "from_files",
    "shipped",
    "softmax",
    "to_files",
    "weights_folder",
]
