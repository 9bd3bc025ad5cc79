"""Waveforms of chosen spikes of a unit, on the channels around it, from the raw data."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.tagging import Samples, Waveforms
from nissl.annotators.spikes.measuring import near_channels
from nissl.annotators.spikes.snippets import SnippetReader, plan_of
from nissl.data import Signal
from nissl.labels import ItemTable, LabelSet


def best_channels(spikes: LabelSet, items: ItemTable | None) -> dict[int, int]:
    """Channel of each unit: that of the item table, else the commonest of its spikes.

    Units of which neither is known are left out.
    """
    found: dict[int, int] = {}
    channel = spikes.column("channel")
    for unit in spikes.items.tolist():
        values = channel[spikes.rows_of(unit)]
        values = values[values >= 0]
        if values.size:
            found[unit] = int(np.bincount(values).argmax())
    if items is not None and "channel" in items.table.column_names:
        stated = items.table.column("channel").to_pylist()
        pairs = zip(items.items.tolist(), stated, strict=True)
        found |= {unit: int(k) for unit, k in pairs if k is not None and k >= 0}
    return found


def waveforms_of(
    signal: Signal, spikes: LabelSet, items: ItemTable | None, *, seed: int = 0
) -> Waveforms:
    """Reader of waveforms for `nissl.annotators.celltypes.tagging.tag_units`.

    Parameters
    ----------
    signal : Signal
    spikes : LabelSet
        EVENTS whose samples are the signal's.
    items : ItemTable, optional
        Their item table, for the units' channels.
    seed : int
        Of the search for bad channels, where the sorting does not say which it left out.
    """
    reader = SnippetReader(signal, plan_of(signal, spikes, seed))
    best = best_channels(spikes, items)
    table = signal.channels

    def read(unit: int, sample: Samples) -> npt.NDArray[np.floating]:
        where = np.flatnonzero(reader.kept == best.get(unit, -1))
        if not where.size or not sample.size:
            return np.empty((0, 0, 0), np.float32)
        near = near_channels(where, table.position_um[reader.kept], table.shank[reader.kept])[0]
        return reader.read(sample, np.where(near >= 0, reader.kept[np.maximum(near, 0)], -1))

    return read
