"""`curation/nissl`: good, mua, noise or non-somatic, with probabilities, learning from answers.

In two stages: noise or a neuron, then one neuron or several; both learnt and calibrated. Which
neurons are non-somatic rules tell (`nissl.annotators.curation.somatic`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators import trees
from nissl.annotators.curation import adapting, boosting, somatic
from nissl.annotators.curation.features import ALL, NAMES, featurise
from nissl.annotators.curation.model import (
    CARD,
    CORE,
    NON_SOMATIC,
    VOCABULARY,
    Model,
    columns,
    from_files,
    normalised,
    shipped,
    to_files,
    weights_folder,
)
from nissl.annotators.unlike import unlike
from nissl.errors import MissingInputError
from nissl.labels import Author, FeatureTable, ItemTable, Kind, LabelSet, Provenance, Vocabulary
from nissl.labels.digest import digest_files
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.tasks import Examples, Inputs, Prediction, Promises, Result
from nissl.trust.calibration import Calibration, choose
from nissl.trust.frame import fit_frame
from nissl.trust.novelty import Verdict

MIN_EXAMPLES = 10
MIN_PER_SUBJECT = 20
MIN_SUBJECTS = 3
"""Subjects to calibrate on: a map chosen on two mice of UnitRefine is worse on the third."""
_BEFORE = ", before these decisions"
WHOLE = Promises(chunked=False, deterministic=True, memory="measured")


@dataclass(frozen=True)
class CurationLearner:
    """Boosted trees on quality metrics, in two stages.

    Parameters
    ----------
    model : Model, optional
        None stands for the shipped weights, read at first use.
    """

    model: Model | None = None
    name: str = "curation/nissl"
    version: str = "2"
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
        """Classes that it proposes."""
        return VOCABULARY

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""
        return trees.missing()

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {name: version(name) for name in ("lightgbm", "numpy", "scipy")}

    def defaults(self) -> Mapping[str, Any]:
        """No parameters: what it does is in its weights."""
        return {}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Propose a class for every unit of the current sorting."""
        begun = time.perf_counter()
        del parameters
        units = inputs.labels["spikes"]
        context.progress.start("classify units", float(units.items.size), "units")
        with measure_peak() as peak:
            features = self.featurise(units, inputs.items.get("spikes"))
            labels = self.propose(units, features)
        context.progress.advance("classify units", float(units.items.size))
        context.progress.finish("classify units")
        labels = replace(labels, provenance=replace(labels.provenance, seed=context.seed))
        log = {"wall_s": time.perf_counter() - begun, "peak_memory_bytes": peak.bytes}
        return Result((labels,), log=log, findings=unlike(self, features))

    def featurise(
        self, labels: LabelSet, items: ItemTable | None, *, subject: str = "", session: str = ""
    ) -> FeatureTable:
        """Features of the units of a sorting; see `nissl.annotators.curation.features`."""
        return featurise(labels, items, subject=subject, session=session)

    def predict(self, features: FeatureTable) -> Prediction:
        """Say classes with calibrated probabilities; of a unit without features, all the same.

        Raises
        ------
        BadArgumentError
            A feature that the model needs is not there.
        """
        model = self.known
        values = columns(features, model.features)
        if not len(values):
            nothing = np.empty((0, len(VOCABULARY)))
            return Prediction(nothing, np.empty((len(model.members), 0, len(VOCABULARY))))
        votes = np.stack([model.calibration.apply(vote) for vote in model.votes(values)])
        core = model.calibration.apply(model.pooled(values))
        bare = ~np.isfinite(values).any(axis=1)
        core[bare], votes[:, bare] = 1 / len(CORE), 1 / len(CORE)
        share = model.somatic.of(somatic.named(features))
        return Prediction(somatic.with_fourth(core, share), somatic.with_fourth(votes, share))

    def unlike(self, features: FeatureTable) -> tuple[Verdict | None, Sequence[str]]:
        """Whether a recording, and each of its items, lies outside what the model has seen.

        Returns
        -------
        verdict : Verdict or None
            None where the model does not know what it has seen.
        reasons : sequence of str, length n_items
            In plain words for items further out than all but 1 % of a new animal's, and for
            those that a rule names non-somatic until decisions have shown how often it is
            right; "" else.
        """
        model = self.known
        shaped = ("",) * len(features.items) if model.somatic.known else somatic.reasons(features)
        shaped = tuple(f"{why}; {somatic.UNVOTED}" if why else "" for why in shaped)
        if model.seen is None or not len(features.items):
            return None, shaped
        values = columns(features, model.seen.frame.names)
        found = model.seen.items(values)
        triples = zip(found.novel().tolist(), found.reasons, shaped, strict=True)
        told = ["; ".join(filter(None, (far and why, odd))) for far, why, odd in triples]
        return model.seen.verdict(values), told

    def embedded(self, features: FeatureTable) -> npt.NDArray[np.float64]:
        """Features on one scale without NaN, shape (n_items, d), for policies that compare items.

        The scale is that of the units the model was fitted to; without one, of these units.
        """
        model = self.known
        names = model.features if model.seen is None else model.seen.frame.names
        values = columns(features, names)
        frame = fit_frame(values, names) if model.seen is None else model.seen.frame
        return frame.embed(frame.z(values))

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
        p = self.predict(features).probabilities
        made = labels.provenance
        return LabelSet.build(
            Kind.CLASSES,
            {
                "id": features.items,
                "item": features.items,
                "target": features.items,
                "label": p.argmax(axis=1).astype(np.int32),
                "confidence": p.max(axis=1, initial=0.0),
                "probabilities": p,
            },
            VOCABULARY,
            Provenance(
                task="curation",
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
        """None: units are shown with the facts of their sorting."""
        del labels, features, items
        return None

    def contributions(self, features: FeatureTable) -> npt.NDArray[np.float64]:
        """How much each feature of the table speaks for each class, in log odds; exact.

        See `boosting.by_class`. Nothing speaks for "non-somatic": a rule names it or does not.

        Returns
        -------
        ndarray, shape (n_items, n_features, n_classes), float64
        """
        model = self.known
        given = boosting.contributions(model.members, columns(features, model.features))
        out = np.zeros((len(features.items), len(features.names), len(VOCABULARY)))
        for k, name in enumerate(model.features):
            out[:, features.names.index(name), : len(CORE)] = given[:, k]
        return out

    def fit(self, examples: Examples, *, rng: np.random.Generator) -> CurationLearner:
        """Go on learning from reviewed units, on top of what this learner knows.

        How much of it is kept, and how far the members are boosted on top of it, is what
        predicts left-out decisions best (`nissl.annotators.curation.adapting`): lightly unless
        more is clearly better. Where three subjects or more have at least 20 decided units
        each, the model is calibrated anew on each of them by one that has not seen it;
        otherwise the calibration so far is kept, or replaced by a temperature from left-out
        decisions where the scores that it was fitted to are left behind. Non-somatic units
        teach how often the rules are right, and trees nothing.

        Parameters
        ----------
        examples : Examples
        rng : numpy.random.Generator

        Raises
        ------
        MissingInputError
            Fewer than ten decided units.
        """
        if len(examples) < MIN_EXAMPLES:
            raise MissingInputError(
                f"at least {MIN_EXAMPLES} decided units to learn from",
                str(len(examples)),
                "Decide on a few more first: nissl review STUDY",
            )
        seed = int(rng.integers(2**31 - 1))
        known = self.known.somatic.learnt(*_neurons(examples))
        examples = examples.take(examples.label != NON_SOMATIC)
        if len(examples) < MIN_EXAMPLES:
            return replace(self, model=replace(self.known, somatic=known))

        def further(part: Examples) -> Model:
            return self._further(part, seed)

        subjects = np.asarray(examples.features.subject)
        enough = [s for s in sorted(set(subjects)) if np.sum(subjects == s) >= MIN_PER_SUBJECT]
        grown = further(examples)
        if len(enough) >= MIN_SUBJECTS:
            grown = recalibrated(grown, examples, enough, further, rng)
        return replace(self, model=replace(grown, somatic=known))

    def _further(self, examples: Examples, seed: int) -> Model:
        """The model after further examples, not calibrated on them."""
        model, label = self.known, examples.label
        values, weight = columns(examples.features, model.features), normalised(examples.weight)
        choice = adapting.chosen(
            np.mean([boosting.raw(member, values) for member in model.members], axis=0),
            values,
            label,
            weight,
            examples.features.subject,
            calibration=model.calibration,
            seed=seed,
        )
        grown = replace(
            model,
            members=boosting.grow_on(model.members, values, label, weight, seed, choice.step),
            calibration=choice.calibration,
        )
        if choice.step is boosting.LIGHT:
            on = f"{model.calibrated_on.removesuffix(_BEFORE)}{_BEFORE}"
            return replace(grown, calibrated_on=on)
        return replace(grown, calibrated_on=f"{len(label)} decisions, left out in turn")

    @property
    def says(self) -> Mapping[str, str]:
        """Words for each feature, with a place for its value."""
        return {feature.name: feature.says for feature in ALL}

    def card(self) -> Mapping[str, Any]:
        """Model card of the shipped weights."""
        text = (weights_folder() / CARD).read_text(encoding="utf-8")
        return dict(json.loads(text))

    def files(self) -> Mapping[str, bytes]:
        """What `restored` needs: JSON and LightGBM's text."""
        return to_files(self.known)

    def restored(self, files: Mapping[str, bytes]) -> CurationLearner:
        """Return the learner whose `files` these are."""
        return replace(self, model=from_files(files))


def grown(examples: Examples, *, rng: np.random.Generator, stages: int = 2) -> Model:
    """Model from nothing: what the shipped weights are made by.

    Parameters
    ----------
    examples : Examples
        Of three subjects or more; of fewer, its probabilities stay as they are.
        Of good, mua and noise alone.
    rng : numpy.random.Generator
    stages : int
        1 grows one booster over the three classes, as earlier versions did.
    """
    one_stage = boosting.grow_one_stage
    seed = int(rng.integers(2**31 - 1))
    names = examples.features.names

    def grow(part: Examples) -> Model:
        given = (
            part.features.values,
            part.label,
            normalised(part.weight),
            part.features.session,
            seed,
        )
        members = boosting.grow(*given, names=names) if stages == 2 else one_stage(*given)
        return Model(names, members, Calibration("identity", len(CORE)))

    model, subjects = grow(examples), sorted(set(examples.features.subject))
    if len(subjects) < MIN_SUBJECTS:
        return replace(model, calibrated_on="nothing: fewer than three subjects")
    return recalibrated(model, examples, subjects, grow, rng)


def _neurons(
    examples: Examples,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Of decided neurons, whether a rule names them non-somatic and whether they are."""
    neuron = examples.take(examples.label != CORE.code("noise"))
    return somatic.named(neuron.features), neuron.label == NON_SOMATIC


def recalibrated(
    model: Model, examples: Examples, subjects: list[str], grow: Any, rng: np.random.Generator
) -> Model:
    """Calibrate on subjects, each by a model grown without it."""
    pooled, truth, groups, weights = left_out(examples, subjects, grow)
    calibration, _ = choose(pooled, truth, groups, rng=rng, weights=weights)
    return replace(
        model,
        calibration=calibration,
        calibrated_on=f"{len(truth)} units of {len(subjects)} subjects, each left out",
    )


def left_out(
    examples: Examples, subjects: list[str], grow: Any
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], list[str], npt.NDArray[np.float64]]:
    """Probabilities (not calibrated), truth, subject and weight of units of left-out subjects."""
    subject = np.asarray(examples.features.subject)
    parts, truth, groups, weights = [], [], [], []
    for name in subjects:
        out = examples.take(subject == name)
        model = grow(examples.take(subject != name))
        parts.append(model.pooled(columns(out.features, model.features)))
        truth.append(out.label)
        groups += [name] * len(out)
        weights.append(out.weight)
    return np.concatenate(parts), np.concatenate(truth), groups, np.concatenate(weights)


LEARNER = CurationLearner()

__all__ = ["LEARNER", "NAMES", "CurationLearner", "grown"]
