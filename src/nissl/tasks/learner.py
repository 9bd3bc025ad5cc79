"""A Learner is an annotator that can be fitted to what people decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError
from nissl.labels import FeatureTable, ItemTable, LabelSet, Vocabulary
from nissl.tasks.contracts import Annotator

if TYPE_CHECKING:
    from nissl.trust.novelty import Verdict


@dataclass(frozen=True, eq=False)
class Examples:
    """Items whose class people decided: what a learner learns from.

    Parameters
    ----------
    features : FeatureTable
        One row per item; several sources may stand below each other.
    label : ndarray, shape (n_items,), int64
        Code of the task's vocabulary.
    weight : ndarray, shape (n_items,), float64
        How much each counts: the inverse of the probability with which it was asked, mean 1.
    classes : tuple of str
        Names of the codes where they are not those of the learner's own vocabulary; only
        learners of a task with an open vocabulary take such.
    afresh : bool
        Whether these replace the classes that the learner knows, instead of adding to them.
    """

    features: FeatureTable
    label: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float64]
    classes: tuple[str, ...] = ()
    afresh: bool = False

    def __post_init__(self) -> None:
        n = len(self.features.items)
        if self.label.shape != (n,) or self.weight.shape != (n,) or not np.all(self.weight >= 0):
            raise BadArgumentError(
                f"{n} labels and weights that are not negative",
                f"labels {self.label.shape}, weights {self.weight.shape}",
                "Give one of each per row of features.",
            )

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: npt.NDArray[Any]) -> Examples:
        """Rows by index or mask."""
        picked = np.arange(len(self))[rows]
        table = self.features
        return Examples(
            features=FeatureTable(
                items=table.items[picked],
                names=table.names,
                values=table.values[picked],
                units=table.units,
                subject=tuple(table.subject[k] for k in picked.tolist()),
                session=tuple(table.session[k] for k in picked.tolist()),
            ),
            label=self.label[picked],
            weight=self.weight[picked],
            classes=self.classes,
            afresh=self.afresh,
        )


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a learner says of items.

    Parameters
    ----------
    probabilities : ndarray, shape (n_items, n_classes), float64
        Calibrated, over the task's vocabulary.
    votes : ndarray, shape (n_members, n_items, n_classes), float64
        What the members of its ensemble say, for disagreement.
    """

    probabilities: npt.NDArray[np.float64]
    votes: npt.NDArray[np.float64]


@runtime_checkable
class Learner(Annotator, Protocol):
    """An annotator that can be fitted; `fit` returns a new one and changes nothing.

    It works on labels and item tables, never on raw data, so that it can be asked and fitted
    when the recording is gone.
    """

    @property
    def weights(self) -> str:
        """Digest of what `files` holds; part of every proposal's author."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Classes that it proposes; the task's own unless the task's vocabulary is open."""

    def featurise(
        self, labels: LabelSet, items: ItemTable | None, *, subject: str = "", session: str = ""
    ) -> FeatureTable:
        """One row of features per item of the labels that the task needs."""

    def fit(self, examples: Examples, *, rng: np.random.Generator) -> Learner:
        """Return a new learner that also knows these examples."""

    def predict(self, features: FeatureTable) -> Prediction:
        """Say classes with probabilities."""

    def unlike(self, features: FeatureTable) -> tuple[Verdict | None, Sequence[str]]:
        """Whether a recording, and each of its items, lies outside what the model has seen."""

    def embedded(self, features: FeatureTable) -> npt.NDArray[np.float64]:
        """Features on one scale without NaN, (n_items, d), for policies that compare items."""

    def propose(self, labels: LabelSet, features: FeatureTable, *, use: int = 0) -> LabelSet:
        """Classes of the items of `labels` as a set; `use` tells apart proposals made anew."""

    def facts(
        self, labels: LabelSet, features: FeatureTable, items: ItemTable | None
    ) -> ItemTable | None:
        """Facts about proposed items that its task's view shows; None where it shows none."""

    def contributions(self, features: FeatureTable) -> npt.NDArray[np.float64]:
        """How much each feature speaks for each class, (n_items, n_features, n_classes)."""

    @property
    def says(self) -> Mapping[str, str]:
        """Words for a feature with a place for its value, as ``str.format`` takes it."""

    def card(self) -> Mapping[str, Any]:
        """Model card of the weights that the method ships."""

    def files(self) -> Mapping[str, bytes]:
        """What `restored` needs; plain text or numbers, never code."""

    def restored(self, files: Mapping[str, bytes]) -> Learner:
        """Return the learner whose `files` these are."""
