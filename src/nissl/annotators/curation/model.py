"""What `curation/nissl` knows, and the files it is kept in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files as package_files
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.curation import boosting
from nissl.annotators.curation.somatic import Shares
from nissl.errors import BadArgumentError
from nissl.labels import FeatureTable, Vocabulary
from nissl.labels.digest import canonical_json
from nissl.trust.calibration import Calibration
from nissl.trust.novelty import Novelty

CORE = Vocabulary(("good", "mua", "noise"), ("#2a9d5c", "#d9a400", "#8a8f98"))
"""Classes that trees tell apart."""
VOCABULARY = Vocabulary((*CORE.names, "non-somatic"), (*CORE.colours, "#7a5cc0"))
"""Classes that are proposed; the last is told by rules, see `nissl.annotators.curation.somatic`."""
NON_SOMATIC = len(CORE)
MODEL, CARD, SEEN = "model.json", "card.json", "seen.json"


@dataclass(frozen=True)
class Model:
    """What the learner knows.

    Parameters
    ----------
    features : tuple of str
        Columns it was grown on, in order.
    members : tuple of tuple of Stage
        See `nissl.annotators.curation.boosting`.
    calibration : Calibration
    calibrated_on : str
        What the calibration rests on, for the card.
    seen : Novelty, optional
        What its first examples were like.
    somatic : Shares
        How often neurons turned out to be non-somatic in decisions.
    """

    features: tuple[str, ...]
    members: tuple[boosting.Member, ...]
    calibration: Calibration
    calibrated_on: str = ""
    seen: Novelty | None = None
    somatic: Shares = field(default_factory=Shares)

    def votes(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Probabilities by each member, not calibrated, (n_members, n_items, n_classes)."""
        return np.stack(
            [boosting.probabilities(boosting.raw(member, values)) for member in self.members]
        )

    def pooled(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Probabilities of the mean of the members' raw scores, not calibrated."""
        scores = [boosting.raw(member, values) for member in self.members]
        return boosting.probabilities(np.mean(scores, axis=0))


def columns(features: FeatureTable, names: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Values in the order of `names`; `BadArgumentError` where one is not in the table."""
    lacking = [name for name in names if name not in features.names]
    if lacking:
        raise BadArgumentError(
            f"the features {list(names)}", f"a table without {lacking}", "Featurise it anew."
        )
    return features.values[:, [features.names.index(name) for name in names]]


def normalised(weight: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weights with mean 1."""
    mean = float(weight.mean()) if weight.size else 0.0
    return weight / mean if mean > 0 else np.ones_like(weight)


def to_files(model: Model) -> dict[str, bytes]:
    """Model as files by name.

    Format 3 has two boosters in each step of each member, and its scale. Formats 1 and 2, of
    earlier versions, have one; in format 1 all scales are 1. Such a model is written as such.
    """
    out: dict[str, bytes] = {}
    chains: list[list[Any]] = []
    two = any(len(stage.texts) == 2 for member in model.members for stage in member)
    for k, member in enumerate(model.members):
        chains.append([])
        for i, stage in enumerate(member):
            ends = ("-noise", "-mua") if two else ("",)
            names = [f"member-{k}-{i}{end}.txt" for end in ends]
            out |= {n: text.encode() for n, text in zip(names, stage.texts, strict=True)}
            chains[-1].append(names if two else names[0])
    scales = [[stage.scale for stage in member] for member in model.members]
    scaled = two or any(scale != 1 for member in scales for scale in member)
    head: dict[str, Any] = {
        "format": 3 if two else 2 if scaled else 1,
        "features": list(model.features),
        "classes": list(CORE.names),
        "members": chains,
        "calibration": model.calibration.to_json(),
        "calibrated_on": model.calibrated_on,
    }
    if scaled:
        head["scales"] = scales
    if model.somatic != Shares():
        head["somatic"] = {"named": model.somatic.named, "other": model.somatic.other}
    if model.seen is not None:
        out[SEEN] = canonical_json(model.seen.to_json())
    return out | {MODEL: canonical_json(head)}


def from_files(files: Mapping[str, bytes]) -> Model:
    """Inverse of `to_files`; `BadArgumentError` where they are not such files."""
    try:
        head = json.loads(files[MODEL])
        if head["format"] not in (1, 2, 3) or tuple(head["classes"]) != CORE.names:
            raise ValueError(f"format {head['format']}, classes {head['classes']}")
        return Model(
            features=tuple(str(name) for name in head["features"]),
            members=_members(head, files),
            calibration=Calibration.from_json(head["calibration"]),
            calibrated_on=str(head["calibrated_on"]),
            seen=Novelty.from_json(json.loads(files[SEEN])) if SEEN in files else None,
            somatic=_shares(head.get("somatic", {})),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise BadArgumentError(
            "the files of a model of curation/nissl",
            f"{sorted(files)} ({error})",
            "Take another model: nissl models STUDY",
        ) from None


def _members(head: Mapping[str, Any], files: Mapping[str, bytes]) -> tuple[boosting.Member, ...]:
    scales = head["scales"] if head["format"] > 1 else [[1.0] * len(m) for m in head["members"]]
    return tuple(
        tuple(
            boosting.Stage(
                tuple(files[n].decode() for n in ([name] if isinstance(name, str) else name)),
                float(scale),
            )
            for name, scale in zip(names, own, strict=True)
        )
        for names, own in zip(head["members"], scales, strict=True)
    )


def _shares(told: Mapping[str, Any]) -> Shares:
    (a, b), (c, d) = told.get("named", (0, 0)), told.get("other", (0, 0))
    return Shares((int(a), int(b)), (int(c), int(d)))


def weights_folder() -> Any:
    """Folder of the package with the shipped weights and their card."""
    return package_files("nissl.annotators.curation") / "weights"


@cache
def shipped() -> Model:
    """Model of the shipped weights, read once."""
    return from_files(
        {
            each.name: each.read_bytes()
            for each in weights_folder().iterdir()
            if each.name in (MODEL, SEEN) or each.name.startswith("member-")
        }
    )
