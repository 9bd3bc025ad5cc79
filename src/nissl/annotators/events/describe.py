"""Facts about events: how long, how large, how fast, with a snippet; what review shows.

The features of `nissl.annotators.events.features` stand beside them, so that a learner needs no
raw data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.events.features import ABSOLUTE, NAMES, SAYS, UNITS, Channel, peak_of
from nissl.annotators.events.method import samples
from nissl.annotators.events.waves import WORK_HZ, Values, at_rate
from nissl.clock import Segment
from nissl.data import Signal
from nissl.labels import Edit, ItemTable, LabelSet
from nissl.run.context import Context
from nissl.tasks import Inputs

SNIPPET = 256
"""Samples of a snippet, whatever the length of its event."""
MARGIN_S = 1.0
"""A snippet begins and ends this much beside its event."""


def describe(labels: LabelSet, inputs: Inputs, context: Context) -> ItemTable:
    """Facts about every span.

    An event of no channel is described on the channel where it is largest.

    Returns
    -------
    ItemTable
        Columns `duration_s`, `peak_hz`, `amplitude_uv` (peak to peak), `channel_name`, and those of
        `features.NAMES`; array `snippet`, (n_items, SNIPPET) float32, uV, with its samples a
        second in the column `snippet_hz`.
    """
    del context
    return described(labels, inputs.signal)


def described(labels: LabelSet, signal: Signal) -> ItemTable:
    """Facts about every span: see `describe`."""
    start, stop = labels.column("start"), labels.column("stop")
    channel = labels.column("channel").astype(np.int64)
    channel = np.where((channel < 0) | (channel >= signal.n_channels), -1, channel)
    for k in np.flatnonzero(channel < 0).tolist():
        channel[k] = _largest(signal, int(start[k]), int(stop[k]))
    n = labels.n_rows
    values = np.full((n, len(NAMES)), np.nan)
    absolute = np.full((n, len(ABSOLUTE)), np.nan)
    absolute[:, 0] = (stop - start) / signal.rate_hz
    snippets, per_s = np.full((n, SNIPPET), np.nan, np.float32), np.full(n, np.nan)
    for segment in signal.clock.segments:
        within = (start >= segment.start) & (stop <= segment.stop)
        for c in np.unique(channel[within]).tolist():
            rows = np.flatnonzero(within & (channel == c))
            x = samples(signal, segment.start, segment.stop, c)
            spans = (start[rows] - segment.start, stop[rows] - segment.start)
            values[rows], absolute[rows, 1], absolute[rows, 2] = _facts(x, signal.rate_hz, *spans)
            snippets[rows], per_s[rows] = _snippets(x, signal.rate_hz, *spans)
    item = labels.column("item")
    order = np.argsort(item, kind="stable")
    columns: dict[str, Any] = {"item": item[order]}
    columns |= {name: absolute[order, k] for k, name in enumerate(ABSOLUTE)}
    columns["channel_name"] = [signal.channels.ids[c] for c in channel[order].tolist()]
    columns["snippet_hz"] = per_s[order]
    columns |= {name: values[order, k] for k, name in enumerate(NAMES)}
    units = {"duration_s": "s", "peak_hz": "Hz", "amplitude_uv": "uV", "snippet_hz": "Hz"}
    units |= {"snippet": "uV"} | dict(zip(NAMES, UNITS, strict=True))
    context = {"rate_hz": float(signal.rate_hz), "snippet_margin_s": MARGIN_S}
    return ItemTable(labels.digest, pa.table(columns), units, {"snippet": snippets[order]}, context)


def update(items: ItemTable, edit: Edit) -> ItemTable:
    """Facts stay until the set is described anew: an edit of a span needs the samples."""
    del edit
    return items


def _facts(
    x: Values, rate_hz: float, start: npt.NDArray[np.int64], stop: npt.NDArray[np.int64]
) -> tuple[Values, Values, Values]:
    slow = at_rate(x, rate_hz)
    a = np.rint(start * WORK_HZ / rate_hz).astype(np.int64)
    b = np.maximum(np.rint(stop * WORK_HZ / rate_hz).astype(np.int64), a + 1)
    a, b = np.clip(a, 0, len(slow) - 1), np.clip(b, 1, len(slow))
    values = Channel(slow).measured(a, b)
    peaks = [peak_of(slow[max(i - 25, 0) : j + 25])[0] for i, j in zip(a, b, strict=True)]
    range_uv = [float(np.ptp(x[i:j])) for i, j in zip(start.tolist(), stop.tolist(), strict=True)]
    return values, np.array(peaks), np.array(range_uv)


def _snippets(
    x: Values, rate_hz: float, start: npt.NDArray[np.int64], stop: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float32], Values]:
    """Samples around each event on `SNIPPET` points; NaN outside the stretch."""
    out = np.full((start.size, SNIPPET), np.nan, np.float32)
    margin = MARGIN_S * rate_hz
    grid = np.arange(SNIPPET)
    step = (stop - start + 2 * margin) / SNIPPET
    for k in range(start.size):
        at = start[k] - margin + step[k] * grid
        inside = (at >= 0) & (at <= len(x) - 1)
        low = max(int(at[0]), 0)
        part = x[low : int(at[-1]) + 2]
        out[k, inside] = np.interp(at[inside], low + np.arange(len(part)), part)
    return out, rate_hz / step


def _largest(signal: Signal, start: int, stop: int) -> int:
    """Channel with the largest swing during a span, at most its first half minute."""
    own: Segment | None = next(
        (s for s in signal.clock.segments if s.start <= start and stop <= s.stop), None
    )
    if own is None:
        return 0
    x = signal.read(start, min(stop, start + int(30 * signal.rate_hz)))
    return int(np.argmax(np.nan_to_num(np.ptp(x, axis=0)))) if len(x) else 0


__all__ = ["MARGIN_S", "SAYS", "SNIPPET", "describe", "described", "update"]
