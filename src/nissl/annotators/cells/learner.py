"""`cells/quality`: which regions are cells, learnt from a person's own decisions.

It outlines nothing: it judges the regions that stand on a source, whoever proposed them. It
comes without weights, for what counts as a cell differs between laboratories, and the same
statistic between programs; until it is taught it leaves every region as it was called and claims
no confidence.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators import trees
from nissl.annotators.cells import quality_model
from nissl.annotators.cells.quality import SAYS, featurise
from nissl.annotators.cells.quality_model import Model, from_files, grown, to_files
from nissl.annotators.cells.vocabulary import CELL, CELLS, NOT_CELL
from nissl.errors import MissingInputError
from nissl.labels import Author, FeatureTable, ItemTable, Kind, LabelSet, Provenance, Vocabulary
from nissl.labels.digest import digest_files
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.tasks import Examples, Finding, Inputs, Prediction, Promises, Result
from nissl.trust.frame import fit_frame
from nissl.trust.novelty import Verdict

Values = npt.NDArray[np.float64]

MIN_EXAMPLES, MIN_PER_CLASS = 10, 3
UNTAUGHT = "untaught.json"
WHOLE = Promises(chunked=False, deterministic=True, memory="measured")


@dataclass(frozen=True)
class QualityLearner:
    """A calibrated classifier of regions.

    Parameters
    ----------
    model : Model, optional
        None is untaught.
    """

    model: Model | None = None
    name: str = "cells/quality"
    version: str = "1"
    promises: Promises = WHOLE
    needs: tuple[str, ...] = ("cells",)

    @property
    def weights(self) -> str:
        """Digest of what `files` holds."""
        return digest_files(self.files())

    @property
    def vocabulary(self) -> Vocabulary:
        """Cell, and not cell."""
        return CELLS

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""
        return trees.missing()

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {name: version(name) for name in ("lightgbm", "numpy")}

    def defaults(self) -> Mapping[str, Any]:
        """No parameters: what it does it was taught."""
        return {}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Judge the current regions of a source."""
        begun = time.perf_counter()
        del parameters
        regions, items = inputs.labels["cells"], inputs.items.get("cells")
        context.progress.start("judge regions", float(regions.items.size), "regions")
        with measure_peak() as peak:
            features = self.featurise(regions, items)
            labels = self.propose(regions, features)
        context.progress.advance("judge regions", float(regions.items.size))
        context.progress.finish("judge regions")
        labels = replace(labels, provenance=replace(labels.provenance, seed=context.seed))
        facts = self.facts(labels, features, items)
        log = {"wall_s": time.perf_counter() - begun, "peak_memory_bytes": peak.bytes}
        return Result(
            (labels,), items=() if facts is None else (facts,), log=log, findings=self._said()
        )

    def _said(self) -> tuple[Finding, ...]:
        if self.model is not None:
            return ()
        return (
            Finding(
                "untaught",
                "note",
                "The classifier has no weights of its own: accept or flip some fifty regions, "
                "and let it learn. Until then regions stay as they were called.",
            ),
        )

    def featurise(
        self, labels: LabelSet, items: ItemTable | None, *, subject: str = "", session: str = ""
    ) -> FeatureTable:
        """Features of regions; see `nissl.annotators.cells.quality`."""
        return featurise(labels, items, subject=subject, session=session)

    def predict(self, features: FeatureTable) -> Prediction:
        """Say cell or not, with calibrated probabilities; untaught, both as likely."""
        n = len(features.items)
        if self.model is None or not n:
            members = 1 if self.model is None else len(self.model.forests)
            return Prediction(np.full((n, 2), 0.5), np.full((members, n, 2), 0.5))
        raw = self.model.raw(_columns(features, self.model.frame.names))
        votes = np.stack([self.model.probabilities(each) for each in raw])
        return Prediction(self.model.probabilities(raw.mean(axis=0)), votes)

    def unlike(self, features: FeatureTable) -> tuple[Verdict | None, Sequence[str]]:
        """Regions of which the model knows no feature are told."""
        if self.model is None:
            return None, [""] * len(features.items)
        values = _columns(features, self.model.frame.names)
        known = np.isfinite(values).sum(axis=1).tolist()
        return None, ["" if n else "no fact is known that was learnt from" for n in known]

    def embedded(self, features: FeatureTable) -> Values:
        """Features on one scale without NaN, (n_items, d), for policies that compare items."""
        if not len(features.items):
            return np.zeros((0, len(features.names)))
        if self.model is not None:
            frame = self.model.frame
            return np.nan_to_num(frame.z(_columns(features, frame.names)))
        some = np.flatnonzero(np.isfinite(features.values).any(axis=0))
        values = features.values[:, some]
        frame = fit_frame(values, [features.names[k] for k in some.tolist()])
        return np.nan_to_num(frame.z(values))

    def propose(self, labels: LabelSet, features: FeatureTable, *, use: int = 0) -> LabelSet:
        """The same regions, each called a cell or not; `use` tells apart proposals made anew."""
        table, made = labels.table, labels.provenance
        columns: dict[str, Any] = {
            name: table.column(name) for name in ("id", "item", "frame", "pixels", "weights")
        }
        if self.model is None:
            names = labels.vocabulary.names
            not_cell = names.index("not cell") if "not cell" in names else -1
            called = labels.column("label") == not_cell
            columns["label"] = np.where(called, NOT_CELL, CELL).astype(np.int32)
        else:
            row = np.searchsorted(features.items, labels.column("item"))
            p = self.predict(features).probabilities[row]
            columns["label"] = p.argmax(axis=1).astype(np.int32)
            columns |= {"probabilities": p, "confidence": p.max(axis=1, initial=0.0)}
        return LabelSet.build(
            Kind.REGIONS,
            columns,
            CELLS,
            Provenance(
                task="cells",
                source=made.source,
                stream=made.stream,
                author=Author("model", self.name, self.version, self.weights),
                parameters={"use": use} if use else {},
                made_from=(labels.digest,),
                packages=dict(self.packages()),
            ),
        )

    def facts(
        self, labels: LabelSet, features: FeatureTable, items: ItemTable | None
    ) -> ItemTable | None:
        """The facts of the same regions, now beside another judgement."""
        del features
        return None if items is None else replace(items, of=labels.digest)

    def contributions(self, features: FeatureTable) -> Values:
        """How much each feature speaks for each class, in log odds, before calibration; exact.

        Returns
        -------
        ndarray, shape (n_items, n_features, 2), float64
        """
        out = np.zeros((len(features.items), len(features.names), 2))
        if self.model is None or not len(features.items):
            return out
        names = self.model.frame.names
        given = self.model.contributions(_columns(features, names))
        for k, name in enumerate(names):
            place = features.names.index(name)
            out[:, place, CELL], out[:, place, NOT_CELL] = given[:, k], -given[:, k]
        return out

    def fit(self, examples: Examples, *, rng: np.random.Generator) -> QualityLearner:
        """Learn from decided regions, afresh each time.

        Parameters
        ----------
        examples : Examples
        rng : numpy.random.Generator

        Raises
        ------
        MissingInputError
            Fewer than ten decided regions, or fewer than three of either class.
        """
        cell = examples.label == CELL
        few = min(int(cell.sum()), int((~cell).sum()))
        if len(examples) < MIN_EXAMPLES or few < MIN_PER_CLASS:
            raise MissingInputError(
                f"at least {MIN_EXAMPLES} decided regions, {MIN_PER_CLASS} of them cells and "
                f"{MIN_PER_CLASS} not",
                f"{len(examples)} decided, {int(cell.sum())} of them cells",
                "Decide on a few more first: nissl review STUDY",
            )
        features = examples.features
        weight = examples.weight / max(float(examples.weight.mean()), 1e-12)
        enough = len(set(features.subject)) >= quality_model.MIN_GROUPS
        groups = features.subject if enough else features.session
        model = grown(features.values, cell, weight, features.names, groups, rng=rng)
        return replace(self, model=model)

    @property
    def says(self) -> Mapping[str, str]:
        """Words for each feature, with a place for its value."""
        return SAYS

    def card(self) -> Mapping[str, Any]:
        """No weights are shipped: it knows what it is taught."""
        return {"name": self.name, "version": self.version, "trained_on": "nothing"}

    def files(self) -> Mapping[str, bytes]:
        """What `restored` needs: JSON and LightGBM's text."""
        return {UNTAUGHT: b"{}"} if self.model is None else to_files(self.model)

    def restored(self, files: Mapping[str, bytes]) -> QualityLearner:
        """Return the learner whose `files` these are."""
        return replace(self, model=None if UNTAUGHT in files else from_files(files))


def _columns(features: FeatureTable, names: Sequence[str]) -> Values:
    """Values in the order of `names`; NaN for those that a table does not have."""
    out = np.full((len(features.items), len(names)), np.nan)
    for k, name in enumerate(names):
        if name in features.names:
            out[:, k] = features.values[:, features.names.index(name)]
    return out


LEARNER = QualityLearner()

__all__ = ["LEARNER", "QualityLearner"]
