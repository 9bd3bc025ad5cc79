"""Real units for hybrid recordings: their waveforms on all channels and their spike trains.

Conventions: a unit's waveforms are (n_samples, n_channels) uV at the rate of its own recording;
its train is in seconds. What a recording is split by is the animal, never the unit or session.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.errors import BadMetadataError, BadSamplesError, SourceNotFoundError

CELLEXPLORER = Path("ephys/celltypes/cellexplorer_groundtruth")
"""Where the tagged CellExplorer sessions lie within the data folder."""

_INTRACELLULAR = "Juxta"
_TICK_S = 1e-5


@dataclass(frozen=True, eq=False)
class HybridUnit:
    """A unit of a real recording.

    Parameters
    ----------
    name : str
        Unique, such as "session/u3".
    animal : str
        What splits are made by.
    template_uv : ndarray, shape (n_samples, n_channels), float32, uV
        Mean waveform on every channel of its own probe, in any order of channels.
    rate_hz : float
        Samples per second of the template.
    times_s : ndarray, shape (n_spikes,), float64, seconds
        Its spike times, increasing.
    label : str
        What is known of the cell ("PV", "Axo_Axonic"), "" where nothing is.
    """

    name: str
    animal: str
    template_uv: npt.NDArray[np.float32]
    rate_hz: float
    times_s: npt.NDArray[np.float64]
    label: str = ""

    def __post_init__(self) -> None:
        template = np.array(self.template_uv, dtype=np.float32)
        times = np.array(self.times_s, dtype=np.float64)
        if template.ndim != 2 or min(template.shape) < 1 or not np.all(np.isfinite(template)):
            raise BadSamplesError(
                f"a finite template of shape (n_samples, n_channels) for {self.name}",
                f"shape {template.shape}, {int(np.sum(~np.isfinite(template)))} not finite",
                "Give the mean waveform in uV on every channel.",
            )
        if not np.ptp(template) > 0 or not self.rate_hz > 0:
            raise BadSamplesError(
                f"a template that is not flat, at a rate above 0 Hz, for {self.name}",
                f"{np.ptp(template):g} uV from lowest to highest, {self.rate_hz:g} Hz",
                "Leave the unit out, or correct its rate.",
            )
        if times.ndim != 1 or times.size < 2 or np.any(np.diff(times) < 0):
            raise BadMetadataError(
                f"at least two increasing spike times in seconds for {self.name}",
                f"{times.size} times, increasing: {not np.any(np.diff(times) < 0)}",
                "Sort them, or leave the unit out.",
            )
        for name, array in (("template_uv", template), ("times_s", times)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def amplitude_uv(self) -> float:
        """Largest deflection from 0 on any channel, uV, as measured."""
        return float(np.max(np.abs(self.template_uv)))


def load_cellexplorer(data_dir: Path) -> tuple[HybridUnit, ...]:
    """Read the tagged units of the CellExplorer sessions that can stand in a hybrid.

    Parameters
    ----------
    data_dir : Path
        Data folder, with `CELLEXPLORER` in it.

    Returns
    -------
    tuple of HybridUnit
        Sorted by name. Left out are cells without waveforms on all channels, cells listed
        twice (a cell with two tags is stored once per tag), and juxtacellular ones: their
        multichannel waveforms include the intracellular electrode.

    Raises
    ------
    SourceNotFoundError
        There are no such sessions in the folder.

    Notes
    -----
    Petersen, Siegle, Steinmetz, Mahallati and Buzsaki 2021, Neuron 109 (CellExplorer).
    """
    folder = Path(data_dir) / CELLEXPLORER
    table = folder / "cells_all_columns.csv"
    if not table.is_file():
        raise SourceNotFoundError(
            f"the CellExplorer sessions at {CELLEXPLORER} of the data folder",
            "no cells_all_columns.csv there",
            "Point NISSL_DATA (or --train, --test) at the data folder.",
        )
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    units: dict[str, HybridUnit] = {}
    seen: set[bytes] = set()
    for session in sorted({row["session"] for row in rows}):
        cells = [row for row in rows if row["session"] == session]
        for unit in _session(folder / "sessions" / f"{session}.npz", cells):
            key = unit.animal.encode() + unit.times_s.tobytes()
            if key not in seen:
                seen.add(key)
                units[unit.name] = unit
    return tuple(units[name] for name in sorted(units))


def _session(path: Path, cells: list[dict[str, str]]) -> Iterable[HybridUnit]:
    with np.load(path, allow_pickle=False) as stored:
        for cell in cells:
            key = f"u{int(cell['unit'])}"
            if cell["label"] == _INTRACELLULAR or f"{key}_wave_filt_all" not in stored:
                continue
            step_ms = float(np.median(np.diff(stored[f"{key}_wave_time_ms"])))
            ticks = stored[f"{key}_spike_times_10us"].astype(np.int64)
            yield HybridUnit(
                name=f"{path.stem}/{key}",
                animal=cell["animal"],
                template_uv=stored[f"{key}_wave_filt_all"].T,
                # the axis is stored in single precision: 0.03333 ms is 30 kHz
                rate_hz=float(round(1000.0 / step_ms, -2)),
                times_s=np.sort(ticks) * _TICK_S,
                label=cell["label"],
            )


def split_by_animal(
    units: Sequence[HybridUnit],
) -> tuple[tuple[HybridUnit, ...], tuple[HybridUnit, ...]]:
    """Share units out between what one tunes on and what one reports.

    Animals go, the one with most units first (ties by name), to the side that has fewer units
    so far. No randomness: the same library always gives the same two halves, whatever its
    order, and no animal is ever on both sides.

    Parameters
    ----------
    units : sequence of HybridUnit

    Returns
    -------
    tune, report : tuple of HybridUnit
        Each sorted by name.
    """
    count = {animal: 0 for animal in sorted({u.animal for u in units})}
    for unit in units:
        count[unit.animal] += 1
    sides: tuple[set[str], set[str]] = (set(), set())
    sizes = [0, 0]
    for animal in sorted(count, key=lambda name: (-count[name], name)):
        side = int(sizes[1] < sizes[0])
        sides[side].add(animal)
        sizes[side] += count[animal]
    ordered = sorted(units, key=lambda u: u.name)
    tune, report = (tuple(u for u in ordered if u.animal in side) for side in sides)
    return tune, report


def choose(units: Sequence[HybridUnit], n: int, rng: np.random.Generator) -> list[HybridUnit]:
    """Choose `n` units, as many animals as can be: animals take turns, in random order.

    Raises
    ------
    BadMetadataError
        There are fewer than `n`.
    """
    if n > len(units):
        raise BadMetadataError(f"at least {n} units", f"{len(units)}", "Ask for fewer.")
    queues = [
        [mine[i] for i in rng.permutation(len(mine))]
        for animal in sorted({u.animal for u in units})
        for mine in [[u for u in sorted(units, key=lambda u: u.name) if u.animal == animal]]
    ]
    queues = [queues[i] for i in rng.permutation(len(queues))]
    chosen: list[HybridUnit] = []
    while len(chosen) < n:
        chosen += [queue.pop() for queue in queues if queue][: n - len(chosen)]
    return chosen
