"""What tells a cell from what is none: facts of a region, whoever outlined it.

Item tables call the same fact by different names (ours, Suite2p's, CaImAn's); any may be missing.
Facts whose scale hangs on the microscope or the magnification stand also as a multiple of their
median over the set, so that decisions on one recording say something of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.labels import FeatureTable, ItemTable, LabelSet

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fact:
    """A number that an item table may hold of a region.

    Parameters
    ----------
    name : str
    says : str
        Words, with a place for its value.
    unit : str
    also : tuple of str
        What others call it.
    scaled : bool
        Whether its multiple of the set's median is a feature too.
    upside_down : tuple of str
        What others call its reciprocal.
    """

    name: str
    says: str
    unit: str = ""
    also: tuple[str, ...] = ()
    scaled: bool = False
    upside_down: tuple[str, ...] = ()


FACTS = (
    Fact("n_pixels", "{:.0f} pixels", "px", ("npix", "size_px", "area_px"), scaled=True),
    Fact("radius", "radius {:.1f} pixels", "px", ("radius_px",), scaled=True),
    Fact("compactness", "compactness {:.2f}", upside_down=("compact",)),
    Fact("aspect_ratio", "{:.1f} times as long as wide", also=("elongation",)),
    Fact("solidity", "fills {:.0%} of its hull"),
    Fact("footprint", "footprint {:.2f}"),
    Fact("overlap", "{:.0%} of it shared with others", also=("overlap_fraction",)),
    Fact("skewness", "skewness {:.1f} of its trace", also=("skew",)),
    Fact("snr", "signal-to-noise ratio {:.1f}", also=("SNR_comp", "peak_snr")),
    Fact("std", "standard deviation {:.3g} of its trace", scaled=True),
    Fact("noise", "noise {:.3g}", "%/sqrt(Hz)", ("noise_level", "noise_percent"), scaled=True),
    Fact("shape_score", "shape looks like a cell's: {:.2f}", also=("network_score", "cnn_preds")),
    Fact("activity_score", "activity like a cell's: {:.2f}", also=("r_values",)),
    Fact("window_score", "looks like a cell where it fires: {:.2f}"),
    Fact("contrast", "{:.2f} brighter than its surroundings"),
    Fact("correlation", "its pixels correlate at {:.2f}", also=("pixel_correlation",)),
    Fact("peak_to_noise", "peaks {:.1f} over the noise of its pixels"),
    Fact("neighbour_correlation", "correlates with a neighbour at {:.2f}"),
    Fact("neuropil_correlation", "correlates with its neuropil at {:.2f}"),
)
SCALED = "|field"
NAMES = tuple(
    name
    for fact in FACTS
    for name in ((fact.name, fact.name + SCALED) if fact.scaled else (fact.name,))
)
UNITS = tuple(unit for fact in FACTS for unit in ((fact.unit, "") if fact.scaled else (fact.unit,)))
SAYS = {fact.name: fact.says for fact in FACTS} | {
    fact.name + SCALED: f"{fact.name.replace('_', ' ')} {{:.2f}} times the usual here"
    for fact in FACTS
    if fact.scaled
}


def featurise(
    labels: LabelSet, items: ItemTable | None, *, subject: str = "", session: str = ""
) -> FeatureTable:
    """Features of the regions of a set.

    Parameters
    ----------
    labels : LabelSet
        REGIONS.
    items : ItemTable, optional
        Facts of them; without it the number of pixels is all that is known.
    subject, session : str

    Returns
    -------
    FeatureTable
        Columns `NAMES`, NaN where nothing is known.
    """
    ids = labels.items
    held = {} if items is None else _held(items, ids)
    if "n_pixels" not in held:
        held["n_pixels"] = _sizes(labels)
    values = np.full((ids.size, len(NAMES)), np.nan)
    for fact in FACTS:
        column = held.get(fact.name)
        if column is None:
            continue
        values[:, NAMES.index(fact.name)] = column
        if fact.scaled:
            values[:, NAMES.index(fact.name + SCALED)] = _over_usual(column)
    return FeatureTable(ids, NAMES, values, UNITS, (subject,) * ids.size, (session,) * ids.size)


def _held(items: ItemTable, ids: npt.NDArray[np.int64]) -> dict[str, Values]:
    """Columns of a table under our names, for given items; NaN for items that it lacks."""
    row = np.searchsorted(items.items, ids)
    there = row < items.items.size
    there[there] = items.items[row[there]] == ids[there]
    out: dict[str, Values] = {}
    for fact in FACTS:
        every = (fact.name, *fact.also, *fact.upside_down)
        name = next((n for n in every if n in items.table.column_names), None)
        if name is None or not _numeric(items.table.schema.field(name).type):
            continue
        column = items.table.column(name).cast(pa.float64()).to_numpy()
        if name in fact.upside_down:
            column = np.where(column > 0, 1 / np.where(column > 0, column, 1.0), np.nan)
        out[fact.name] = np.full(ids.size, np.nan)
        out[fact.name][there] = column[row[there]]
    return out


def _numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _sizes(labels: LabelSet) -> Values:
    """Pixels of each item, in the order of `labels.items`."""
    sizes: Mapping[int, int] = {}
    rows = zip(labels.column("item").tolist(), labels.table.column("pixels"), strict=True)
    sizes = {item: len(pixels) for item, pixels in rows}
    return np.asarray([sizes[item] for item in labels.items.tolist()], np.float64)


def _over_usual(column: Values) -> Values:
    """Multiples of the median; NaN where there is none above 0."""
    known = column[np.isfinite(column)]
    middle = float(np.median(known)) if known.size else 0.0
    return np.asarray(column / middle) if middle > 0 else np.full(column.size, np.nan)


__all__ = ["FACTS", "NAMES", "SAYS", "UNITS", "Fact", "featurise"]
