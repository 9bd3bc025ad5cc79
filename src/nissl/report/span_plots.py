"""Pictures of spans: a night of sleep, events in time, how long, how many and how sure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nissl.labels import ItemTable, LabelSet
from nissl.report.theme import BLUE, CYCLE, GRID, INK, MUTED, figure, to_svg
from nissl.review.hypnodensity import hypnodensity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = npt.NDArray[np.float64]
BandPower = tuple[Values, list[str], str]

_DEPTH = ("W", "R", "REM", "N1", "NREM", "N2", "N3")
_BANDS = ("delta", "theta", "alpha", "beta", "gamma")
_COLUMNS = 720
_WIDE = 11.0
_MOST_MARKS = 4000
_MOST_CHANNELS = 16


def colours(labels: LabelSet) -> list[str]:
    """A colour for each class: the vocabulary's own, else those of the report."""
    own = labels.vocabulary.colours
    return list(own) or [CYCLE[k % len(CYCLE)] for k in range(len(labels.vocabulary))]


def night(labels: LabelSet, items: ItemTable | None, rate_hz: float) -> str:
    """Hypnogram over hypnodensity over the power of bands, hours from the first sample.

    Parameters
    ----------
    labels : LabelSet
        SPANS that follow each other.
    items : ItemTable, optional
        With columns "<place>:log10_bp_<band>..." for the lowest part.
    rate_hz : float
    """
    order = np.argsort(labels.column("start"), kind="stable")
    hours = {k: labels.column(k)[order] / rate_hz / 3600 for k in ("start", "stop")}
    chance = hypnodensity(labels, int(labels.column("stop").max()), _COLUMNS)
    power = _band_power(labels, items, order)
    heights = [1.5, *([0.9] if chance.any() else []), *([1.1] if power is not None else [])]
    grid: dict[str, Any] = {
        "nrows": len(heights),
        "sharex": True,
        "height_ratios": heights,
        "squeeze": False,
    }
    with figure(_WIDE, 1.35 * sum(heights) + 0.4, **grid) as (made, axes):
        rows = iter(axes[:, 0])
        _hypnogram(next(rows), labels, order, hours)
        if chance.any():
            _density(next(rows), labels, chance, float(hours["stop"].max()))
        if power is not None:
            _power(next(rows), made, power, hours)
        axes[-1, 0].set_xlabel("hours")
        axes[-1, 0].set_xlim(0, float(hours["stop"].max()))
        return to_svg(made, f"Hypnogram of {labels.n_rows} epochs and how likely each stage is")


def timeline(labels: LabelSet, rate_hz: float, duration_s: float) -> str:
    """Every span in time, one row for each class that there is."""
    codes = [int(c) for c in np.unique(labels.column("label"))]
    inks = colours(labels)
    unit, scale = ("hours", 3600.0) if duration_s > 7200 else ("minutes", 60.0)
    with figure(_WIDE, 0.5 + 0.42 * max(len(codes), 2)) as (made, axes):
        for row, code in enumerate(reversed(codes)):
            mine = np.flatnonzero(labels.column("label") == code)
            mine = mine[:: max(1, -(-mine.size // _MOST_MARKS))]
            start = labels.column("start")[mine] / rate_hz / scale
            width = labels.column("stop")[mine] / rate_hz / scale - start
            least = duration_s / scale / 1200
            bars = _bars(start, np.maximum(width, least))
            axes.broken_barh(bars, (row - 0.36, 0.72), color=inks[code], rasterized=True)
        names = [labels.vocabulary.names[c] for c in reversed(codes)]
        axes.set_yticks(range(len(codes)), names)
        axes.set_ylim(-0.6, len(codes) - 0.4)
        axes.set_xlim(0, max(duration_s / scale, 1e-6))
        axes.set_xlabel(unit)
        return to_svg(made, f"{labels.n_rows} events of {len(codes)} classes in time")


def hourly(labels: LabelSet, rate_hz: float, duration_s: float) -> str:
    """How many spans of each class begin in each hour, stacked."""
    hour = (labels.column("start") / rate_hz // 3600).astype(int)
    n = max(1, int(np.ceil(duration_s / 3600)))
    below = np.zeros(n)
    with figure(5.2, 2.6) as (made, axes):
        for code in np.unique(labels.column("label")).tolist():
            counts = np.bincount(hour[labels.column("label") == code], minlength=n)[:n]
            name = labels.vocabulary.names[code]
            axes.bar(
                np.arange(n) + 0.5, counts, 0.9, below, color=colours(labels)[code], label=name
            )
            below += counts
        axes.set_xlabel("hour of the recording")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylabel("events")
        axes.set_xlim(0, n)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.2), ncols=4)
        return to_svg(made, f"Events in each of {n} hours")


def durations(labels: LabelSet, rate_hz: float) -> str:
    """Histogram of how long spans last, seconds on a logarithmic axis."""
    length = (labels.column("stop") - labels.column("start")) / rate_hz
    low, high = float(length.min()), float(length.max())
    bins = np.geomspace(low / 1.1, high * 1.1, 31)
    with figure(5.2, 2.6) as (made, axes):
        for code in np.unique(labels.column("label")).tolist():
            mine = length[labels.column("label") == code]
            name = f"{labels.vocabulary.names[code]} (median {np.median(mine):.3g} s)"
            axes.hist(mine, bins, histtype="step", lw=1.6, color=colours(labels)[code], label=name)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("duration (s)")
        axes.set_ylabel("events")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.32), ncols=2)
        return to_svg(made, f"Durations of {length.size} events")


def channels(labels: LabelSet, names: Sequence[str]) -> str:
    """Channels with the most events."""
    column = labels.table.column("channel").drop_null().to_numpy()
    found, counts = np.unique(column, return_counts=True)
    first = np.argsort(-counts, kind="stable")[:_MOST_CHANNELS][::-1]
    said = [names[c] if c < len(names) else str(c) for c in found[first].tolist()]
    with figure(5.2, 0.7 + 0.22 * len(said)) as (made, axes):
        axes.barh(np.arange(len(said)), counts[first], color=BLUE)
        axes.set_yticks(range(len(said)), said)
        axes.set_xlabel("events")
        return to_svg(made, f"Events on {len(said)} channels")


def confidence(values: Values) -> str:
    """Histogram of the confidence of the proposals.

    Parameters
    ----------
    values : ndarray, shape (n,), float64
        0 to 1, no NaN.
    """
    with figure(5.2, 2.6) as (made, axes):
        axes.hist(values, np.linspace(0, 1, 41), color=BLUE)
        axes.axvline(float(np.median(values)), color=INK, lw=1)
        axes.set_xlim(0, 1)
        axes.set_xlabel("confidence")
        axes.set_ylabel("proposals")
        return to_svg(
            made, f"Confidence of {values.size} proposals, median {np.median(values):.2f}"
        )


def depth_order(names: Sequence[str]) -> list[int]:
    """Codes of stages from waking to deep sleep; of other classes in their own order.

    "unknown", the last class, has no place.
    """
    codes = list(range(len(names) - 1)) if names[-1] == "unknown" else list(range(len(names)))
    if all(names[c] in _DEPTH for c in codes):
        codes.sort(key=lambda c: _DEPTH.index(names[c]))
    return codes


def _bars(start: Values, width: Values) -> list[tuple[float, float]]:
    return list(zip(start.tolist(), width.tolist(), strict=True))


def _hypnogram(
    axes: Axes, labels: LabelSet, order: npt.NDArray[np.intp], hours: dict[str, Values]
) -> None:
    rows = depth_order(labels.vocabulary.names)
    place = {code: len(rows) - 1 - k for k, code in enumerate(rows)}
    code = labels.column("label")[order]
    y = np.asarray([place.get(int(c), np.nan) for c in code])
    edges, level = np.append(hours["start"], hours["stop"][-1]), np.append(y, y[-1])
    axes.step(edges, level, where="post", color=MUTED, lw=0.7)
    first = np.flatnonzero(
        np.r_[True, (code[1:] != code[:-1]) | (hours["start"][1:] != hours["stop"][:-1])]
    )
    last = np.r_[first[1:] - 1, code.size - 1]  # runs of one stage
    inks = colours(labels)
    for c in rows:
        mine = code[first] == c
        start, stop = hours["start"][first[mine]], hours["stop"][last[mine]]
        tall = 0.5 if labels.vocabulary.names[c][0] == "R" else 0.32
        axes.broken_barh(_bars(start, stop - start), (place[c] - tall / 2, tall), color=inks[c])
    axes.set_yticks([place[c] for c in rows], [labels.vocabulary.names[c] for c in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(axis="y", color=GRID, lw=0.5)


def _density(axes: Axes, labels: LabelSet, chance: npt.NDArray[np.float32], hours: float) -> None:
    rows = [*depth_order(labels.vocabulary.names)[::-1]]
    rows += [c for c in range(len(chance)) if c not in rows]
    x = np.linspace(0, hours, chance.shape[1] + 1)
    inks, below = colours(labels), np.zeros(chance.shape[1] + 1)
    for c in rows:
        above = below + np.append(chance[c], chance[c, -1])
        axes.fill_between(x, below, above, step="post", color=inks[c], lw=0)
        below = above
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("probability")


def _band_power(
    labels: LabelSet, items: ItemTable | None, order: npt.NDArray[np.intp]
) -> BandPower | None:
    """Power over the median of the night in dB, names of the bands, and where they were taken."""
    if items is None:
        return None
    for role in ("front", "back"):
        known = {n: items.table.column(n).to_numpy() for n in items.table.column_names}
        bands = [
            next((n for n in known if n.startswith(f"{role}:log10_bp_{b}")), "") for b in _BANDS
        ]
        found = [(b, known[n]) for b, n in zip(_BANDS, bands, strict=True) if n]
        found = [(b, v) for b, v in found if np.isfinite(v).any()]
        if found:
            break
    else:
        return None
    row = {int(item): k for k, item in enumerate(items.items)}
    rows = [row.get(int(item), -1) for item in labels.column("item")[order]]
    missing = np.asarray(rows) < 0
    power = np.asarray([10 * (v - np.nanmedian(v))[rows] for _, v in found])
    power[:, missing] = np.nan
    told = items.context.get("derivations", [])
    where = next((d["channel"] for d in told if d.get("role") == role), role)
    return power, [b for b, _ in found], str(where)


def _power(axes: Axes, made: Figure, told: BandPower, hours: dict[str, Values]) -> None:
    power, bands, where = told
    edges = np.append(hours["start"], hours["stop"][-1])
    limit = max(float(np.nanpercentile(np.abs(power), 98)), 1.0)
    mesh = axes.pcolormesh(
        edges,
        np.arange(len(bands) + 1) - 0.5,
        power,
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
        rasterized=True,
    )
    axes.set_yticks(range(len(bands)), bands)
    axes.set_ylabel(where)
    bar = made.colorbar(mesh, ax=axes, pad=0.01, aspect=8)
    bar.set_label("dB")
    bar.outline.set_visible(False)
