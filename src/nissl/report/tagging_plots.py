"""One figure per tagged unit: spikes around the pulses, first-spike latencies, waveforms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.ground_truth import GroundTruth
from nissl.annotators.celltypes.pulses import Pulses
from nissl.clock import Clock
from nissl.labels import LabelSet
from nissl.labels.atomic import atomic_write, make_folder
from nissl.report.theme import BLUE, INK, MUTED, ORANGE, YELLOW, figure

FROM_MS, TO_MS = -30.0, 50.0
_MOST_PULSES = 300
_BIN_MS = 0.5

Values = npt.NDArray[np.float64]


def write_figures(
    found: GroundTruth, spikes: LabelSet, pulses: Pulses, clock: Clock, folder: Path
) -> list[Path]:
    """Write ``unit_<id>.png`` for every tagged unit.

    Parameters
    ----------
    found : GroundTruth
        Of optotagging.
    spikes : LabelSet
    pulses : Pulses
    clock : Clock
        Of the spikes' stream.
    folder : Path
        Made where it is missing.
    """
    tested = {row["unit"]: row for row in found.tested}
    waveforms = found.items.arrays.get("light_waveform")
    rate_hz = clock.rate_hz
    paths = []
    make_folder(folder)
    for k, unit in enumerate(found.labels.items.tolist()):
        times = clock.to_seconds(np.unique(spikes.column("sample")[spikes.rows_of(unit)]))
        paths.append(folder / f"unit_{unit}.png")
        pair = None if waveforms is None else waveforms[k]
        criteria = found.items.context["criteria"]
        _write(paths[-1], tested[unit], (times, pulses), pair, (rate_hz, criteria))
    return paths


def _write(
    path: Path,
    row: Mapping[str, Any],
    trains: tuple[Values, Pulses],
    pair: npt.NDArray[Any] | None,
    about: tuple[float, Mapping[str, Any]],
) -> None:
    rate_hz, criteria = about
    trial, since = around(trains[0], trains[1].onset_s)
    length = float(np.nanmedian(trains[1].duration_s)) if _known(trains[1]) else np.nan
    grid = {"nrows": 2, "ncols": 2, "width_ratios": [2.4, 1], "height_ratios": [1.6, 1]}
    with figure(7.0, 4.6, **grid) as (made, axes):
        _raster(axes[0, 0], trial, since, length * 1e3, len(trains[1]))
        _latencies(axes[1, 0], trial, since, criteria)
        _waveforms(axes[0, 1], pair, rate_hz, row)
        _numbers(axes[1, 1], row)
        made.suptitle(f"Unit {row['unit']}: {row['verdict']}", fontsize=11, color=INK)
        with atomic_write(path) as file:
            made.savefig(file, format="png", dpi=150, facecolor="white", transparent=False)


def around(spikes_s: Values, onset_s: Values) -> tuple[npt.NDArray[np.int64], Values]:
    """Pulse and time of every spike near a pulse, ms."""
    low, high = (np.searchsorted(spikes_s, onset_s + x / 1e3) for x in (FROM_MS, TO_MS))
    trial = np.repeat(np.arange(onset_s.size), high - low)
    place = np.concatenate([np.arange(a, b) for a, b in zip(low, high, strict=True)] or [low])
    since = 1e3 * (spikes_s[place.astype(np.int64)] - onset_s[trial])
    return trial.astype(np.int64), np.asarray(since)


def _known(pulses: Pulses) -> bool:
    return bool(np.isfinite(pulses.duration_s).any())


def _raster(axes: Any, trial: npt.NDArray[np.int64], since: Values, length: float, n: int) -> None:
    shown = trial % max(1, -(-n // _MOST_PULSES)) == 0
    if np.isfinite(length):
        axes.axvspan(0, min(length, TO_MS), color=YELLOW, alpha=0.3, lw=0)
    axes.scatter(since[shown], trial[shown], s=4, color=BLUE, linewidths=0)
    axes.axvline(0, color=ORANGE, lw=0.8)
    axes.set_xlim(FROM_MS, TO_MS)
    axes.set_ylim(n, 0)
    axes.set_ylabel("pulse")
    axes.set_xticklabels([])


def _latencies(
    axes: Any, trial: npt.NDArray[np.int64], since: Values, criteria: Mapping[str, Any]
) -> None:
    edges = np.arange(FROM_MS, TO_MS + _BIN_MS, _BIN_MS)
    after = since >= criteria["dead_ms"]
    _, first = np.unique(trial[after], return_index=True)
    counts, _ = np.histogram(since, edges)
    axes.stairs(counts, edges, color=MUTED, alpha=0.35, fill=True, label="all spikes")
    counts, _ = np.histogram(since[after][first], edges)
    axes.stairs(counts, edges, color=BLUE, lw=1.2, label="first after the pulse")
    axes.axvline(criteria["within_ms"], color=INK, lw=0.7, ls=":", label="latest latency")
    axes.set_xlim(FROM_MS, TO_MS)
    axes.set_xlabel("ms from the pulse")
    axes.set_ylabel("spikes")
    axes.legend(fontsize=7, loc="upper left")


def _waveforms(
    axes: Any, pair: npt.NDArray[Any] | None, rate_hz: float, row: Mapping[str, Any]
) -> None:
    if pair is None or not np.isfinite(pair).any():
        axes.text(0.5, 0.5, "waveforms\nnot compared", ha="center", va="center", fontsize=9)
        axes.set_axis_off()
        return
    best = int(np.nanargmax(np.ptp(np.nan_to_num(pair[1]), axis=0)))
    peak = int(np.nanargmax(np.abs(pair[1, :, best])))
    times = (np.arange(pair.shape[1]) - peak) / rate_hz * 1e3
    axes.plot(times, pair[1, :, best], color=MUTED, lw=2.5, alpha=0.5, label="in the dark")
    axes.plot(times, pair[0, :, best], color=BLUE, lw=1.2, label="after light")
    axes.set_title(f"r = {row['waveform_r']:.3f}", fontsize=9)
    axes.set_xlabel("ms")
    axes.set_ylabel("µV")
    axes.legend(fontsize=7, loc="lower right")


def _numbers(axes: Any, row: Mapping[str, Any]) -> None:
    lines = [
        f"latency {row['latency_ms']:.2f} ms",
        f"jitter {row['jitter_ms']:.2f} ms",
        f"answers {row['reliability']:.0%} of {row['n_pulses']} pulses",
        f"SALT p = {row['salt_p']:.2g}",
        f"q = {row['q']:.2g}",
        f"{row['baseline_hz']:.1f} Hz → {row['rate_hz']:.1f} Hz",
    ]
    axes.text(0.0, 1.0, "\n".join(lines), va="top", fontsize=9, transform=axes.transAxes)
    axes.set_axis_off()
