"""Light of tracked neurons as derived signals, one channel per neuron, ready for `rates`.

"fluorescence" is dF/F as a fraction, and its F is the light at rest, as that of cells is. It is
given where a neuron was seen; what a model says between is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.annotated import channels_of, require_inside, spacing_of
from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.slow import relative
from nissl.annotators.tracks.traces import (
    LEAST,
    RADIUS_UM,
    Light,
    gathered,
    measure,
    ratio,
    separated,
)
from nissl.annotators.tracks.volumes import Volumes
from nissl.clock import Clock
from nissl.data import ChannelTable, Signal
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import LabelSet
from nissl.run.context import Context
from nissl.run.installed import installed
from nissl.tasks import Finding, Inputs

Floats = npt.NDArray[np.float64]

MODELS = ("two-channel", "ratio", "first")
REST = 0.2
"""Quantile of a trace that is taken for rest, as of cells."""
NO_MARKER = "Traces of one channel alone hold what motion does to light, as if it were activity."
SELDOM = 0.5
"""Share of volumes in which a neuron was seen, below which its trace is in doubt."""


@dataclass(frozen=True)
class TrackLight:
    """Light of neurons at their places, freed of motion where there is a marker."""

    name: str = "tracks/light"
    version: str = "1"
    needs: tuple[str, ...] = ("numba",)

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {name: installed(name) for name in ("numpy", "scipy", *self.needs)}

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""
        return {n: "pip install 'nissl[imaging]'" for n in self.needs if not installed(n)}

    def defaults(self, earlier: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Any:
        """Parameters with their default values.

        `model`: "two-channel" (activity apart from motion, by a model of marker and indicator),
        "ratio" (of the two), "first" (the first channel alone); null takes the model of two
        channels where there are two. `channels`: streams, the marker before the indicator.
        `radius_um`: of a neuron. `spacing_um`: size of a voxel along z, y, x where the movie does
        not say it. `channels` and `spacing_um` are those that the tracks were made with, where
        they were told.
        """
        told = earlier[0][0] if earlier else {}
        return {
            "model": None,
            "channels": told.get("channels"),
            "radius_um": RADIUS_UM,
            "spacing_um": told.get("spacing_um"),
        }

    def signals(
        self, labels: LabelSet, inputs: Inputs, parameters: Mapping[str, Any], context: Context
    ) -> tuple[tuple[Signal, ...], tuple[Finding, ...]]:
        """Signals "fluorescence" and what it was made from, and what is doubtful of them.

        Raises
        ------
        BadArgumentError
            An option outside its values, a channel that is not there, one where two are needed.
        BadLabelsError
            Places outside the volumes.
        BadMetadataError
            The size of a voxel is not known.
        MissingInputError
            No neuron.
        """
        radius = parameters["radius_um"]
        if not isinstance(radius, (int, float)) or not 0.1 <= radius <= 100:
            raise BadArgumentError(
                "radius_um from 0.1 to 100", repr(radius), "Give the radius of a nucleus."
            )
        volumes = channels_of(inputs.recording, inputs.stream, parameters["channels"])
        model = _model(parameters["model"], volumes)
        spacing = spacing_of(volumes, parameters["spacing_um"])
        volumes = Volumes(tuple(replace(m, spacing_um=spacing) for m in volumes.channels))
        positions = Positions.from_labels(labels)
        if not positions.seen.any():
            raise MissingInputError(
                "tracks with a neuron at least", "none", "Track first: nissl annotate --task tracks"
            )
        require_inside(positions, volumes)
        values = _values(model, volumes, positions, context, float(radius))
        clock = volumes.channels[0].clock
        used = volumes.channels[: 1 if model == "first" else 2]
        about = {"model": model, "channels": [each.name for each in used]}
        made = tuple(_signal(name, each, positions, clock, about) for name, each in values.items())
        doubts = _doubts(values["fluorescence"], positions)
        if model == "first":
            doubts.insert(0, Finding("no_marker", "warning", NO_MARKER))
        return made, tuple(doubts)


def _model(name: Any, volumes: Volumes) -> str:
    if name is None:
        return MODELS[0] if len(volumes.channels) > 1 else "first"
    if name not in MODELS:
        raise BadArgumentError(f"a model among {MODELS}", repr(name), "Choose one of them.")
    return str(name)


def _values(
    model: str, volumes: Volumes, positions: Positions, context: Context, radius_um: float
) -> dict[str, Floats]:
    """Traces by name, each (n_frames, n_neurons)."""
    if model == "first":
        alone = Volumes(volumes.channels[:1])
        (raw,) = gathered(alone, positions, context, radius_um=radius_um)
        return {"fluorescence": _from_rest(relative(raw, alone.channels[0].rate_hz) - 1)[0],
                "light": raw}  # fmt: skip
    light = measure(volumes, positions, context, radius_um=radius_um)
    both = {"marker": light.red, "indicator": light.green}
    if model == "ratio":
        return {"fluorescence": _from_rest(ratio(light))[0], **both}
    found = separated(light, context)
    seen = np.isfinite(light.red) & np.isfinite(light.green)
    activity, scale = _from_rest(np.where(seen, found.activity, np.nan))
    sd = np.where(seen, found.sd, np.nan) * scale
    return {"fluorescence": activity, "sd": sd, "motion": found.motion, **both}


def _from_rest(change: Floats) -> tuple[Floats, Floats]:
    """Change from the light at rest instead of from the usual light; and the factor of scale."""
    known = np.isfinite(change).any(axis=0)
    rest = np.zeros(change.shape[1])
    rest[known] = np.nanquantile(change[:, known], REST, axis=0)
    scale = 1 / np.maximum(1 + rest, 0.2)
    return (change - rest) * scale, scale


def _signal(
    name: str, values: Floats, positions: Positions, clock: Clock, about: Mapping[str, Any]
) -> Signal:
    ids = [str(item) for item in positions.items.tolist()]
    table = ChannelTable.plain(ids, kind=name)  # rates are inferred from "fluorescence" alone
    samples = np.ascontiguousarray(values, np.float32)
    made = Signal.from_array(samples, clock.rate_hz, name=name, channels=table, clock=clock)
    as_movie = name in ("marker", "indicator", "light")
    unit = "as the movie" if as_movie else "dF/F, a fraction"
    return replace(made, metadata={**about, "unit": unit})


def _doubts(change: Floats, positions: Positions) -> list[Finding]:
    """Neurons that were seldom seen, and those of which no trace can be told."""
    doubts = []
    share = np.isfinite(change).mean(axis=0)
    places = positions.seen.sum(axis=0)
    for k, item in enumerate(positions.items.tolist()):
        if share[k] == 0:
            why = (
                f"seen in {places[k]} volumes only"
                if places[k] < LEAST
                else "no brighter than the ground around it"
            )
            sentence = f"Neuron {item} was {why}: it has no trace."
            doubts.append(Finding("no_trace", "warning", sentence, item=item, value=0.0, limit=0.0))
        elif share[k] < SELDOM:
            sentence = f"Neuron {item} was seen in {share[k]:.0%} of the volumes only."
            value = float(share[k])
            doubts.append(
                Finding("seldom_seen", "warning", sentence, item=item, value=value, limit=SELDOM)
            )
    return doubts


LIGHT = TrackLight()

__all__ = ["LIGHT", "MODELS", "Light", "TrackLight"]
