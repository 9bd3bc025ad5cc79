"""Two or more sessions of one probe with the truth: which unit of one is which of the other.

A neuron is a row of compartments (soma, a trunk that the spike climbs, an axon) whose currents fall
off with distance, so that its waveform on a contact follows from where the contact is; the probe
moves along its length, and neurons change a little from day to day. Sortings are simulated as
their mean waveforms, with the noise that as many spikes leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nissl.align.waveforms.templates import Floats, Ints, UnitTemplates
from nissl.errors import BadArgumentError

PROBES = ("tetrodes", "neuropixels")
RATE_HZ = 30_000.0
_NOISE_UV = 9.0
_BEFORE, _AFTER = 24, 36


@dataclass(frozen=True, eq=False)
class SimulatedDays:
    """Sessions and who is who.

    Parameters
    ----------
    days : tuple of UnitTemplates
    neuron : tuple of ndarray, shape (n_units,), int64
        Neuron of each unit of each session.
    shift_um : ndarray, shape (n_days, n_neurons), float64
        How much deeper than on the first day the probe saw each neuron.
    """

    days: tuple[UnitTemplates, ...]
    neuron: tuple[Ints, ...]
    shift_um: Floats

    def pairs(self, a: int = 0, b: int = 1) -> Ints:
        """Rows of sessions `a` and `b` that are one neuron, shape (n_pairs, 2)."""
        _, left, right = np.intersect1d(self.neuron[a], self.neuron[b], return_indices=True)
        return np.stack([left, right], axis=1).astype(np.int64)


def probe(n_channels: int) -> tuple[Floats, Ints]:
    """Contacts of a probe: places (n_channels, 2), um, and shanks.

    Up to 4 channels a tetrode; up to 64 two staggered columns 25 um apart, 20 um between rows; more
    a Neuropixels 1.0 pattern (4 columns, 20 um between rows).
    """
    k = np.arange(n_channels)
    if n_channels <= 4:
        place = np.stack([12.5 * (k % 2), 12.5 * (k // 2)], axis=1)
    elif n_channels <= 64:
        place = np.stack([25.0 * (k % 2), 20.0 * (k // 2) + 10.0 * (k % 2)], axis=1)
    else:
        x = np.where(k // 2 % 2 == 0, np.where(k % 2 == 0, 16, 48), np.where(k % 2 == 0, 0, 32))
        place = np.stack([x.astype(float), 20.0 * (k // 2)], axis=1)
    return place.astype(np.float64), np.zeros(n_channels, np.int64)


def simulate_days(
    rng: np.random.Generator,
    *,
    n_units: int = 120,
    n_channels: int = 384,
    turnover: float = 0.4,
    n_days: int = 2,
    drift_um: float = 20.0,
    bend_um: float = 0.0,
    changed: float = 0.1,
    n_tetrodes: int = 1,
    spikes: tuple[int, int] = (60, 5000),
) -> SimulatedDays:
    """Simulate sessions.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_units : int
        Units of a day, about.
    n_channels : int
        Of the probe, or of each tetrode.
    turnover : float
        Share of a day's units that the other day does not show, 0 to 1.
    n_days : int
    drift_um, bend_um : float
        Movement between days at most, of the whole probe and at its ends beyond that.
    changed : float
        Deviation of log amplitudes, and relative change of shape and extent, between days.
    n_tetrodes : int
        Copies of the probe, each a shank of its own without known places if it has four channels.
    spikes : tuple of int
        Fewest and most spikes of a unit, log-uniform.

    Raises
    ------
    BadArgumentError
        Of a turnover outside 0 to 1, of one day, or of no unit.
    """
    if not 0 <= turnover <= 1 or n_days < 2 or n_units < 1:
        raise BadArgumentError(
            "a turnover of 0 to 1, two days or more, and units",
            f"{turnover}, {n_days} days, {n_units} units",
            "Choose others.",
        )
    place, _ = probe(n_channels)
    total = round(n_units * (1 + turnover * (n_days - 1)))
    neurons = [Neuron.drawn(rng, place) for _ in range(total)]
    tetrode = rng.integers(0, n_tetrodes, total)
    seen = _seen(rng, total, n_units, n_days, turnover)
    shift = _movement(rng, np.asarray([n.place[1] for n in neurons]), n_days, drift_um, bend_um)
    whole = np.concatenate([place] * n_tetrodes)
    shank = np.repeat(np.arange(n_tetrodes), n_channels).astype(np.int64)
    if n_tetrodes > 1:
        whole = np.full_like(whole, np.nan)
    days, known = [], []
    for day in range(n_days):
        rows = np.flatnonzero(seen[day])
        counts = np.exp(rng.uniform(np.log(spikes[0]), np.log(spikes[1]), rows.size)).astype(
            np.int64
        )
        halves = np.zeros((2, rows.size, _BEFORE + _AFTER, len(whole)), np.float32)
        for k, row in enumerate(rows.tolist()):
            neuron = neurons[row].later(rng, changed if day else 0.0)
            own = slice(tetrode[row] * n_channels, (tetrode[row] + 1) * n_channels)
            for half in range(2):
                small = neuron.later(rng, 0.15 * changed)
                moved = shift[day, row] + rng.normal(0, 0.1 * drift_um + 0.5)
                halves[half, k, :, own] = small.waveform(place, moved)
        halves += _noise(rng, halves.shape, counts)
        order = rng.permutation(rows.size)
        known.append(rows[order].astype(np.int64))
        days.append(
            UnitTemplates(
                np.arange(rows.size, dtype=np.int64),
                halves[:, order],
                whole,
                shank,
                counts[order],
                RATE_HZ,
                _BEFORE,
                f"day {day + 1}",
            )
        )
    return SimulatedDays(tuple(days), tuple(known), shift)


def _seen(
    rng: np.random.Generator, total: int, n_units: int, n_days: int, turnover: float
) -> np.ndarray:
    """Which neuron each day shows: those that stay, and those that came instead of others."""
    order = rng.permutation(total)
    out = np.zeros((n_days, total), bool)
    now, new = order[:n_units], n_units
    out[0, now] = True
    for day in range(1, n_days):
        gone = rng.random(now.size) < turnover
        come = order[new : new + int(gone.sum())]
        new += come.size
        now = np.concatenate([now[~gone], come])
        out[day, now] = True
    return out


def _movement(
    rng: np.random.Generator, depth: Floats, n_days: int, drift: float, bend: float
) -> Floats:
    long = max(float(np.ptp(depth)), 1.0)
    part = (depth - depth.min()) / long - 0.5
    shift = rng.uniform(-drift, drift, (n_days, 1)) + bend * rng.choice([-1, 1]) * 2 * part
    shift[0] = 0
    return np.asarray(shift, np.float64)


def _noise(rng: np.random.Generator, shape: Sequence[int], counts: Ints) -> np.ndarray:
    """Noise of means over half of the spikes, which neighbouring samples share."""
    white = rng.standard_normal(tuple(shape), dtype=np.float32)
    smooth = (white + np.roll(white, 1, axis=2) + np.roll(white, -1, axis=2)) / np.sqrt(3)
    level = _NOISE_UV / np.sqrt(np.minimum(counts / 2, 300))
    return np.asarray(smooth * level[None, :, None, None], np.float32)


@dataclass(frozen=True, eq=False)
class Neuron:
    """A cell as a row of compartments.

    Parameters
    ----------
    place : ndarray, shape (3,), um
        Soma: x, y along the probe, distance from its plane.
    way : ndarray, shape (3,)
        Direction of the trunk, length 1.
    size_uv : float
        At the soma's distance.
    width, after, late : float
        Width of the trough (ms), depth and delay (ms) of what follows it.
    extent_um : float
        Of the fall with distance.
    trunk : ndarray, shape (n_compartments,)
        Strength of each compartment, the soma first.
    speed_um_ms : float
    ripple : ndarray, shape (n_samples,)
        What is its own in its shape.
    """

    place: Floats
    way: Floats
    size_uv: float
    width: float
    after: float
    late: float
    extent_um: float
    trunk: Floats
    speed_um_ms: float
    ripple: Floats

    @classmethod
    def drawn(cls, rng: np.random.Generator, contacts: Floats) -> Neuron:
        """Draw a cell beside the contacts: narrow or wide spikes, with a trunk or without."""
        low, high = contacts.min(axis=0), contacts.max(axis=0)
        margin = np.array([10.0, min(10.0, float(high[1] - low[1]))])
        flat = rng.uniform(low - margin, high + margin)
        narrow = rng.random() < 0.3
        way = rng.normal(size=3) * np.array([0.3, 1.0, 0.3])
        trunk = np.cumprod(np.concatenate([[1.0], rng.uniform(0.4, 0.85, 4)]))
        trunk[1:] *= rng.choice([-0.4, 0.3, 0.7])
        return cls(
            np.array([*flat, rng.uniform(8.0, 35.0)]),
            way / np.linalg.norm(way),
            float(np.exp(rng.normal(np.log(110), 0.45))),
            float(rng.normal(0.1, 0.012) if narrow else rng.normal(0.17, 0.025)),
            float(rng.uniform(0.3, 0.7) if narrow else rng.uniform(0.1, 0.45)),
            float(rng.normal(0.28, 0.05) if narrow else rng.normal(0.5, 0.1)),
            float(rng.uniform(18.0, 40.0)),
            trunk,
            float(rng.uniform(300.0, 800.0)),
            _smooth(rng) * 0.04,
        )

    def later(self, rng: np.random.Generator, changed: float) -> Neuron:
        """Return the same cell after some time: its size, shape and extent a little changed."""
        if not changed:
            return self
        return Neuron(
            self.place + rng.normal(0, 10 * changed, 3) * np.array([1.0, 1.0, 0.5]),
            self.way,
            self.size_uv * float(np.exp(rng.normal(0, 1.5 * changed))),
            self.width * float(np.exp(rng.normal(0, 0.4 * changed))),
            self.after * float(np.exp(rng.normal(0, changed))),
            self.late * float(np.exp(rng.normal(0, 0.4 * changed))),
            self.extent_um * float(np.exp(rng.normal(0, 0.6 * changed))),
            self.trunk * np.exp(rng.normal(0, changed, self.trunk.size)),
            self.speed_um_ms,
            self.ripple + _smooth(rng) * 0.15 * changed,
        )

    def waveform(self, contacts: Floats, shift_um: float) -> Floats:
        """Mean spike, shape (n_samples, n_channels), uV, seen `shift_um` further along."""
        time = (np.arange(_BEFORE + _AFTER) - _BEFORE) / RATE_HZ * 1000
        at = np.concatenate([contacts, np.zeros((len(contacts), 1))], axis=1)
        soma = self.place + np.array([0.0, shift_um, 0.0])
        out = np.zeros((time.size, len(contacts)))
        for k, strength in enumerate(self.trunk.tolist()):
            along = 22.0 * k
            away = np.linalg.norm(at - (soma + along * self.way), axis=1)
            fall = np.exp(-(away - self.place[2]) / self.extent_um)
            t = time - along / self.speed_um_ms
            wave = -np.exp(-0.5 * (t / self.width) ** 2)
            wave = wave + self.after * np.exp(-0.5 * ((t - self.late) / (1.6 * self.width)) ** 2)
            wave = wave + np.interp(t, time, self.ripple)
            out += strength * wave[:, None] * np.minimum(fall, 1.5)[None]
        return self.size_uv * out


def _smooth(rng: np.random.Generator) -> Floats:
    white = rng.normal(size=_BEFORE + _AFTER + 12)
    window = np.hanning(13)
    smooth = np.convolve(white, window / np.sqrt((window**2).sum()), mode="valid")
    return np.asarray(smooth * np.hanning(_BEFORE + _AFTER), np.float64)


__all__ = ["PROBES", "Neuron", "SimulatedDays", "probe", "simulate_days"]
