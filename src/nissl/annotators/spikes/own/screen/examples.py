"""Events of recordings with known truth, each with what it is: examples for the screen.

A recording is contaminated (`contaminating`) in its second half and made white as the sorter
makes it; events are those of matched detection at a low threshold, true spikes, and random
places. What an event is follows from the truth and from what the contamination left in the
white samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.groundtruth import GroundTruth
from nissl.annotators.spikes.own.finding.detection import APART_S, APART_UM, footprints, matched
from nissl.annotators.spikes.own.finding.shapes import learn_shapes
from nissl.annotators.spikes.own.preprocessing.front import fit_front, white
from nissl.annotators.spikes.own.preprocessing.whitening import neighbours
from nissl.annotators.spikes.own.screen.contaminating import contamination, saturated
from nissl.annotators.spikes.own.templates.estimating import mean_waveforms
from nissl.annotators.spikes.own.templates.templates import without_noise
from nissl.annotators.spikes.own.windows import Windows
from nissl.data import Signal
from nissl.errors import BadSamplesError

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

NOISE, SPIKE, OVERLAP, ARTIFACT = range(4)
UNSURE = -1
THRESHOLD = 3.6
"""Noise SDs of matched detection from which events are examples."""
NEAR_S = 0.4e-3
NEAR_UM = 60.0
OVERLAP_S = 1.0e-3
LEAST_PEAK = 1.5
"""White SDs on a channel from which another spike there overlaps."""
LEFT = 2.5
"""White SDs of contamination from which an event without a true spike is an artifact."""


@dataclass(frozen=True, eq=False)
class Known:
    """A contaminated recording in white samples, with its truth.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
    added : ndarray, shape (n, n_channels), float32
        What of `z` is the contamination.
    position_um : ndarray, shape (n_channels, 2)
    rate_hz : float
        Of `z`.
    at, unit : ndarray, shape (n_spikes,), int64
        Peaks of true spikes in `z`, and their units, in order of time.
    waveforms : ndarray, shape (n_units, n_long, n_channels), float32
        Mean white waveforms, aligned on their peaks.
    snr : ndarray, shape (n_units,), float64
        Extreme value over the level of the noise, as `GroundTruth` states it.
    clean : int
        Samples before the first contaminated one.
    """

    z: Samples
    added: Samples
    position_um: Values
    rate_hz: float
    at: Ints
    unit: Ints
    waveforms: Samples
    snr: Values
    clean: int

    @property
    def main(self) -> Ints:
        """Channel on which each unit is largest."""
        return np.asarray(np.argmax(np.sum(self.waveforms**2, axis=1), axis=1), np.int64)

    @property
    def norm(self) -> Values:
        """Root of the scored white energy of each unit: SDs of the ideal matched filter."""
        windows = Windows.at(self.rate_hz)
        cut = self.waveforms[:, windows.lead : windows.lead + windows.scored]
        return np.asarray(np.sqrt(np.sum(cut.astype(np.float64) ** 2, axis=(1, 2))))


@dataclass(frozen=True, eq=False)
class Events:
    """Places in white samples, and what is there.

    Parameters
    ----------
    at, channel : ndarray, shape (n,), int64
    score : ndarray, shape (n,), float32
        Of matched detection; NaN where the place is not one of its events.
    kind : ndarray, shape (n,), int64
        NOISE, SPIKE, OVERLAP, ARTIFACT, or UNSURE.
    spike : ndarray, shape (n,), int64
        Number of the true spike, -1 without one.
    """

    at: Ints
    channel: Ints
    score: Samples
    kind: Ints
    spike: Ints


def known(made: GroundTruth, rng: np.random.Generator, *, clean_share: float = 0.5) -> Known:
    """Contaminate a recording after its clean part and make it white.

    Parameters
    ----------
    made : GroundTruth
    rng : numpy.random.Generator
    clean_share : float
        Part of the recording that nothing is added to.
    """
    signal = made.recording.signal
    raw = np.asarray(signal.read(0, signal.n_samples), np.float32)
    position = np.asarray(signal.channels.position_um, np.float64)[:, :2]
    first = round(clean_share * len(raw))
    added = contamination(len(raw) - first, position, signal.rate_hz, rng)
    dirty = raw.copy()
    dirty[first:] = saturated(raw[first:] + added, rng)
    soiled = _signal(dirty, signal)
    front = fit_front(soiled, range(signal.n_channels), 300.0, 6000.0)
    segment, n = signal.clock.segments[0], len(raw)
    z = white(soiled, front, segment, 0, n)
    added_z = z - white(signal, front, segment, 0, n)
    step = front.band.step
    at = np.round((made.truth.column("sample") + front.delay) / step).astype(np.int64)
    items = made.truth.column("item").astype(np.int64)
    listed = np.asarray(made.items.table.column("item"))
    unit = np.searchsorted(listed, items)
    at, waves = _aligned(z, at, unit, listed.size, first // step, front.rate_hz)
    snr = np.asarray(made.items.table.column("snr"), np.float64)
    order = np.argsort(at, kind="stable")
    return Known(
        z,
        added_z,
        position,
        front.rate_hz,
        at[order],
        unit[order],
        without_noise(waves),
        snr,
        first // step,
    )


def _signal(raw_uv: Samples, like: Signal) -> Signal:
    from nissl.data import ArrayReader, ChannelTable

    channels = ChannelTable.plain(
        raw_uv.shape[1], position_um=np.asarray(like.channels.position_um)[:, :2]
    )
    return Signal(like.name, ArrayReader(raw_uv), channels, like.clock, {})


def _aligned(
    z: Samples, at: Ints, unit: Ints, n_units: int, clean: int, rate_hz: float
) -> tuple[Ints, Samples]:
    """Truth moved to the peaks of its white waveforms, and these."""
    windows = Windows.at(rate_hz)
    for _ in range(2):
        own = at < clean
        late = np.zeros(int(own.sum()), np.float32)
        waves = mean_waveforms(
            z, at[own], late, unit[own], n_units, windows.long_before, windows.long
        )
        main = np.argmax(np.sum(waves**2, axis=1), axis=1)
        course = np.abs(waves[np.arange(n_units), :, main])
        at = at + (np.argmax(course, axis=1) - windows.long_before)[unit]
    return at, waves


def events_of(k: Known, rng: np.random.Generator, threshold: float = THRESHOLD) -> Events:
    """Events of matched detection with what they are.

    Raises
    ------
    BadSamplesError
        Too few large spikes to learn the shapes of a matched filter from.
    """
    windows = Windows.at(k.rate_hz)
    shapes = learn_shapes(k.z[: k.clean], k.position_um, k.rate_hz, windows, rng)
    if shapes is None:
        raise BadSamplesError(
            "a recording with large spikes", "too few of them", "Simulate a longer one."
        )
    found = matched(
        k.z,
        shapes.basis,
        shapes.prototypes,
        footprints(k.position_um),
        neighbours(k.position_um, APART_UM),
        threshold,
        windows.before,
        max(1, round(APART_S * k.rate_hz)),
    )
    spike = assigned(k, found.at, found.channel, found.score)
    return Events(
        found.at, found.channel, found.score, kinds(k, found.at, found.channel, spike), spike
    )


def more_events(k: Known, n: int, rng: np.random.Generator) -> Events:
    """True spikes, places beside them, and random places: what detection alone does not give."""
    chosen = rng.permutation(k.at.size)[:n]
    main = k.main[k.unit[chosen]]
    jitter = rng.integers(-1, 2, chosen.size)
    beside = rng.integers(5, 16, chosen.size) * rng.choice([-1, 1], chosen.size)
    at = np.concatenate(
        [k.at[chosen] + jitter, k.at[chosen] + beside, rng.integers(len(k.z), size=n)]
    )
    channel = np.concatenate([main, main, rng.integers(k.z.shape[1], size=n)])
    inside = (at >= 0) & (at < len(k.z))
    at, channel = at[inside], channel[inside]
    spike = nearest_spike(k, at, channel)
    return Events(
        at, channel, np.full(at.size, np.nan, np.float32), kinds(k, at, channel, spike), spike
    )


def nearest_spike(k: Known, at: Ints, channel: Ints) -> Ints:
    """Largest true spike at each place, -1 where there is none."""
    reach = round(NEAR_S * k.rate_hz)
    apart = np.linalg.norm(k.position_um[:, None] - k.position_um[None], axis=2)
    main, norm = k.main, k.norm
    low, high = np.searchsorted(k.at, at - reach), np.searchsorted(k.at, at + reach + 1)
    out = np.full(at.size, -1, np.int64)
    for i in range(at.size):
        own = np.arange(low[i], high[i])
        own = own[~(apart[main[k.unit[own]], channel[i]] > NEAR_UM)]
        if own.size:
            out[i] = own[np.argmax(norm[k.unit[own]])]
    return out


def assigned(k: Known, at: Ints, channel: Ints, score: Samples) -> Ints:
    """True spike of each event, the largest events first, none twice; -1 without one."""
    reach = round(NEAR_S * k.rate_hz)
    apart = np.linalg.norm(k.position_um[:, None] - k.position_um[None], axis=2)
    main, norm = k.main, k.norm
    low, high = np.searchsorted(k.at, at - reach), np.searchsorted(k.at, at + reach + 1)
    taken = np.zeros(k.at.size, bool)
    out = np.full(at.size, -1, np.int64)
    for i in np.argsort(-score, kind="stable"):
        own = np.arange(low[i], high[i])
        own = own[~(apart[main[k.unit[own]], channel[i]] > NEAR_UM) & ~taken[own]]
        if own.size:
            best = own[np.argmin(np.abs(norm[k.unit[own]] - score[i]))]
            taken[best] = True
            out[i] = best
    return out


def kinds(k: Known, at: Ints, channel: Ints, spike: Ints) -> Ints:
    """What is at places of which the true spike is known."""
    windows = Windows.at(k.rate_hz)
    peak = np.max(np.abs(k.waveforms), axis=1)  # (n_units, n_channels)
    reach, wide = round(OVERLAP_S * k.rate_hz), windows.before
    low, high = np.searchsorted(k.at, at - reach), np.searchsorted(k.at, at + reach + 1)
    out = np.full(at.size, NOISE, np.int64)
    for i in range(at.size):
        c = channel[i]
        around = slice(max(at[i] - wide, 0), at[i] + wide + 1)
        left = float(np.max(np.abs(k.added[around, c]), initial=0))
        if not k.z[around, c].any():
            out[i] = UNSURE
        elif spike[i] < 0:
            out[i] = ARTIFACT if left > LEFT else NOISE
        else:
            own = peak[k.unit[spike[i]], c]
            others = [s for s in range(low[i], high[i]) if s != spike[i]]
            crowded = any(peak[k.unit[s], c] > max(LEAST_PEAK, 0.3 * own) for s in others)
            out[i] = UNSURE if left > max(LEFT / 2, 0.5 * own) else (OVERLAP if crowded else SPIKE)
    return out
