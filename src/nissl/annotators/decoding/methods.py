"""The methods of the task "decoding": one way to run them all, one line each for what differs.

Trials whose class is known teach the decoder of the recording; all others get a class. Known
trials get one too, from decoders that have not seen their stretch of time: that measures how well
the others can be told, calibrates their probabilities, and shows known classes that are doubtful.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.decoding import eegnet, riemann
from nissl.annotators.decoding.crossval import Bounded, calibrated, left_out, stretches
from nissl.annotators.decoding.csp import CommonPatterns
from nissl.annotators.decoding.erp import XdawnDiscriminant, XdawnTangent
from nissl.annotators.decoding.estimator import Chances, Estimator, Fitted
from nissl.annotators.decoding.findings import doubts
from nissl.annotators.decoding.given import (
    NEED,
    UNKNOWN,
    Given,
    check_enough,
    frequencies,
    given_trials,
    window_stop,
)
from nissl.annotators.decoding.judging import scores
from nissl.annotators.decoding.ssvep import CanonicalCorrelation, TaskRelated
from nissl.annotators.decoding.ssvep_weights import WeightedCorrelations
from nissl.annotators.decoding.windows import Windowing, cut
from nissl.data import Signal
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import Author, Kind, LabelSet, Provenance, Vocabulary
from nissl.nets.augment import Setting, augmenter
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.tasks import Inputs, Promises, Result

WHOLE = Promises(chunked=False, deterministic=True, memory="measured")
COMMON: Mapping[str, Any] = {
    "start_s": 0.0,
    "stop_s": None,
    "average": False,
    "channels": None,
    "folds": 5,
    "unknown": [UNKNOWN, "n/a", "?", "trial"],
}


@dataclass(frozen=True)
class About:
    """What a method is built for.

    Parameters
    ----------
    rate_hz : float
    classes : tuple of str
    channels : tuple of str
    parameters : mapping
    """

    rate_hz: float
    classes: tuple[str, ...]
    channels: tuple[str, ...]
    parameters: Mapping[str, Any]

    @property
    def frequencies_hz(self) -> tuple[float, ...]:
        """Frequency of each class."""
        return frequencies(self.classes, self.parameters["frequencies_hz"])


@dataclass(frozen=True)
class Taught:
    """A decoder of one recording, ready for its other trials or for a stream.

    Parameters
    ----------
    settings : Windowing
    channels : tuple of str
    classes : tuple of str
    fitted : Fitted
    calibration : Bounded or None
        None where nothing could be left out; probabilities are then not to be trusted.
    """

    settings: Windowing
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    fitted: Fitted
    calibration: Bounded | None

    def chances(self, x: npt.NDArray[np.float64]) -> Chances:
        """Probabilities of windows, calibrated where they could be."""
        p = self.fitted.predict_proba(x)
        return p if self.calibration is None else self.calibration.apply(p)


@dataclass(frozen=True)
class Decoder:
    """A method of the task "decoding".

    Parameters
    ----------
    name : str
    build : callable
        ``(About) -> Estimator``.
    own : mapping
        Its parameters beside the common ones, with defaults; "band_hz" is among them.
    lacking : callable
        Packages that are missing, with the command that installs each.
    uses : tuple of str
        Packages that compute.
    untaught : bool
        Whether it can decide without a single known trial.
    """

    name: str
    build: Callable[[About], Estimator]
    own: Mapping[str, Any]
    lacking: Callable[[], Mapping[str, str]] = field(default=dict)
    uses: tuple[str, ...] = ()
    untaught: bool = False
    version: str = "1"
    promises: Promises = WHOLE

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""
        return self.lacking()

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {name: version(name) for name in ("numpy", "scipy", "scikit-learn", *self.uses)}

    def defaults(self) -> Mapping[str, Any]:
        """Window, band, channels, folds, names that say nothing, and the method's own."""
        return {**COMMON, **self.own}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Propose a class for every trial, each by a decoder that was not taught its class."""
        begun = time.perf_counter()
        context.progress.start("decode trials", None, "folds")
        with measure_peak() as peak:
            run = self._run(inputs, parameters, context)
        context.progress.finish("decode trials")
        log = {
            "wall_s": time.perf_counter() - begun,
            "peak_memory_bytes": peak.bytes,
            "trials": len(run.given),
            "known": int(run.given.known.sum()),
            "calibration": run.kind,
            "latency_s": run.settings.latency_s,
            "left_out": dict(run.scores),
        }
        labels = self._labels(inputs, parameters, context, run)
        return Result((labels,), log=log, findings=doubts(run.given, run.left_out, run.inside))

    def teach(
        self, inputs: Inputs, parameters: Mapping[str, Any], rng: np.random.Generator
    ) -> Taught:
        """Decoder from all known trials of a recording, as `annotate` uses it for the others.

        Parameters
        ----------
        inputs : Inputs
        parameters : mapping
            Those that differ from `defaults`.
        rng : numpy.random.Generator
        """
        complete = {**self.defaults(), **parameters}
        given, settings, x, inside = self._windows(inputs, complete)
        check_enough(given)
        return self._taught(inputs, complete, given, settings, x, inside, rng)[0]

    def _windows(
        self, inputs: Inputs, parameters: Mapping[str, Any]
    ) -> tuple[Given, Windowing, npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        given = given_trials(inputs, parameters["unknown"])
        signal = _signal(inputs, parameters)
        band = parameters["band_hz"]
        settings = Windowing(
            signal.rate_hz,
            float(parameters["start_s"]),
            window_stop(given, float(parameters["start_s"]), parameters["stop_s"]),
            None if band is None else (float(band[0]), float(band[1])),
            bool(parameters["average"]),
            int(parameters.get("every", 1)),
        )
        x, inside = cut(signal, given.onset, settings)
        return given, settings, x, inside

    def _taught(
        self,
        inputs: Inputs,
        parameters: Mapping[str, Any],
        given: Given,
        settings: Windowing,
        x: npt.NDArray[np.float64],
        inside: npt.NDArray[np.bool_],
        rng: np.random.Generator,
        told: Callable[[], None] = lambda: None,
    ) -> tuple[Taught, Chances]:
        """The decoder, and what is said of known trials by decoders that have not seen them."""
        known = given.known & inside
        y, seen = given.label[known], x[given.known[inside]]
        counts = np.bincount(y, minlength=len(given.classes))
        if counts.min() < 2:
            raise MissingInputError(
                "two trials of each class whose window lies within the recording",
                f"{counts.tolist()}",
                "Shorten the window, or label more trials.",
            )
        channels = _signal(inputs, parameters).channels.ids
        rate = settings.rate_hz / settings.every
        estimator = self.build(About(rate, given.classes, channels, parameters))
        fold = stretches(y, int(parameters["folds"]))
        calibration = None
        if np.bincount(y).min() >= 4:  # half of which teach while the others are left out
            said = left_out(estimator, seen, y, fold, rng=rng, told=told)
            said, calibration = calibrated(said, y, fold, rng=rng)
        else:
            said = np.full((len(y), len(given.classes)), np.nan)
        fitted = estimator.fit(seen, y, rng=rng)
        return Taught(settings, channels, given.classes, fitted, calibration), said

    def _run(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> _Run:
        given, settings, x, inside = self._windows(inputs, parameters)
        if self.untaught and not given.known.any():
            return self._without_examples(inputs, parameters, given, settings, x, inside)
        check_enough(given)

        def told() -> None:
            context.progress.advance("decode trials", 1.0)

        rng = context.rng()
        taught, said = self._taught(inputs, parameters, given, settings, x, inside, rng, told)
        p = np.full((len(given), len(given.classes)), np.nan)
        known = given.known & inside
        p[known] = said
        others = inside & ~given.known
        if others.any():
            p[others] = taught.chances(x[~given.known[inside]])
        judged = np.isfinite(said).all() and len(said) > 0
        return _Run(
            given,
            settings,
            p,
            np.where(known[:, None], p, np.nan),
            inside,
            taught.calibration is not None,
            scores(said, given.label[known]) if judged else {},
            "none" if taught.calibration is None else taught.calibration.kind,
        )

    def _without_examples(
        self,
        inputs: Inputs,
        parameters: Mapping[str, Any],
        given: Given,
        settings: Windowing,
        x: npt.NDArray[np.float64],
        inside: npt.NDArray[np.bool_],
    ) -> _Run:
        """Classes are then the names in `frequencies_hz`; probabilities are not calibrated."""
        classes = tuple(parameters["frequencies_hz"])
        if len(classes) < 2:
            raise MissingInputError(
                "trials of known classes, or the frequency of each class",
                f"{list(classes)}",
                """State them: --set frequencies_hz='{"left": 13, "right": 17}'""",
            )
        channels = _signal(inputs, parameters).channels.ids
        built = self.build(About(settings.rate_hz, classes, channels, parameters))
        if not isinstance(built, CanonicalCorrelation):
            raise BadArgumentError("a method that needs no examples", self.name, "Use fbcca.")
        p = np.full((len(given), len(classes)), np.nan)
        if len(x):
            p[inside] = built.untrained().predict_proba(x)
        named = Given(given.item, given.onset, given.length_s, given.label, classes)
        return _Run(named, settings, p, np.full_like(p, np.nan), inside, False, {}, "none")

    def _labels(
        self,
        inputs: Inputs,
        parameters: Mapping[str, Any],
        context: Context,
        run: _Run,
    ) -> LabelSet:
        given, n = run.given, len(run.given.classes)
        decided = np.isfinite(run.p).all(axis=1)
        label = np.where(decided, np.nan_to_num(run.p).argmax(axis=1), n)
        full = np.column_stack([np.nan_to_num(run.p), np.where(decided, 0.0, 1.0)])
        trusted = decided & run.trusted  # what has no window claims nothing
        confidence = np.where(trusted, np.nan_to_num(run.p).max(axis=1), np.nan)
        columns: dict[str, Any] = {
            "id": given.item,
            "item": given.item,
            "target": given.item,
            "label": label.astype(np.int32),
            "confidence": confidence,
        }
        if run.trusted:
            columns["probabilities"] = full
        digest = inputs.labels[NEED].digest
        return LabelSet.build(
            Kind.CLASSES,
            columns,
            Vocabulary((*given.classes, UNKNOWN)),
            Provenance(
                task="decoding",
                source=inputs.recording.fingerprint,
                stream=inputs.stream,
                author=Author("model", self.name, self.version),
                parameters=dict(parameters),
                seed=context.seed,
                made_from=(digest,),
                targets=(digest,),
                packages=dict(self.packages()),
            ),
        )


@dataclass(frozen=True)
class _Run:
    """What a run found; arrays over trials."""

    given: Given
    settings: Windowing
    p: Chances
    left_out: Chances
    inside: npt.NDArray[np.bool_]
    trusted: bool
    scores: Mapping[str, float]
    kind: str


def _signal(inputs: Inputs, parameters: Mapping[str, Any]) -> Signal:
    chosen = parameters["channels"]
    return inputs.signal if chosen is None else inputs.signal.take(chosen)


def _pairs(bands: Any) -> tuple[tuple[float, float], ...]:
    return tuple((float(low), float(high)) for low, high in bands)


def _riemann(about: About) -> Estimator:
    p = about.parameters
    return riemann.TangentSpace(about.rate_hz, _pairs(p["bands_hz"]), float(p["strength"]))


def _xdawn(about: About) -> Estimator:
    kinds: dict[str, Callable[[int], Estimator]] = {
        "riemann": XdawnTangent,
        "lda": XdawnDiscriminant,
    }
    chosen = about.parameters["classifier"]
    if chosen not in kinds:
        raise BadArgumentError(f"a classifier among {sorted(kinds)}", repr(chosen), "Choose one.")
    return kinds[chosen](int(about.parameters["n_filters"]))


def _eegnet(about: About) -> Estimator:
    p = about.parameters
    stated = p["frequencies_hz"]
    setting = Setting(
        about.rate_hz,
        p["paradigm"],
        about.channels,
        about.classes,
        frequencies(about.classes, stated) if p["paradigm"] == "ssvep" else (),
    )
    change = augmenter(p["augment"], setting) if p["augment"] else None
    return eegnet.EegNet(about.rate_hz, epochs=int(p["epochs"]), augment=change)


def _correlations(kind: Callable[..., Any]) -> Callable[[About], Estimator]:
    def build(about: About) -> Estimator:
        p = about.parameters
        made: Estimator = kind(
            about.frequencies_hz,
            about.rate_hz,
            n_bands=int(p["n_bands"]),
            first_hz=float(p["first_hz"]),
        )
        return made

    return build


def _trca(about: About) -> Estimator:
    p = about.parameters
    return TaskRelated(about.rate_hz, n_bands=int(p["n_bands"]), first_hz=float(p["first_hz"]))


_BANK: Mapping[str, Any] = {"band_hz": [6.0, 45.0], "n_bands": 3, "first_hz": 6.0}
_STEADY: Mapping[str, Any] = {**_BANK, "frequencies_hz": {}}

RIEMANN = Decoder(
    "decoding/riemann",
    _riemann,
    {"band_hz": [4.0, 40.0], "bands_hz": [], "strength": 1.0},
    riemann.missing,
    ("pyriemann",),
)
CSP = Decoder(
    "decoding/csp",
    lambda about: CommonPatterns(int(about.parameters["pairs"])),
    {"band_hz": [8.0, 30.0], "pairs": 3},
)
XDAWN = Decoder(
    "decoding/xdawn",
    _xdawn,
    {"band_hz": [0.5, 20.0], "n_filters": 4, "classifier": "riemann", "every": 1},
    riemann.missing,
    ("pyriemann",),
)
SSVEP = Decoder("decoding/ssvep", _correlations(WeightedCorrelations), {**_STEADY, "n_bands": 4})
FBCCA = Decoder("decoding/fbcca", _correlations(CanonicalCorrelation), _STEADY, untaught=True)
TRCA = Decoder("decoding/trca", _trca, _BANK)
EEGNET = Decoder(
    "decoding/eegnet",
    _eegnet,
    {
        "band_hz": [4.0, 40.0],
        "epochs": 150,
        "augment": [],
        "paradigm": "other",
        "frequencies_hz": {},
    },
    eegnet.missing,
    ("torch",),
)
