"""The sorter on a stream, for `live.py`: sample in to trigger out, and agreement with offline.

Templates begin as means around the true spikes of a simulation, so that what is measured is the
stream and not the search for units; triggers fire for every spike. Times of spikes are random, and
so random against the grid of chunks.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from _common import machine
from nissl.annotators.spikes.own.live.taught import TaughtShank, TaughtSorter
from nissl.annotators.spikes.own.matching.pursuit import pursue
from nissl.annotators.spikes.own.matching.subtraction import subtract
from nissl.annotators.spikes.own.preprocessing.front import fit_front, white
from nissl.annotators.spikes.own.sorter import Fitted, match, matched_spikes, usual_of_all
from nissl.annotators.spikes.own.templates.estimating import mean_waveforms, refine
from nissl.annotators.spikes.own.templates.projection import phases
from nissl.annotators.spikes.own.templates.templates import Templates, without_noise
from nissl.annotators.spikes.own.windows import Windows
from nissl.annotators.spikes.simulate import simulate
from nissl.data import Signal
from nissl.live import Claim, StreamInfo, offline
from nissl.live.contract import Samples
from nissl.live.latency import matched, played
from nissl.live.spikes import LiveSpikes
from nissl.live.triggers import Fired
from nissl.run.context import Context

SIZES: Mapping[int, int] = {32: 24, 64: 48, 128: 96}
"""Channels, and units that fire there."""
CHUNK_S = 0.005
RANK, ROUNDS = 6, 3
SEED = 0
LEAST_SD = 10.0
"""Units that one would trigger on: norm of the template, SDs of the noise."""
Ints = npt.NDArray[np.int64]
Spikes = tuple[Ints, Ints]


class Timed(LiveSpikes):
    """The method, with the time of the processor that each chunk took."""

    cpu_ms: list[float]

    def push(self, chunk: Samples, first_sample: int) -> list[Claim]:
        """Push, and take the time."""
        began = time.thread_time()
        claims = super().push(chunk, first_sample)
        self.cpu_ms.append(1e3 * (time.thread_time() - began))
        return claims


class Nowhere:
    """An output that is no device."""

    def send(self, claim: Claim) -> None:
        """Send nothing."""

    def close(self) -> None:
        """Nothing to close."""


def taught_by_truth(signal: Signal, sample: Ints, unit: Ints) -> TaughtSorter:
    """A sorter that knows the true units: templates are means around their true spikes."""
    columns = list(range(signal.n_channels))
    front = fit_front(signal, columns, 300.0, 6000.0)
    segment, step = signal.clock.segments[0], front.band.step
    windows = Windows.at(front.rate_hz)
    n_units = int(unit.max()) + 1
    z = white(signal, front, segment, 0, signal.n_samples)
    exact = (sample + front.delay) / step
    at = np.round(exact).astype(np.int64)
    late = (exact - at).astype(np.float32)
    waves = mean_waveforms(z, at, late, unit, n_units, windows.long_before, windows.long)
    waves = without_noise(waves)
    cut = waves[:, windows.lead : windows.lead + windows.scored].transpose(0, 2, 1)
    every = phases(np.ascontiguousarray(cut)).reshape(-1, windows.scored)
    basis = np.ascontiguousarray(np.linalg.svd(every, full_matrices=False)[2][:RANK])
    rate_hz = np.bincount(unit, minlength=n_units) / signal.duration_s
    templates = Templates(waves, basis.astype(np.float32), rate_hz, windows)
    for _ in range(ROUNDS):  # what others left in the means goes
        spikes = pursue(z, templates, front.rate_hz)
        left = subtract(z, spikes, templates)
        templates = refine(templates, left, spikes, signal.duration_s, front.rate_hz)
    fitted = Fitted(front, templates)
    placed = matched_spikes(signal, fitted, Context(Path()), "matching")
    place = signal.channels.position_um[templates.main].astype(np.float32)
    shank = TaughtShank(
        front,
        templates,
        np.arange(n_units),
        np.zeros(n_units, np.int64),
        templates.main,
        np.full(n_units, -100.0, np.float32),
        place[:, :2],
        usual_of_all(placed, fitted, signal),
        np.asarray(signal.channels.position_um, np.float64)[:, :2],
        np.zeros(signal.n_channels),
    )
    origin = {"source": "", "stream": signal.name, "made": "of the true spikes"}
    return TaughtSorter(signal.rate_hz, tuple(signal.channels.ids), (shank,), origin)


def latency(*, quick: bool) -> dict[str, Any]:
    """Rows by number of channels."""
    rows = {}
    for n in SIZES:
        rows[str(n)] = one(n, 8.0 if quick else 30.0)
        print(f"sorter {n}: {rows[str(n)]}", flush=True)
    return {"machine": machine(), "chunk_ms": 1e3 * CHUNK_S, "rows": rows}


def one(n_channels: int, seconds: float, *, seed: int = SEED) -> dict[str, Any]:
    """Play a simulation at real speed, and measure."""
    recording, truth = simulate(
        seed, n_channels=n_channels, n_units=SIZES[n_channels], duration_s=seconds
    )
    signal = recording.signal
    sample, unit = truth.column("sample"), truth.column("item")
    taught = taught_by_truth(signal, sample, unit)
    method = Timed(StreamInfo.of(signal), taught)
    method.cpu_ms = []
    wall, log = played(signal, method, Nowhere(), sample, chunk_s=CHUNK_S)
    chunk = round(CHUNK_S * signal.rate_hz)
    cpu = np.asarray(method.cpu_ms)[[(each.chunk_stop - 1) // chunk for each in log]]
    wait = np.asarray([each.chunk_stop - each.stop for each in log]) / signal.rate_hz * 1e3
    templates = taught.shanks[0].templates
    windows = templates.windows
    rest_ms = (windows.scored - windows.before) / taught.shanks[0].front.rate_hz * 1e3
    return {
        "units": SIZES[n_channels],
        "seconds": seconds,
        "n": wall.n,
        "rest_ms": rest_ms,
        "wall_ms": [wall.p50_ms, wall.p99_ms, wall.max_ms],
        "work_ms": [wall.work_ms_p50, wall.work_ms_p99, wall.work_ms_max],
        "cpu_ms": _quantiles(wait + cpu),
        "cpu_work_ms": _quantiles(np.asarray(method.cpu_ms)),
        "cpu_share": float(np.mean(method.cpu_ms)) / (1e3 * CHUNK_S),
        "known_after_ms": 1e3 * method.latency_s,
        "large": _groups(templates)[1].size,
        **_errors(spikes_of(log), (sample, unit), templates, signal.rate_hz),
        "offline": _agreement(signal, taught, (sample, unit)),
    }


def _agreement(signal: Signal, taught: TaughtSorter, true: Spikes) -> dict[str, Any]:
    """Offline on the same samples with the same templates, and what the stream has of it.

    Templates that follow would differ for a reason: here they stay.
    """
    shank = taught.shanks[0]
    still = LiveSpikes(StreamInfo.of(signal), taught, {"follow": False})
    live = spikes_of(offline(still, signal))
    found = match(signal, Fitted(shank.front, shank.templates), Context(Path()), "matching")
    file = found.sample, found.template[found.unit]
    shares: dict[str, list[float]] = {"within_1": [], "within_3": []}
    for units in _groups(shank.templates):
        a, b = _of(live, units), _of(file, units)
        for tolerance, row in ((1, shares["within_1"]), (3, shares["within_3"])):
            row.append(pairs(a, b, tolerance) / max(a[0].size, b[0].size, 1))
    return {**shares, **_errors(file, true, shank.templates, signal.rate_hz)}


def spikes_of(claims: Sequence[Claim | Fired]) -> Spikes:
    """Samples and units."""
    return np.asarray([c.start for c in claims]), np.asarray([c.unit for c in claims])


def _groups(templates: Templates) -> tuple[Ints, Ints]:
    """All units, and those that are large enough to trigger on."""
    return np.arange(len(templates)), np.flatnonzero(templates.norms >= LEAST_SD**2)


def _of(spikes: Spikes, units: Ints) -> Spikes:
    own = np.isin(spikes[1], units)
    return spikes[0][own], spikes[1][own]


def _errors(
    found: Spikes, true: Spikes, templates: Templates, rate_hz: float
) -> dict[str, list[int]]:
    """True, missed and false spikes: of all units, and of those that are large enough."""
    out: dict[str, list[int]] = {"true": [], "missed": [], "false": []}
    for units in _groups(templates):
        a, b = _of(found, units), _of(true, units)
        hits = pairs(a, b, round(0.001 * rate_hz))
        out["true"].append(b[0].size)
        out["missed"].append(b[0].size - hits)
        out["false"].append(a[0].size - hits)
    return out


def pairs(one: Spikes, other: Spikes, tolerance: int) -> int:
    """Spikes of the same unit in both, one to one."""
    units = np.union1d(one[1], other[1])
    own = ((np.sort(s[u == k]) for s, u in (one, other)) for k in units)
    return sum(matched(a, b, tolerance) for a, b in own)


def _quantiles(values: npt.NDArray[np.float64]) -> list[float]:
    return [*np.percentile(values, [50, 99]).tolist(), float(values.max())]
