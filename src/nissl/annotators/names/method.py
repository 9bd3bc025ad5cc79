"""`names/atlas`: names of tracks by a statistical atlas and optimal transport."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.names.animals import Animals, read_animals
from nissl.annotators.names.atlas import built
from nissl.annotators.names.confidence import Answers, Namer, answers, calibrated, mapped
from nissl.annotators.names.naming import STRANGE, Naming, named
from nissl.annotators.names.points import colours_of, shape_of
from nissl.annotators.names.vocabulary import vocabulary
from nissl.annotators.tracks.positions import Positions
from nissl.errors import BadArgumentError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.tasks import Inputs, Promises, Result

Floats = npt.NDArray[np.float64]

WHOLE = Promises(chunked=False, deterministic=True, memory="measured")
CLAIMED = 0.5
"""Confidence from which a name is claimed, where nothing else is asked for."""
DEFAULTS: Mapping[str, Any] = {
    "atlas": "",
    "channels": [],
    "claimed": CLAIMED,
    "strange": STRANGE,
    "mirrored": False,
}


@dataclass(frozen=True)
class ByAtlas:
    """The method; `learned` makes a namer of some animals."""

    name: str = "names/atlas"
    version: str = "1"
    promises: Promises = WHOLE
    folds: int = 0

    def missing(self) -> Mapping[str, str]:
        """Nothing."""
        return {}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {name: version(name) for name in ("numpy", "scipy")}

    def defaults(self) -> Mapping[str, Any]:
        """File of the atlas; colour channels; confidence to claim; strangers; handedness."""
        return dict(DEFAULTS)

    def learned(
        self, animals: Animals, settings: Mapping[str, Any], rng: np.random.Generator
    ) -> Namer:
        """Make a namer of some animals."""
        del rng
        strange, mirrored = settings["strange"], settings["mirrored"]
        return partial(named, built(animals), strange=strange, mirrored=mirrored)

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Propose a name for every track that was seen.

        Raises
        ------
        BadArgumentError
            No atlas, or parameters that are none.
        """
        begun = time.perf_counter()
        settings = self.checked(parameters)
        animals = read_animals(str(parameters["atlas"]))
        tracks = inputs.labels["tracks"]
        context.progress.start("names", float(animals.n_animals + 1), "animals")
        with measure_peak() as peak:
            positions = Positions.from_labels(tracks)
            xyz, items = shape_of(positions, inputs.movie.spacing_um)
            colours = colours_of(inputs, positions, items, tuple(parameters["channels"]))
            coloured = colours is not None and animals.colours.shape[2] > 0
            rng = context.rng()
            namer = self.learned(animals, settings, rng)
            naming = namer(xyz, colours if coloured else None)
            # Animals of the atlas are of its own handedness.
            own = partial(self.learned, settings={**settings, "mirrored": False}, rng=rng)
            sure = calibrated(animals, own, coloured=coloured, rng=rng, folds=self.folds)
        context.progress.advance("names", float(animals.n_animals + 1))
        context.progress.finish("names")
        found = answers(naming)
        confidence = mapped(sure, found.confidence)
        labels = self._labels(
            tracks, items, naming, found, confidence, parameters, context, animals
        )
        log = {
            "wall_s": time.perf_counter() - begun,
            "peak_memory_bytes": peak.bytes,
            "atlas": {"animals": animals.n_animals, "names": len(naming.names)},
            "colours": coloured,
            "calibrated": sure is not None,
        }
        return Result((labels,), log=log)

    def checked(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters that a namer is made with."""
        claimed, strange = parameters["claimed"], parameters["strange"]
        for name, value in (("claimed", claimed), ("strange", strange)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
                raise BadArgumentError(
                    f"a number between 0 and 1 for {name}", repr(value), "For example 0.5."
                )
        if not isinstance(parameters["mirrored"], bool):
            raise BadArgumentError(
                "true or false for mirrored", repr(parameters["mirrored"]), "Say which."
            )
        channels = parameters["channels"]
        if not isinstance(channels, list | tuple) or not all(isinstance(k, str) for k in channels):
            raise BadArgumentError(
                "a list of streams for channels", repr(channels), "Name them, or give []."
            )
        return {"strange": float(strange), "mirrored": parameters["mirrored"]}

    def _labels(
        self,
        tracks: LabelSet,
        items: npt.NDArray[np.int64],
        naming: Naming,
        found: Answers,
        confidence: Floats,
        parameters: Mapping[str, Any],
        context: Context,
        animals: Animals,
    ) -> LabelSet:
        classes = vocabulary(naming.names)
        label, p = claims(naming, found, confidence, float(parameters["claimed"]))
        every = tracks.items
        row = np.searchsorted(every, items)
        unknown = len(classes) - 1
        all_label = np.full(every.size, unknown, np.int32)
        all_p = np.zeros((every.size, len(classes)), np.float32)
        all_p[:, unknown] = 1
        all_sure = np.full(every.size, np.nan, np.float32)
        all_label[row], all_p[row] = label, p
        all_sure[row] = np.where(label == unknown, np.nan, confidence)
        made = tracks.provenance
        return LabelSet.build(
            Kind.CLASSES,
            {
                "id": every,
                "item": every,
                "target": every,
                "label": all_label,
                "confidence": all_sure,
                "probabilities": all_p,
            },
            classes,
            Provenance(
                task="names",
                source=made.source,
                stream=made.stream,
                author=Author("model", self.name, self.version, animals.digest()),
                parameters=dict(parameters),
                seed=context.seed,
                made_from=(tracks.digest,),
                targets=(tracks.digest,),
                packages=dict(self.packages()),
            ),
        )


def claims(
    naming: Naming, found: Answers, confidence: Floats, claimed: float
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Class of each point and probabilities of all classes, "unknown" last.

    A name is claimed where it is sure enough: calibrated, or as the assignment says where
    nothing could be calibrated. Other names and "unknown" share what its confidence leaves.
    """
    unknown = len(naming.names)
    told = np.where(np.isnan(confidence), found.confidence, confidence)
    label = np.where((found.name >= 0) & (told >= claimed), found.name, unknown)
    p = np.concatenate([naming.probability, np.zeros((len(told), 1))], axis=1)
    p[:, -1] = np.maximum(1 - p.sum(axis=1), 0.0) + 1e-9
    rows = np.flatnonzero(found.name >= 0)
    p[rows, found.name[rows]] = 0
    rest = np.where(found.name >= 0, 1 - told, 1.0)
    p *= (rest / p.sum(axis=1))[:, None]
    p[rows, found.name[rows]] = told[rows]
    return label.astype(np.int32), p.astype(np.float32)


ATLAS = ByAtlas()
