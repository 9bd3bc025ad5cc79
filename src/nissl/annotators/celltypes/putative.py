"""`celltypes/putative`: three broad kinds by two thresholds, as CellExplorer draws them.

Petersen et al. 2021, Neuron 109:3594-3608, putative cell types: narrow interneurons have a
trough-to-peak latency of at most 0.425 ms; of the others, wide interneurons have an
autocorrelogram that rises with a time constant above 6 ms, and the rest are pyramidal. A rule
has no confidence; what it cannot decide is "unknown".
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.inputs import numbers
from nissl.annotators.celltypes.vocabulary import vocabulary
from nissl.errors import BadArgumentError
from nissl.labels import Author, FeatureTable, Kind, LabelSet, Provenance
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.tasks import Inputs, Promises, Result

NARROW_MS, RISE_MS = 0.425, 6.0
WHOLE = Promises(chunked=False, deterministic=True, memory="measured")
VOCABULARY = vocabulary(("narrow interneuron", "wide interneuron", "putative pyramidal"))


@dataclass(frozen=True)
class Putative:
    """The rule as a method."""

    name: str = "celltypes/putative"
    version: str = "1"
    promises: Promises = WHOLE

    def missing(self) -> Mapping[str, str]:
        """Nothing."""
        return {}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {name: version(name) for name in ("numpy", "scipy")}

    def defaults(self) -> Mapping[str, Any]:
        """Both thresholds, milliseconds."""
        return {"narrow_ms": NARROW_MS, "rise_ms": RISE_MS}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Propose a kind for every unit of the current sorting."""
        from nissl.annotators.celltypes.features import featurise

        begun = time.perf_counter()
        limits = tuple(_positive(name, parameters[name]) for name in ("narrow_ms", "rise_ms"))
        units = inputs.labels["spikes"]
        context.progress.start("classify units", float(units.items.size), "units")
        with measure_peak() as peak:
            features = featurise(units, inputs.items.get("spikes"))
            label = putative(features, *limits)
        context.progress.advance("classify units", float(units.items.size))
        context.progress.finish("classify units")
        made = units.provenance
        labels = LabelSet.build(
            Kind.CLASSES,
            {"id": units.items, "item": units.items, "target": units.items, "label": label},
            VOCABULARY,
            Provenance(
                task="celltypes",
                source=made.source,
                stream=made.stream,
                author=Author("model", self.name, self.version),
                parameters=dict(parameters),
                seed=context.seed,
                made_from=(units.digest,),
                targets=(units.digest,),
                packages=dict(self.packages()),
            ),
        )
        log = {"wall_s": time.perf_counter() - begun, "peak_memory_bytes": peak.bytes}
        return Result((labels,), log=log)


def putative(
    features: FeatureTable, narrow_ms: float = NARROW_MS, rise_ms: float = RISE_MS
) -> npt.NDArray[np.int32]:
    """Code of `VOCABULARY` of each unit.

    Parameters
    ----------
    features : FeatureTable
        With "trough_to_peak_ms" and "acg_tau_rise_ms".
    narrow_ms, rise_ms : float
    """
    values = numbers(features, ("trough_to_peak_ms", "acg_tau_rise_ms"))
    width, rise = values[:, 0], values[:, 1]
    unknown = len(VOCABULARY) - 1
    wide = np.where(np.isnan(rise), unknown, np.where(rise > rise_ms, 1, 2))
    found = np.where(np.isnan(width), unknown, np.where(width <= narrow_ms, 0, wide))
    return np.asarray(found, np.int32)


def _positive(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise BadArgumentError(f"milliseconds above 0 for {name}", repr(value), "For example 0.4.")
    return float(value)


PUTATIVE = Putative()
