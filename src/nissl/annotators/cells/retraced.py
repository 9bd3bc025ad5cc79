"""Traces of regions as people left them: the movie is read again as the method read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.method import (
    NEEDED,
    NISSL,
    at_rest,
    doubts_of,
    require_sound,
    sources,
    told_diameter,
    trace_settings,
)
from nissl.annotators.cells.traces import extract
from nissl.data import Signal
from nissl.errors import MissingInputError
from nissl.labels import LabelSet
from nissl.run.context import Context
from nissl.run.installed import installed
from nissl.tasks import Finding, Inputs

KEPT = ("modality", "motion", "bidirectional", "baseline_s", "coefficient", "dark", "diameter_px")


@dataclass(frozen=True)
class CellLight:
    """Fluorescence of regions, free of neuropil, as `cells/nissl` extracts it."""

    name: str = "cells/light"
    version: str = "1"

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return NISSL.packages()

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""
        return {n: "pip install 'nissl[imaging]'" for n in NEEDED if not installed(n)}

    def defaults(self, earlier: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Any:
        """Parameters with their default values; see `CellsMethod.defaults`.

        They are those that the regions were found with. Regions from elsewhere lie on the movie
        as it is, so `motion` is then off.
        """
        found = next(((p, log) for p, log in earlier if set(KEPT) <= set(p)), None)
        if found is None:
            return {name: NISSL.defaults()[name] for name in KEPT} | {"motion": False}
        parameters, log = found
        diameter = parameters["diameter_px"] or log.get("diameter_px")
        return {name: parameters[name] for name in KEPT} | {"diameter_px": diameter}

    def signals(
        self, labels: LabelSet, inputs: Inputs, parameters: Mapping[str, Any], context: Context
    ) -> tuple[tuple[Signal, ...], tuple[Finding, ...]]:
        """Signals "fluorescence", "raw" and "neuropil", and what is doubtful of them.

        Raises
        ------
        BadArgumentError
            An option outside its values.
        MissingInputError
            No region.
        """
        require_sound({**parameters, "shape": True, "activity": True})
        if not labels.n_rows:
            raise MissingInputError(
                "a region at least", "none", "Find cells first: nissl annotate --task cells"
            )
        cells = Footprints.from_labels(labels, inputs.movie.shape)
        still, _ = at_rest(inputs.movie, parameters, context)
        diameter = told_diameter(still, parameters) or _usual(cells)
        traces = extract(still, cells, context, trace_settings(parameters, diameter))
        made = sources(traces, labels, inputs.movie.clock)
        return made, tuple(doubts_of(traces, labels))


def _usual(cells: Footprints) -> float:
    """Diameter of a disc as large as the median region, pixels."""
    area = float(np.median([pixels.size for pixels in cells.pixels]))
    return float(np.clip(2 * np.sqrt(area / np.pi), 3.0, 200.0))


FLUORESCENCE = CellLight()

__all__ = ["FLUORESCENCE", "CellLight"]
