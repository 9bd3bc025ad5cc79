"""Aligned latents in NWB files: the courses, the map that reads them, and axes that are shared.

The processing module "latents" holds a TimeSeries for each segment of the clock (bins, axes), a
table "map" with a row per unit (its number, mean and weights), and a table "axis_links" with the
links; how the space was made stands as JSON in the module's description of the map.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import ExportError
from nissl.io.spikes import clock_of
from nissl.labels import Kind, LabelSet
from nissl.tasks import Dossier

MODULE, MAP, LINKS = "latents", "map", "axis_links"
_AXES = "one column per axis of the common space, on a scale of 1"


def add_latents(nwbfile: Any, dossier: Dossier) -> dict[str, Any]:
    """Add latents, map and links; return what has to stand in the manifest.

    Raises
    ------
    ExportError
        Links of something else than axes, or latents that are gone.
    """
    from pynwb import TimeSeries
    from pynwb.core import DynamicTable, VectorData

    values, made = latents_of(dossier)
    clock = clock_of(dossier)
    module = nwbfile.create_processing_module(MODULE, "latents of a population, aligned by nissl")
    for k, segment in enumerate(clock.segments):
        module.add(
            TimeSeries(
                name="latents" if len(clock.segments) == 1 else f"latents_{k:04d}",
                description=_AXES,
                data=values[segment.start : segment.stop],
                unit="a.u.",
                rate=float(segment.rate_hz),
                starting_time=float(segment.t0_s),
            )
        )
    read = made["map"]
    about = {key: value for key, value in made.items() if key != "map"}
    module.add(
        DynamicTable(
            name=MAP,
            description=json.dumps(about, sort_keys=True),
            columns=[
                VectorData(name="unit", description="number of the unit", data=read["units"]),
                VectorData(name="mean", description="taken away first", data=read["mean"]),
                VectorData(
                    name="weights", description=_AXES, data=np.asarray(read["weights"], float)
                ),
            ],
        )
    )
    labels = dossier.labels
    names = ("id", "item", "a", "b", "label", "confidence")
    module.add(
        DynamicTable(
            name=LINKS,
            description="axis a of one source of latents is axis b of another, codes of the "
            "vocabulary in the provenance",
            columns=[
                VectorData(name=f"link_{n}", description=n, data=labels.column(n)) for n in names
            ],
        )
    )
    return {"latents": {"axes": int(values.shape[1])}}


def latents_of(dossier: Dossier) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
    """Latents of the dossier's source, shape (n_bins, n_axes), and what they were made from."""
    if dossier.labels.kind is not Kind.LINKS or dossier.recording is None:
        raise ExportError(
            "links of axes, and the latents that they are of",
            dossier.labels.kind.value if dossier.recording else "no latents on disk",
            "Make them: nissl align STUDY A B --by overlap --windows TRIALS",
        )
    signal = dossier.recording.signal
    made = signal.metadata.get("made_from", {})
    if "map" not in made:
        raise ExportError(
            "aligned latents with their map", f"the signal {signal.name!r}", "Export links as csv."
        )
    parts = [signal.read(s.start, s.stop) for s in signal.clock.segments]
    return np.concatenate(parts).astype(np.float32), dict(made)


def differences(dossier: Dossier, nwbfile: Any) -> list[str]:
    """What an open file says otherwise than the dossier."""
    values, made = latents_of(dossier)
    module = nwbfile.processing[MODULE]
    series = [v for n, v in sorted(module.data_interfaces.items()) if n.startswith("latents")]
    back = np.concatenate([np.asarray(each.data[:]) for each in series])
    found = []
    if not np.array_equal(back, values):
        found.append("latents: other values")
    starts = [s.t0_s for s in clock_of(dossier).segments]
    if not np.allclose([each.starting_time for each in series], starts):
        found.append("latents: other times")
    if not np.array_equal(np.stack(module[MAP]["weights"][:]), np.asarray(made["map"]["weights"])):
        found.append("map: other weights")
    return found + _links(dossier.labels, module[LINKS])


def _links(labels: LabelSet, table: Any) -> list[str]:
    return [
        f"links: other values of {name}"
        for name in ("id", "item", "a", "b", "label", "confidence")
        if not np.array_equal(
            np.asarray(table[f"link_{name}"][:], float),
            np.asarray(labels.column(name), float),
            equal_nan=True,
        )
    ]
