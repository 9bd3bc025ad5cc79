"""`events/nissl`: a detector that learns a kind of event from some twenty marked examples.

Candidates are stretches that stand out in a band. Untaught, it proposes those of all bands as
"nothing", to be relabelled; taught, it looks where the examples were (their frequencies and
lengths) and says of every candidate how likely it is each class. It works on the features that
stand in the item table (`nissl.annotators.events.describe`), so it can be taught when the
recording is gone; with the recording, `nissl.annotators.events.marking` also takes marks that are
no candidates.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.events.candidates import EVERYTHING, Search
from nissl.annotators.events.features import NAMES, SAYS, UNITS
from nissl.annotators.events.method import (
    BRAIN,
    WHOLE,
    Found,
    SpanMethod,
    chosen,
    label_set,
    preprocessing,
    searched,
)
from nissl.annotators.events.model import SpanModel, fitted
from nissl.annotators.events.spindles import by_model, probability
from nissl.annotators.events.vocabulary import NAMES as USUAL
from nissl.annotators.events.vocabulary import NOTHING, classes
from nissl.annotators.events.waves import spread
from nissl.data import Signal
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import Author, FeatureTable, ItemTable, Kind, LabelSet, Provenance, Vocabulary
from nissl.labels.digest import digest_files
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.tasks import Examples, Finding, Inputs, Prediction, Promises, Result
from nissl.trust.calibration import Calibration
from nissl.trust.novelty import Verdict

LEAST = 5
"""Examples of a class, and of "nothing", below which nothing is learnt."""
MODEL = "model.json"


def untaught() -> SpanModel:
    """A model that calls every candidate nothing."""
    d = len(NAMES)
    weights = np.zeros((1, 1, d + 1))
    return SpanModel(
        (NOTHING,), NAMES, np.zeros(d), np.ones(d), weights, EVERYTHING,
        Calibration("identity", 2), trained_on="nothing",
    )  # fmt: skip


@dataclass(frozen=True)
class EventLearner:
    """Candidates of a band and a regression on their features.

    Parameters
    ----------
    model : SpanModel, optional
        None is untaught.
    """

    model: SpanModel | None = None
    name: str = "events/nissl"
    version: str = "1"
    promises: Promises = WHOLE

    @property
    def known(self) -> SpanModel:
        """Its model."""
        return untaught() if self.model is None else self.model

    @property
    def weights(self) -> str:
        """Digest of what `files` holds."""
        return digest_files(self.files())

    @property
    def vocabulary(self) -> Vocabulary:
        """Classes that it was taught (untaught: the usual ones), then "nothing"."""
        return classes(*(USUAL if self.model is None else self.known.classes[:-1]))

    def missing(self) -> Mapping[str, str]:
        """Nothing."""
        return {}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return self.detector(0.5).packages()

    def defaults(self) -> Mapping[str, Any]:
        """Probability from which a candidate is claimed, channels, and classes of your own.

        A threshold of 0 keeps all candidates, as "nothing" where that is likeliest, for review.
        `channels` null are all of the brain. `classes` are further names that a person can
        relabel candidates to; null for none.
        """
        return {"threshold": 0.5, "channels": None, "classes": None}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Propose events; untaught, candidates of all bands as "nothing", without confidence."""
        began = time.perf_counter()
        signal = inputs.signal
        channels = chosen(signal, parameters["channels"], BRAIN)
        threshold = probability(parameters["threshold"], "threshold")
        method = self.detector(0.0 if self.model is None else threshold)
        with measure_peak() as peak:
            found = searched(method, signal, channels, parameters, context)
        names = with_own(self.vocabulary, parameters["classes"])
        labels = label_set(
            self, self._under(names, found), inputs, parameters, context, self.weights, names
        )
        log = {
            "wall_s": time.perf_counter() - began,
            "peak_memory_bytes": peak.bytes,
            "channels": [signal.channels.ids[k] for k in channels],
            "preprocessing": preprocessing(signal),
        }
        return Result((labels,), log=log, findings=self._said())

    def _under(self, names: Vocabulary, found: Found) -> Found:
        """Codes and probabilities of the model's classes under a larger vocabulary."""
        codes = np.array([names.code(n) for n in self.known.classes], np.int64)
        p = None
        if self.model is not None and found.probabilities is not None:
            p = np.zeros((found.label.size, len(names)))
            p[:, codes] = found.probabilities
        return replace(found, label=codes[found.label], probabilities=p)

    def detector(self, threshold: float) -> SpanMethod:
        """Its detector of spans, which claims from a probability on."""

        def detect(
            signal: Signal, start: int, stop: int, channels: Sequence[int], _: Mapping[str, Any]
        ) -> Found:
            (channel,) = channels
            return by_model(signal, start, stop, channel, self.known, threshold)

        return SpanMethod(self.name, detect, self.vocabulary)

    def _said(self) -> tuple[Finding, ...]:
        if self.model is not None:
            return ()
        return (
            Finding(
                "untaught",
                "note",
                "The detector knows no event yet: relabel about twenty candidates of the kind you "
                "look for, accept some that are nothing, and let it learn.",
            ),
        )

    def featurise(
        self, labels: LabelSet, items: ItemTable | None, *, subject: str = "", session: str = ""
    ) -> FeatureTable:
        """Features of the spans of `labels` as they stand in their item table; NaN without one."""
        ids = labels.items
        values = np.full((ids.size, len(NAMES)), np.nan)
        if items is not None and set(NAMES) <= set(items.table.column_names):
            rows = np.searchsorted(items.items, ids)
            there = rows < items.items.size
            there[there] = items.items[rows[there]] == ids[there]
            for k, name in enumerate(NAMES):
                column = items.table.column(name).to_numpy().astype(np.float64)
                values[there, k] = column[rows[there]]
        return FeatureTable(ids, NAMES, values, UNITS, (subject,) * ids.size, (session,) * ids.size)

    def fit(self, examples: Examples, *, rng: np.random.Generator) -> EventLearner:
        """Learn classes from examples, those of "nothing" among them, afresh each time.

        Parameters
        ----------
        examples : Examples
        rng : numpy.random.Generator

        Raises
        ------
        MissingInputError
            Fewer than five examples of a class, or of nothing.
        """
        given = examples.classes or self.vocabulary.names
        names = (*(n for n in given if n != NOTHING), NOTHING)
        code = np.array([names.index(given[k]) for k in examples.label.tolist()], np.int64)
        counts = np.bincount(code, minlength=len(names))
        wanted = [n for n, c in zip(names[:-1], counts[:-1], strict=True) if c >= LEAST]
        if not wanted or counts[-1] < LEAST:
            raise MissingInputError(
                f"at least {LEAST} examples of a class and {LEAST} of {NOTHING!r}",
                str({n: int(c) for n, c in zip(names, counts, strict=True)}),
                "Relabel or accept a few more: nissl review STUDY",
            )
        kept = (*wanted, NOTHING)
        rows = np.flatnonzero(np.isin(code, [names.index(n) for n in kept]))
        label = np.array([kept.index(names[k]) for k in code[rows].tolist()], np.int64)
        values = _ordered(examples.features)[rows]
        searches = tuple(search_of(values[label == k]) for k in range(len(wanted)))
        model = fitted(
            values,
            label,
            examples.weight[rows],
            classes=kept,
            features=NAMES,
            searches=searches,
            rng=rng,
            trained_on=f"{len(label)} decided items",
        )
        return replace(self, model=model)

    def predict(self, features: FeatureTable) -> Prediction:
        """Say classes with probabilities, over `vocabulary`; untaught, all as likely."""
        values, model, k = _ordered(features), self.known, len(self.vocabulary)
        if self.model is None:
            return Prediction(np.full((len(values), k), 1 / k), np.full((1, len(values), k), 1 / k))
        return Prediction(model.probabilities(values), model.votes(values))

    def unlike(self, features: FeatureTable) -> tuple[Verdict | None, Sequence[str]]:
        """Items without features are told; what else is strange the task's checks say."""
        known = np.isfinite(features.values).sum(axis=1)
        return None, ["" if n else "no features are known of it" for n in known.tolist()]

    def embedded(self, features: FeatureTable) -> npt.NDArray[np.float64]:
        """Features on one scale without NaN, for policies that compare items."""
        values = _ordered(features)
        if self.model is not None:
            return self.model.standardised(values)
        middle = np.nan_to_num(np.nanmedian(values, axis=0)) if len(values) else 0.0
        scale = np.nan_to_num(np.nanstd(values, axis=0), nan=1.0) if len(values) else 1.0
        return np.nan_to_num((values - middle) / np.where(scale > 1e-9, scale, 1.0))

    def propose(self, labels: LabelSet, features: FeatureTable, *, use: int = 0) -> LabelSet:
        """The same spans under this model's classes."""
        p = self.predict(features).probabilities
        rows = np.searchsorted(features.items, labels.column("item"))
        p = (
            p[rows]
            if self.model is not None
            else np.eye(len(self.vocabulary))[-1:].repeat(rows.size, axis=0)
        )
        made = labels.provenance
        columns: dict[str, Any] = {n: labels.column(n) for n in ("id", "item", "start", "stop")}
        columns["channel"] = [None if c < 0 else c for c in labels.column("channel").tolist()]
        columns["label"] = p.argmax(axis=1).astype(np.int32)
        if self.model is not None:
            columns |= {"probabilities": p, "confidence": p.max(axis=1, initial=0.0)}
        stated = {k: v for k, v in made.parameters.items() if k == "preprocessing"}
        return LabelSet.build(
            Kind.SPANS,
            columns,
            self.vocabulary,
            Provenance(
                task="events",
                source=made.source,
                stream=made.stream,
                author=Author("model", self.name, self.version, self.weights),
                parameters=stated | ({"use": use} if use else {}),
                made_from=(labels.digest,),
                packages=dict(self.packages()),
            ),
        )

    def facts(
        self, labels: LabelSet, features: FeatureTable, items: ItemTable | None
    ) -> ItemTable | None:
        """The facts of the same spans, now of the proposal `labels`."""
        del features
        return None if items is None else replace(items, of=labels.digest)

    def contributions(self, features: FeatureTable) -> npt.NDArray[np.float64]:
        """How much each feature speaks for each class, in log odds; exact for the mean member."""
        model = self.known
        z = model.standardised(_ordered(features))
        weights = model.weights[:, :, :-1].mean(axis=0)
        out = z[:, :, None] * weights.T[None]
        order = [model.features.index(name) for name in features.names]
        return np.asarray(out[:, order])

    @property
    def says(self) -> Mapping[str, str]:
        """Words for each feature, with a place for its value."""
        return SAYS

    def card(self) -> Mapping[str, Any]:
        """No weights are shipped: it knows what it is taught."""
        return {"name": self.name, "version": self.version, "trained_on": self.known.trained_on}

    def files(self) -> Mapping[str, bytes]:
        """What `restored` needs: JSON."""
        return {MODEL: self.known.to_bytes()}

    def restored(self, files: Mapping[str, bytes]) -> EventLearner:
        """Return the learner whose `files` these are."""
        model = SpanModel.from_bytes(files[MODEL])
        return replace(self, model=None if len(model.classes) == 1 else model)


def with_own(names: Vocabulary, further: Any) -> Vocabulary:
    """A vocabulary with further classes before its last; `BadArgumentError` for no names."""
    if further is None:
        return names
    if not isinstance(further, (list, tuple)) or not all(isinstance(n, str) for n in further):
        raise BadArgumentError(
            "a list of class names, or null", repr(further), "--set classes='[\"ripple\"]'"
        )
    return classes(*dict.fromkeys((*names.names[:-1], *(n for n in further if n != NOTHING))))


def search_of(values: npt.NDArray[np.float64]) -> Search:
    """Where to look for events like these: their frequencies and lengths, with a margin.

    Parameters
    ----------
    values : ndarray, shape (n_examples, len(NAMES)), float64
    """
    peak = values[:, NAMES.index("peak_frequency")]
    length = values[:, NAMES.index("log_duration")]
    peak = peak[np.isfinite(peak)]
    middle = float(np.median(peak)) if peak.size else 3.0
    margin = max(0.3, 1.5 * float(spread(peak))) if peak.size else 2.0
    low_hz, high_hz = 2 ** (middle - margin), 2 ** (middle + margin)
    shortest, longest = np.nanquantile(length, (0.05, 0.95))
    return Search(
        low_hz=float(np.clip(low_hz, 0.3, 30.0)),
        high_hz=float(np.clip(high_hz, min(low_hz, 30.0) + 1.0, 44.0)),
        shortest_s=float(max(0.4 * 10**shortest, 0.03)),
        longest_s=float(2.5 * 10**longest),
    )


def _ordered(features: FeatureTable) -> npt.NDArray[np.float64]:
    """Values in the order of `NAMES`; NaN for features that the table lacks."""
    out = np.full((len(features.items), len(NAMES)), np.nan)
    for k, name in enumerate(NAMES):
        if name in features.names:
            out[:, k] = features.values[:, features.names.index(name)]
    return out


LEARNER = EventLearner()
