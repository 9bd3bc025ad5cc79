"""What `decoding.py` reads: recordings with their trials, as windows of channels and samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.decoding.windows import Windowing, cut
from nissl.data import Signal

SSVEP_HZ = (13.0, 17.0, 21.0)
_SSVEP_CODES = {2: 0, 4: 1, 3: 2}  # 13, 17, 21 Hz; 1 is rest
FLASHES = 180
"""Of a letter: 15 of each row and column."""
LETTERS = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ123456789_")).reshape(6, 6)


@dataclass(frozen=True)
class Set:
    """Trials of several subjects or runs.

    Parameters
    ----------
    x : ndarray, shape (n_trials, n_channels, n_samples), float64, uV
    y : ndarray, shape (n_trials,), int64
    subject, run : ndarray of str, shape (n_trials,)
    rate_hz : float
    """

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.int64]
    subject: npt.NDArray[np.str_]
    run: npt.NDArray[np.str_]
    rate_hz: float

    def take(self, rows: npt.NDArray[Any]) -> Set:
        """Some trials."""
        return Set(self.x[rows], self.y[rows], self.subject[rows], self.run[rows], self.rate_hz)

    def __len__(self) -> int:
        return len(self.y)


def joined(parts: list[Set]) -> Set:
    """Sets below each other."""
    stacks = {
        n: np.concatenate([getattr(p, n) for p in parts]) for n in ("x", "y", "subject", "run")
    }
    return Set(**stacks, rate_hz=parts[0].rate_hz)


def _set(
    samples: npt.NDArray[Any],
    onsets: npt.NDArray[Any],
    y: npt.NDArray[Any],
    settings: Windowing,
    subject: str,
    run: str,
) -> Set:
    signal = Signal.from_array(samples.astype(np.float32), settings.rate_hz)
    x, inside = cut(signal, onsets.astype(np.int64), settings)
    n = len(x)
    return Set(
        x, y[inside].astype(np.int64), np.full(n, subject), np.full(n, run), settings.rate_hz
    )


def ssvep(
    folder: Path, *, start_s: float = 2.0, stop_s: float = 5.0, band: tuple[float, float] = (6, 45)
) -> Set:
    """Three frequencies of the eight subjects; a trial begins with a cue of two seconds."""
    parts = []
    for path in sorted((folder / "eeg" / "ssvep_exo").glob("*.npz")):
        with np.load(path) as z:
            samples = z["X"].T * float(z["scale_uV"])
            events, rate = z["events"], float(z["fs"])
        events = events[np.isin(events[:, 2], list(_SSVEP_CODES))]
        y = np.array([_SSVEP_CODES[int(c)] for c in events[:, 2]])
        settings = Windowing(rate, start_s, stop_s, band)
        parts.append(_set(samples, events[:, 0], y, settings, path.name[:5], path.stem))
    return joined(parts)


def fists(folder: Path, runs: tuple[str, ...], *, band: tuple[float, float] = (8, 30)) -> Set:
    """Left (0) and right (1) fist, real or imagined, of the one subject."""
    parts = []
    for run in runs:
        with np.load(folder / "eeg" / "eegmmidb" / f"S001{run}.npz") as z:
            samples, rate = z["X_uV"].T, float(z["fs"])
            onset, desc = z["onset"], z["desc"]
        told = np.isin(desc, ["T1", "T2"])
        settings = Windowing(rate, 0.5, 3.5, band, average=True)
        y = (desc[told] == "T2").astype(np.int64)
        parts.append(_set(samples, np.rint(onset[told] * rate), y, settings, "S001", run))
    return joined(parts)


def eyes(folder: Path, *, length_s: float = 2.0) -> Set:
    """Eyes open (0) and closed (1): windows side by side of two runs of a minute each."""
    parts = []
    for run, code in (("R01", 0), ("R02", 1)):
        with np.load(folder / "eeg" / "eegmmidb" / f"S001{run}.npz") as z:
            samples, rate = z["X_uV"].T, float(z["fs"])
        onsets = np.arange(0, len(samples) - length_s * rate, length_s * rate)
        settings = Windowing(rate, 0.0, length_s, (4, 30), average=True)
        parts.append(_set(samples, onsets, np.full(len(onsets), code), settings, "S001", run))
    return joined(parts)


@dataclass(frozen=True)
class Speller:
    """Flashes of the P300 speller.

    Parameters
    ----------
    flashes : Set
        1 where the flash had the letter in it.
    code : ndarray, shape (n_flashes,), int
        1 to 6 columns, 7 to 12 rows.
    letter : ndarray, shape (n_flashes,), int
        Which letter of the run was spelt.
    words : mapping of run to word
    """

    flashes: Set
    code: npt.NDArray[np.int64]
    letter: npt.NDArray[np.int64]
    words: dict[str, str]


def speller(folder: Path) -> Speller:
    """All runs of BCI competition II, data set IIb."""
    parts, codes, letters, words = [], [], [], {}
    for path in sorted((folder / "eeg" / "p300_bci2_iib").glob("*.npz")):
        with np.load(path) as z:
            samples, rate, code = z["signal"], float(z["fs"]), z["StimulusCode"].astype(int)
            kind, words[path.stem] = z["StimulusType"], str(z["word"])
        on = np.flatnonzero((code[1:] > 0) & (code[:-1] == 0)) + 1
        settings = Windowing(rate, 0.0, 0.7, (0.5, 20), average=False, every=4)
        part = _set(samples, on, kind[on], settings, path.stem[:6], path.stem)
        on = on[: len(part)]
        parts.append(part)
        codes.append(code[on])
        letters.append(np.arange(len(on)) // FLASHES)
    return Speller(joined(parts), np.concatenate(codes), np.concatenate(letters), words)


def reaches(folder: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Counts (n_bins, n_units) and velocity (n_bins, 2), m/s, in bins of 100 ms."""
    path = folder / "ephys" / "spiketrains" / "m1_reach_stevenson2011.npz"
    with np.load(path) as z:
        counts, velocity = z["spike_counts"].astype(float), z["hand_vel"][:, :2].astype(float)
    n = len(counts) // 2 * 2
    pairs = counts[:n].reshape(-1, 2, counts.shape[1]).sum(axis=1)
    return pairs, velocity[:n].reshape(-1, 2, 2).mean(axis=1)
