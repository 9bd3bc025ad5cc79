"""What `celltypes/nissl` knows, and the files it is kept in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes import encoder
from nissl.annotators.celltypes.arrays import pack, unpack
from nissl.annotators.celltypes.exemplars import Exemplar
from nissl.annotators.celltypes.inputs import Frame
from nissl.annotators.celltypes.member import Member
from nissl.annotators.celltypes.strange import Strange
from nissl.errors import BadArgumentError
from nissl.labels import Vocabulary
from nissl.labels.digest import canonical_json
from nissl.nets.softmax import Head, softmax
from nissl.trust.calibration import Calibration
from nissl.trust.novelty import Novelty

Values = npt.NDArray[np.float64]

MODEL, ARRAYS, CARD, SEEN = "model.json", "arrays.bin", "card.json", "seen.json"
BUDGETS = (0.05, 0.1, 0.2, 0.3)


@dataclass(frozen=True, eq=False)
class Model:
    """Everything that was learnt.

    Parameters
    ----------
    vocabulary : Vocabulary
        Classes, the last of which is "unknown".
    present : tuple of bool
        Which of the classes but the last there were examples of.
    frame : Frame
    members : tuple of Member
        Classifiers of the classes but the last; they differ by the weight that each animal had,
        and by what they see.
    calibration : Calibration
        Of the pooled probabilities, classes equally frequent.
    strange : Strange
    thresholds : mapping of float to float
        Confidence from which on a class is claimed, by error budget; infinite where no
        confidence keeps it on left-out animals.
    exemplars : tuple of Exemplar
    calibrated_on : str
        What calibration and thresholds rest on, for the card.
    projection : ndarray, shape (n_inputs, 2), float64
        To the map on which classes lie apart.
    seen : Novelty, optional
        What recordings of the training animals were like.
    """

    vocabulary: Vocabulary
    present: tuple[bool, ...]
    frame: Frame
    members: tuple[Member, ...]
    calibration: Calibration
    strange: Strange
    thresholds: Mapping[float, float]
    exemplars: tuple[Exemplar, ...]
    calibrated_on: str
    projection: Values
    seen: Novelty | None = None

    def slopes(self, inputs: Values) -> Values:
        """Mean over the members, see `Member.slopes`; (n_units, n_classes - 1, n_inputs)."""
        found: Values = np.mean([member.slopes(inputs) for member in self.members], axis=0)
        return found

    def votes(self, inputs: Values) -> Values:
        """Probabilities of the classes but the last by each member, not calibrated."""
        return np.stack([self._of(member.scores(inputs)) for member in self.members])

    def known(self, inputs: Values) -> Values:
        """Calibrated probabilities of the classes but the last, (n_units, n_classes - 1)."""
        pooled: Values = np.asarray(self.votes(inputs).mean(axis=0))
        cut = np.asarray(self.present)
        out = np.zeros_like(pooled)
        out[:, cut] = self.calibration.apply(pooled[:, cut])
        return out

    def threshold(self, budget: float) -> float:
        """Confidence from which on a class is claimed, for the largest budget that is kept."""
        kept = [known for known in self.thresholds if known <= budget + 1e-9]
        return self.thresholds[max(kept)] if kept else float("inf")

    def _of(self, scores: Values) -> Values:
        told: Values = softmax(np.where(np.asarray(self.present), scores, -np.inf))[0]
        return told


def to_files(model: Model) -> dict[str, bytes]:
    """Model as files by name."""
    head: dict[str, Any] = {
        "format": 1,
        "classes": list(model.vocabulary.names),
        "colours": list(model.vocabulary.colours),
        "present": list(model.present),
        "frame": model.frame.to_json(),
        "members": len(model.members),
        "calibration": model.calibration.to_json(),
        "calibrated_on": model.calibrated_on,
        "strange": model.strange.to_json(),
        "thresholds": [
            [budget, value if np.isfinite(value) else None]
            for budget, value in model.thresholds.items()
        ],
        "exemplars": [each.to_json() for each in model.exemplars],
    }
    arrays = encoder.to_arrays(model.frame.encoders) | {"projection": model.projection}
    for k, member in enumerate(model.members):
        arrays |= {f"member/{k}/{name}": array for name, array in _arrays_of(member).items()}
    out = {MODEL: canonical_json(head), ARRAYS: pack(arrays)}
    if model.seen is not None:
        out[SEEN] = canonical_json(model.seen.to_json())
    return out


def from_files(files: Mapping[str, bytes]) -> Model:
    """Inverse of `to_files`; `BadArgumentError` where they are not such files."""
    try:
        head = json.loads(files[MODEL])
        if head["format"] != 1:
            raise ValueError(f"format {head['format']}")
        arrays = unpack(files[ARRAYS])
        return Model(
            vocabulary=Vocabulary(tuple(head["classes"]), tuple(head["colours"])),
            present=tuple(bool(each) for each in head["present"]),
            frame=Frame.from_json(head["frame"], encoder.from_arrays(arrays)),
            members=tuple(_member(arrays, k) for k in range(int(head["members"]))),
            calibration=Calibration.from_json(head["calibration"]),
            strange=Strange.from_json(head["strange"]),
            thresholds={
                float(budget): float("inf") if value is None else float(value)
                for budget, value in head["thresholds"]
            },
            exemplars=tuple(Exemplar.from_json(each) for each in head["exemplars"]),
            calibrated_on=str(head["calibrated_on"]),
            projection=arrays["projection"],
            seen=Novelty.from_json(json.loads(files[SEEN])) if SEEN in files else None,
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise BadArgumentError(
            "the files of a model of celltypes/nissl",
            f"{sorted(files)} ({error})",
            "Take another model: nissl models STUDY --task celltypes",
        ) from None


def _arrays_of(member: Member) -> dict[str, Values]:
    out = {
        "columns": member.columns.astype(np.float64),
        "coefficients": member.head.coefficients,
        "intercepts": member.head.intercepts,
    }
    if member.frequencies is not None and member.phases is not None:
        out |= {"frequencies": member.frequencies, "phases": member.phases}
    return out


def _member(arrays: Mapping[str, Values], k: int) -> Member:
    own = {n.split("/")[-1]: a for n, a in arrays.items() if n.startswith(f"member/{k}/")}
    return Member(
        own["columns"].astype(np.int64),
        Head(own["coefficients"], own["intercepts"]),
        own.get("frequencies"),
        own.get("phases"),
    )


def weights_folder() -> Any:
    """Folder of the package with the shipped weights and their card."""
    return package_files("nissl.annotators.celltypes") / "weights"


@cache
def shipped() -> Model:
    """Model of the shipped weights, read once."""
    names = (MODEL, ARRAYS, SEEN)
    found = {each.name: each for each in weights_folder().iterdir() if each.name in names}
    return from_files({name: each.read_bytes() for name, each in found.items()})
