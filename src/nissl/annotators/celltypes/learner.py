"""`celltypes/nissl`: the kind of neuron of sorted units, or "unknown", with probabilities.

A class is claimed where its probability keeps an error budget on left-out animals and the unit
lies where units of known classes lie; everything else is "unknown". Probabilities take all
classes as equally frequent, for the frequency of what was tagged is not that of a recording;
other frequencies are a parameter.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.axes import MODALITIES, MODALITY_SAYS
from nissl.annotators.celltypes.curves import CURVE_NAMES, CURVES, curve_features, curves_of
from nissl.annotators.celltypes.facts import item_table
from nissl.annotators.celltypes.fitting import grown, seen
from nissl.annotators.celltypes.inputs import curve, numbers
from nissl.annotators.celltypes.model import (
    CARD,
    Model,
    from_files,
    shipped,
    to_files,
    weights_folder,
)
from nissl.annotators.celltypes.vocabulary import canonical
from nissl.annotators.unlike import unlike
from nissl.errors import BadArgumentError
from nissl.labels import Author, FeatureTable, ItemTable, Kind, LabelSet, Provenance, Vocabulary
from nissl.labels.digest import digest_files
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.tasks import Examples, Inputs, Prediction, Promises, Result
from nissl.trust.novelty import Verdict

Values = npt.NDArray[np.float64]

BUDGET = 0.2
WHOLE = Promises(chunked=False, deterministic=True, memory="measured")
_FAR = 2.0  # normal score from which a number is told as unusual


@dataclass(frozen=True)
class CelltypesLearner:
    """Linear and kernel classifiers of numbers and of what encoders say of curves.

    Parameters
    ----------
    model : Model, optional
        None stands for the shipped weights, read at first use.
    budget : float
        Share of wrong classes that is tolerated among those claimed.
    prior : mapping of str to float
        How frequent classes are, relative to each other; equally by default.
    """

    model: Model | None = None
    budget: float = BUDGET
    prior: Mapping[str, float] = field(default_factory=dict)
    name: str = "celltypes/nissl"
    version: str = "1"
    promises: Promises = WHOLE

    @property
    def known(self) -> Model:
        """Its model."""
        return self.model if self.model is not None else shipped()

    @property
    def weights(self) -> str:
        """Digest of what `files` holds."""
        return digest_files(self.files())

    @property
    def vocabulary(self) -> Vocabulary:
        """Classes of its model, the last of which is "unknown"."""
        return self.known.vocabulary

    @property
    def modalities(self) -> Mapping[str, tuple[str, ...]]:
        """Columns that are samples of one curve."""
        return MODALITIES

    def missing(self) -> Mapping[str, str]:
        """Nothing: it runs on what nissl itself needs."""
        return {}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {name: version(name) for name in ("numpy", "scipy")}

    def defaults(self) -> Mapping[str, Any]:
        """Error budget of what is claimed, and relative frequency of classes by name."""
        return {"budget": BUDGET, "prior": {}}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Propose a class for every unit of the current sorting."""
        begun = time.perf_counter()
        asked = replace(self, budget=_budget(parameters["budget"]), prior=self._prior(parameters))
        units, table = inputs.labels["spikes"], inputs.items.get("spikes")
        context.progress.start("classify units", float(units.items.size), "units")
        with measure_peak() as peak:
            features = asked.featurise(units, table)
            labels = asked.propose(units, features)
        context.progress.advance("classify units", float(units.items.size))
        context.progress.finish("classify units")
        made = replace(labels.provenance, seed=context.seed, parameters=dict(parameters))
        labels = replace(labels, provenance=made)
        facts = asked.facts(labels, features, table)
        log = {"wall_s": time.perf_counter() - begun, "peak_memory_bytes": peak.bytes}
        return Result(
            (labels,),
            items=() if facts is None else (facts,),
            log=log,
            findings=unlike(asked, features),
        )

    def featurise(
        self, labels: LabelSet, items: ItemTable | None, *, subject: str = "", session: str = ""
    ) -> FeatureTable:
        """Features of the units of a sorting; see `nissl.annotators.celltypes.features`."""
        from nissl.annotators.celltypes.features import featurise

        return with_curves(featurise(labels, items, subject=subject, session=session))

    def predict(self, features: FeatureTable) -> Prediction:
        """Say classes with calibrated probabilities, "unknown" among them."""
        model, inputs = self.known, self.known.frame.inputs(features)
        strange = model.strange.apply(inputs)
        known, votes = model.known(inputs), model.votes(inputs)
        bare = _bare(features)
        if bare.any():  # of nothing no class follows; a middling unit is not what stands in
            alike = np.asarray(model.present) / max(sum(model.present), 1)
            known[bare], votes[:, bare] = alike, alike
        known = self._weighed(known)
        votes = np.stack([self._weighed(vote) for vote in votes])
        return Prediction(_with_unknown(known, strange), _with_unknown(votes, strange))

    def unlike(self, features: FeatureTable) -> tuple[Verdict | None, Sequence[str]]:
        """Whether a recording, and each of its units, lies outside what the model has seen.

        Returns
        -------
        verdict : Verdict or None
            None where the model does not know what it has seen.
        reasons : sequence of str, length n_items
            In plain words for units further out than 95 % of new units of known classes.
        """
        model = self.known
        far = self._outside(features)
        reasons = [self._why_far(features, k) if is_far else "" for k, is_far in enumerate(far)]
        if model.seen is None or not len(features.items):
            return None, reasons
        values = numbers(features, model.seen.frame.names)
        return model.seen.verdict(values), reasons

    def embedded(self, features: FeatureTable) -> Values:
        """Inputs of the classifiers, shape (n_items, d): on one scale, 0 where missing."""
        return self.known.frame.inputs(features)

    def claims(self, features: FeatureTable) -> tuple[npt.NDArray[np.int32], Values]:
        """Class that is claimed of each unit, and its probability.

        Returns
        -------
        label : ndarray, shape (n_items,), int32
            Code of the vocabulary; the last, "unknown", where nothing is claimed.
        confidence : ndarray, shape (n_items,), float64
            NaN where nothing is claimed: "unknown" is an abstention, which cannot be right.
        """
        p = self.predict(features).probabilities[:, :-1]
        top = p.max(axis=1, initial=0.0)
        claimed = (top >= self.known.threshold(self.budget)) & ~self._outside(features)
        label = np.where(claimed, p.argmax(axis=1), p.shape[1]).astype(np.int32)
        return label, np.where(claimed, top, np.nan)

    def propose(self, labels: LabelSet, features: FeatureTable, *, use: int = 0) -> LabelSet:
        """Classes of all units of a sorting as a label set, item = unit.

        Parameters
        ----------
        labels : LabelSet
            The sorting.
        features : FeatureTable
            Of its units.
        use : int
            How often models have been changed in the project; tells apart proposals of one
            model that is put into use again.
        """
        code, confidence = self.claims(features)
        made = labels.provenance
        return LabelSet.build(
            Kind.CLASSES,
            {
                "id": features.items,
                "item": features.items,
                "target": features.items,
                "label": code,
                "confidence": confidence,
                "probabilities": self.predict(features).probabilities,
            },
            self.vocabulary,
            Provenance(
                task="celltypes",
                source=made.source,
                stream=made.stream,
                author=Author("model", self.name, self.version, self.weights),
                parameters={"use": use} if use else {},
                made_from=(labels.digest,),
                targets=(labels.digest,),
                packages=dict(self.packages()),
            ),
        )

    def facts(
        self, labels: LabelSet, features: FeatureTable, items: ItemTable | None
    ) -> ItemTable | None:
        """Curves, templates and places on the map of proposed units; see `item_table`."""
        return item_table(self.known, labels, features, items, self.unlike(features)[1])

    def contributions(self, features: FeatureTable) -> Values:
        """How much each column of the table speaks for each class, in raw score.

        Integrated gradients from a unit of which nothing is known (Sundararajan, Taly and Yan
        2017, ICML); of a curve, sample by sample.

        Returns
        -------
        ndarray, shape (n_items, n_features, n_classes), float64
            0 for "unknown".
        """
        model = self.known
        inputs = model.frame.inputs(features)
        slopes = model.slopes(inputs)
        place = {name: k for k, name in enumerate(features.names)}
        out = np.zeros((len(features.items), len(features.names), len(self.vocabulary)))
        for k, name in enumerate(model.frame.scaling.names):
            if name in place:
                out[:, place[name], :-1] = slopes[:, :, k] * inputs[:, k, None]
        for name in model.frame.encoders:
            columns = [place[sample] for sample in MODALITIES[name] if sample in place]
            if len(columns) == len(MODALITIES[name]):
                out[:, columns, :-1] = model.frame.attributions(features, name, slopes)
        return out

    def fit(self, examples: Examples, *, rng: np.random.Generator) -> CelltypesLearner:
        """Learn from labelled units.

        What is known is where the classifiers start, and a new class begins from nothing;
        examples that are meant to begin afresh replace the known classes, and encoders stay.

        Parameters
        ----------
        examples : Examples
        rng : numpy.random.Generator

        Raises
        ------
        MissingInputError
            Too few.
        """
        seed = int(rng.integers(2**31 - 1))
        if not examples.classes:
            examples = replace(examples, classes=self.vocabulary.names)
        model = self.known
        before = None if examples.afresh else model
        fitted = grown(examples, model.frame.encoders, seed=seed, before=before)
        # of decisions in one's own recordings alone it is not known what others are like
        known = seen(examples.features) if examples.afresh else model.seen
        return replace(self, model=replace(fitted, seen=known))

    @property
    def says(self) -> Mapping[str, str]:
        """Words for each number, with a place for its value, and for each curve."""
        from nissl.annotators.celltypes.features import SCALARS

        return {each.name: each.says for each in (*SCALARS, *CURVES)} | MODALITY_SAYS

    def card(self) -> Mapping[str, Any]:
        """Model card of the shipped weights."""
        text = (weights_folder() / CARD).read_text(encoding="utf-8")
        return dict(json.loads(text))

    def files(self) -> Mapping[str, bytes]:
        """What `restored` needs: JSON and arrays of numbers."""
        return to_files(self.known)

    def restored(self, files: Mapping[str, bytes]) -> CelltypesLearner:
        """Return the learner whose `files` these are."""
        return replace(self, model=from_files(files))

    def _prior(self, parameters: Mapping[str, Any]) -> dict[str, float]:
        names = self.vocabulary.names[:-1]
        given = {canonical(name): value for name, value in dict(parameters["prior"]).items()}
        wrong = {n: v for n, v in given.items() if n not in names or not _positive(v)}
        if wrong:
            raise BadArgumentError(
                f"relative frequencies above 0 of classes among {list(names)}",
                str(wrong),
                'For example --set prior=\'{"PV": 1, "SST": 2}\'; classes left out count 1.',
            )
        return {name: float(value) for name, value in given.items()}

    def _weighed(self, p: Values) -> Values:
        """Probabilities under the given frequencies of classes."""
        if not self.prior:
            return p
        weight = np.asarray([self.prior.get(name, 1.0) for name in self.vocabulary.names[:-1]])
        weighed = p * weight
        return np.asarray(weighed / np.maximum(weighed.sum(axis=-1, keepdims=True), 1e-12))

    def _outside(self, features: FeatureTable) -> npt.NDArray[np.bool_]:
        """Units of which no class is claimed: too far from known ones, or nothing known of them."""
        far = self.known.strange.beyond(self.known.frame.inputs(features))
        return np.asarray(_bare(features) | far)

    def _why_far(self, features: FeatureTable, row: int) -> str:
        """What is unusual about a unit, in plain words."""
        if _bare(features)[row]:
            return "neither its waveform nor its spike train can be used"
        scaling = self.known.frame.scaling
        values = numbers(features, scaling.names)[row]
        score = scaling.apply(values[None])[0]
        most = [k for k in np.argsort(-np.abs(score))[:3] if abs(score[k]) >= _FAR]
        words = self.says
        told = "; ".join(words.get(scaling.names[k], "{:.3g}").format(values[k]) for k in most)
        return f"unlike the units that the model knows{': ' + told if told else ''}"


def with_curves(table: FeatureTable) -> FeatureTable:
    """Table with the numbers that are read off its curves."""
    lacking = [name for name in CURVE_NAMES if name not in table.names]
    if not lacking:
        return table
    own = curve_features(*curves_of(table))
    units = {each.name: each.unit for each in CURVES}
    columns = [CURVE_NAMES.index(name) for name in lacking]
    return FeatureTable(
        items=table.items,
        names=(*lacking, *table.names),
        values=np.hstack([own[:, columns], table.values]),
        units=(*(units[name] for name in lacking), *table.units),
        subject=table.subject,
        session=table.session,
    )


def _bare(features: FeatureTable) -> npt.NDArray[np.bool_]:
    """Units of which no curve is known."""
    bare = np.ones(len(features.items), bool)
    for name in MODALITIES:
        bare &= np.isnan(curve(features, name)).all(axis=1)
    return bare


def _with_unknown(known: Values, strange: Values) -> Values:
    last = np.broadcast_to(strange[..., None], (*known.shape[:-1], 1))
    return np.concatenate([known * (1 - strange[:, None]), last], axis=-1)


def _budget(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise BadArgumentError(
            "a share of wrong classes above 0 and below 1", repr(value), "For example 0.1."
        )
    return float(value)


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and np.isfinite(value) and value > 0


LEARNER = CelltypesLearner()

__all__ = ["LEARNER", "CelltypesLearner", "with_curves"]
