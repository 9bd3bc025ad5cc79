"""`sleep/nissl`: stages of sleep with calibrated probabilities, learning from answers."""

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
from nissl.annotators.sleep.context import own_numbers
from nissl.annotators.sleep.epochs import epochs_of
from nissl.annotators.sleep.fitting import OWN_SCALE, adapted, grown
from nissl.annotators.sleep.model import (
    CARD,
    Model,
    columns,
    from_files,
    shipped,
    to_files,
    weights_folder,
)
from nissl.annotators.sleep.numbers import features_of, item_table
from nissl.annotators.sleep.vocabulary import HUMAN, UNKNOWN
from nissl.annotators.sleep.words import in_words, words
from nissl.annotators.unlike import unlike
from nissl.errors import MissingInputError
from nissl.labels import Author, FeatureTable, ItemTable, Kind, LabelSet, Provenance, Vocabulary
from nissl.labels.digest import digest_files
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.tasks import Examples, Inputs, Prediction, Promises, Result
from nissl.trust.novelty import Verdict

Values = npt.NDArray[np.float64]

MIN_EXAMPLES = 10
WHOLE = Promises(chunked=False, deterministic=True, memory="measured")


@dataclass(frozen=True)
class SleepLearner:
    """Boosted trees on the numbers of an epoch and of what surrounds it.

    Parameters
    ----------
    model : Model, optional
        None stands for the shipped weights, read at first use.
    causal : bool
        Reads what an epoch follows (`nissl.annotators.sleep.causal`), not what surrounds it:
        the learner behind `nissl.live`.
    """

    model: Model | None = None
    name: str = "sleep/nissl"
    version: str = "1"
    promises: Promises = WHOLE
    causal: bool = False

    @property
    def known(self) -> Model:
        """Its model."""
        return self.model if self.model is not None else shipped(causal=self.causal)

    @property
    def weights(self) -> str:
        """Digest of what `files` holds."""
        return digest_files(self.files())

    @property
    def vocabulary(self) -> Vocabulary:
        """Stages of its model, the last of which is "unknown"."""
        return self.known.vocabulary

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""
        return trees.missing()

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {name: version(name) for name in ("lightgbm", "numpy", "scipy")}

    def defaults(self) -> Mapping[str, Any]:
        """Length of an epoch in seconds, and names of the frontal and the occipital channel."""
        return {"epoch_s": 30.0, "channels": []}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Propose a stage for every epoch of the stream."""
        begun = time.perf_counter()
        with measure_peak() as peak:
            epochs = unscored(inputs, float(parameters["epoch_s"]))
            chosen = tuple(str(name) for name in parameters["channels"])
            facts = item_table(epochs, inputs.signal, chosen=chosen, progress=context.progress)
            features = self.featurise(epochs, facts)
            labels = self.propose(epochs, features)
        made = replace(labels.provenance, seed=context.seed, parameters=dict(parameters))
        labels = replace(labels, provenance=made)
        log = {
            "wall_s": time.perf_counter() - begun,
            "peak_memory_bytes": peak.bytes,
            "derivations": facts.context["derivations"],
        }
        return Result(
            (labels,),
            items=(replace(facts, of=labels.digest),),
            log=log,
            findings=unlike(self, features),
        )

    def featurise(
        self, labels: LabelSet, items: ItemTable | None, *, subject: str = "", session: str = ""
    ) -> FeatureTable:
        """Features of every epoch of a night; see `nissl.annotators.sleep.context`."""
        return features_of(labels, items, subject=subject, session=session, causal=self.causal)

    def predict(self, features: FeatureTable) -> Prediction:
        """Say stages with calibrated probabilities; "unknown" where there is no signal."""
        model = self.known
        scores = model.scores(features)
        mute = _mute(features)
        p = model.probabilities(features, scores.mean(axis=0))
        votes = model.probabilities(features, scores)
        return Prediction(_with_unknown(p, mute), _with_unknown(votes, mute))

    def unlike(self, features: FeatureTable) -> tuple[Verdict | None, Sequence[str]]:
        """Whether a night, and each of its epochs, lies outside what the model has seen."""
        model = self.known
        nothing = [""] * len(features.items)
        if model.seen is None or not set(model.seen.frame.names) <= set(features.names):
            return None, nothing
        heard = ~_mute(features)
        values = columns(features, model.seen.frame.names)
        found = model.seen.items(values)
        names = model.seen.frame.names
        reasons = [
            in_words(why, names) if far and ok else ""
            for far, ok, why in zip(
                found.novel().tolist(), heard.tolist(), found.reasons, strict=True
            )
        ]
        verdict = model.seen.verdict(values[heard])
        return replace(verdict, reason=in_words(verdict.reason, names)), reasons

    def embedded(self, features: FeatureTable) -> Values:
        """Numbers on the night's own scale, shape (n_items, d), 0 where missing."""
        names = tuple(n for n in self.known.features if n.endswith(OWN_SCALE))
        return np.asarray(np.nan_to_num(columns(features, names)))

    def propose(self, labels: LabelSet, features: FeatureTable, *, use: int = 0) -> LabelSet:
        """Stages of the epochs of a set as a new set of the same epochs.

        Parameters
        ----------
        labels : LabelSet
            One span per epoch.
        features : FeatureTable
        use : int
            How often models have been changed in the project.
        """
        p = self.predict(features).probabilities
        code = p.argmax(axis=1).astype(np.int32)
        last = p.shape[1] - 1
        confidence = np.where(code == last, np.nan, p.max(axis=1, initial=0.0))
        row = np.argsort(labels.column("item"), kind="stable")
        made = labels.provenance
        return LabelSet.build(
            Kind.SPANS,
            {
                "id": features.items,
                "item": features.items,
                "start": labels.column("start")[row],
                "stop": labels.column("stop")[row],
                "label": code,
                "confidence": confidence,
                "probabilities": p,
            },
            self.vocabulary,
            Provenance(
                task="sleep",
                source=made.source,
                stream=made.stream,
                author=Author("model", self.name, self.version, self.weights),
                parameters={"use": use} if use else {},
                packages=dict(self.packages()),
            ),
        )

    def facts(
        self, labels: LabelSet, features: FeatureTable, items: ItemTable | None
    ) -> ItemTable | None:
        """The numbers of the same epochs, now beside another proposal."""
        del features
        return None if items is None else replace(items, of=labels.digest)

    def contributions(self, features: FeatureTable) -> Values:
        """How much each feature speaks for each stage, in raw score; exact tree SHAP values.

        Returns
        -------
        ndarray, shape (n_items, n_features, n_classes), float64
        """
        model = self.known
        values = columns(features, model.features)
        n_classes = len(model.classes)
        out = np.zeros((len(features.items), len(features.names), n_classes + 1))
        place = [features.names.index(name) for name in model.features]
        for member in model.members:
            for text in member:
                given = trees.shares(text, values)[:, :, :-1] / len(model.members)
                out[:, place, :n_classes] += np.swapaxes(given, 1, 2)
        return out

    def fit(self, examples: Examples, *, rng: np.random.Generator) -> SleepLearner:
        """Learn from scored epochs.

        Stages that the model knows correct it: a few by a personal calibration, many of
        several subjects by further trees. Other stages (a rodent's), or other numbers, are
        learnt afresh.

        Parameters
        ----------
        examples : Examples
        rng : numpy.random.Generator

        Raises
        ------
        MissingInputError
            Fewer than ten scored epochs.
        """
        if len(examples) < MIN_EXAMPLES:
            raise MissingInputError(
                f"at least {MIN_EXAMPLES} scored epochs to learn from",
                str(len(examples)),
                "Decide on a few more first: nissl review STUDY",
            )
        seed = int(rng.integers(2**31 - 1))
        given = examples.classes or self.vocabulary.names
        named = [given[code] for code in examples.label.tolist()]
        model = self.known
        found = sorted(set(named) - {UNKNOWN})
        keep = np.flatnonzero([name != UNKNOWN for name in named])
        same = set(found) <= set(model.classes) and set(model.features) <= set(
            examples.features.names
        )
        classes = model.classes if same else _ordered(found)
        label = np.asarray([classes.index(named[k]) for k in keep.tolist()], np.int64)
        part = replace(examples.take(keep), label=label, classes=())
        if same:
            return replace(self, model=adapted(model, part, seed=seed))
        return replace(self, model=grown(part, classes, seed=seed))

    @property
    def modalities(self) -> Mapping[str, tuple[str, ...]]:
        """Features that follow from others, told as one in the card."""
        derived = (n for n in self.known.features if "|" in n or "/" in n)
        return {"ratios and surroundings of these": tuple(derived)}

    @property
    def says(self) -> Mapping[str, str]:
        """Words for each feature, with a place for its value."""
        return {name: words(name) for name in self.known.features}

    def card(self) -> Mapping[str, Any]:
        """Model card of the shipped weights."""
        return dict(json.loads((weights_folder() / CARD).read_text(encoding="utf-8")))

    def files(self) -> Mapping[str, bytes]:
        """What `restored` needs: LightGBM's text and numbers."""
        return to_files(self.known)

    def restored(self, files: Mapping[str, bytes]) -> SleepLearner:
        """Return the learner whose `files` these are."""
        return replace(self, model=from_files(files))


def unscored(inputs: Inputs, epoch_s: float) -> LabelSet:
    """Epochs of a stream that claim nothing yet."""
    start, stop = epochs_of(inputs.signal.clock, epoch_s)
    n = start.size
    return LabelSet.build(
        Kind.SPANS,
        {"start": start, "stop": stop, "label": np.full(n, len(HUMAN) - 1, np.int32)},
        HUMAN,
        Provenance(
            task="sleep",
            source=inputs.recording.fingerprint,
            stream=inputs.stream,
            author=Author("model", "nissl/unlabelled", "1"),
        ),
    )


def _ordered(names: Sequence[str]) -> tuple[str, ...]:
    """Stages in the order of the usual vocabularies; others after them."""
    usual = ("W", "N1", "N2", "N3", "NREM", "R", "REM")
    rank = {name: k for k, name in enumerate(usual)}
    return tuple(sorted(names, key=lambda name: (rank.get(name, len(rank)), name)))


def _mute(features: FeatureTable) -> npt.NDArray[np.bool_]:
    """Epochs of which no number is known."""
    return np.asarray(np.isnan(features.values[:, own_numbers(features.names)]).all(axis=1))


def _with_unknown(p: Values, mute: npt.NDArray[np.bool_]) -> Values:
    out = np.concatenate([p, np.zeros((*p.shape[:-1], 1))], axis=-1)
    out[..., mute, :] = 0.0
    out[..., mute, -1] = 1.0
    return out


LEARNER = SleepLearner()
CAUSAL_LEARNER = SleepLearner(causal=True)

__all__ = ["CAUSAL_LEARNER", "LEARNER", "SleepLearner", "unscored"]
