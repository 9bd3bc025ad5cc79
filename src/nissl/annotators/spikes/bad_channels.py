"""Channels that carry no neural signal: dead, noisy, or outside the brain."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.neuropixels import shank_groups
from nissl.annotators.spikes.sampling import looks, noise_uv
from nissl.data import Signal
from nissl.errors import BadSamplesError

DEAD_RATIO = 0.2  # noise below this part of the shank's median
NOISY_RATIO = 5.0  # noise above this multiple of it
DENSE_CHANNELS = 64  # of a shank, from which coherence between neighbours is meaningful
MOST = 1 / 3  # coherence that condemns more than this part of a shank is not believed


def find_bad_channels(
    signal: Signal, recording: Any, seed: int
) -> tuple[dict[str, str], dict[str, Any]]:
    """Find dead, noisy and outside-brain channels from looks at the filtered samples.

    On every probe a channel is dead or noisy by its noise level against the median of its
    shank. On dense shanks (64 channels and more, known geometry, 20 kHz and more) also by
    coherence with its neighbours and its spectrum, as in the pipeline of the International
    Brain Laboratory (SpikeInterface's "coherence+psd").

    Parameters
    ----------
    signal : Signal
    recording : spikeinterface.core.BaseRecording
        The same, filtered, uV.
    seed : int

    Returns
    -------
    bad : dict of str to str
        Channel name to "dead", "noise" or "out", in the order of the channels.
    parameters : dict
        The limits that were used.

    Raises
    ------
    BadSamplesError
        Samples that are not numbers, or no channel that carries a signal.
    """
    noise = noise_uv(recording, signal.clock, seed)
    noise[_constant(signal, seed)] = 0.0
    labels = np.full(signal.n_channels, "good", dtype="U5")
    method = "noise level"
    for group in shank_groups(signal.channels).values():
        labels[group] = by_noise(noise[group])
        if len(group) >= DENSE_CHANNELS and signal.channels.has_geometry and _is_wideband(signal):
            found = _by_coherence(recording, signal, group, seed)
            if np.mean(found != "good") <= MOST:
                method = "noise level; coherence and spectrum"
                labels[group] = np.where(labels[group] == "good", found, labels[group])
    if np.all(labels == "dead"):
        raise BadSamplesError(
            "channels that carry a signal",
            f"{signal.n_channels} channels that are constant",
            "Check the stream and the headstage; `nissl show PATH` lists the streams.",
        )
    bad = {
        name: str(label)
        for name, label in zip(signal.channels.ids, labels, strict=True)
        if label != "good"
    }
    limits = {"method": method, "dead_ratio": DEAD_RATIO, "noisy_ratio": NOISY_RATIO, "seed": seed}
    return bad, limits


def by_noise(noise: npt.NDArray[np.float64]) -> npt.NDArray[np.str_]:
    """Label channels of a shank by their noise against its median.

    Parameters
    ----------
    noise : ndarray, shape (n_channels,), uV

    Returns
    -------
    ndarray of str, shape (n_channels,)
        "good", "dead" or "noise".
    """
    live = noise[noise > 0]
    if live.size == 0:
        return np.full(noise.size, "dead", dtype="U5")
    ratio = noise / np.median(live)
    labels = np.full(noise.size, "good", dtype="U5")
    labels[ratio < DEAD_RATIO] = "dead"
    if noise.size > 4:  # of a tetrode one channel may well see much more than the others
        labels[ratio > NOISY_RATIO] = "noise"
    return labels


def _is_wideband(signal: Signal) -> bool:
    return signal.rate_hz >= 20_000


def _by_coherence(
    recording: Any, signal: Signal, group: npt.NDArray[np.intp], seed: int
) -> npt.NDArray[np.str_]:
    import spikeinterface.preprocessing as spre

    names = [signal.channels.ids[i] for i in group]
    n_looks = int(np.clip(signal.duration_s / len(signal.clock.segments) / 0.6, 3, 40))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, found = spre.detect_bad_channels(
            recording.select_channels(names),
            method="coherence+psd",
            num_random_chunks=n_looks,
            seed=seed,
            job_kwargs={"n_jobs": 1, "progress_bar": False},
        )
    return np.asarray(found)


def _constant(signal: Signal, seed: int) -> npt.NDArray[np.bool_]:
    """Channels that never change in the looks; raises where samples are not numbers."""
    from nissl.data.spikeinterface import to_spikeinterface

    low = np.full(signal.n_channels, np.inf)
    high = -low
    for samples in looks(to_spikeinterface(signal), signal.clock, seed):
        low = np.minimum(low, samples.min(axis=0, initial=np.inf))
        high = np.maximum(high, samples.max(axis=0, initial=-np.inf))
    broken = ~np.isfinite(low) | ~np.isfinite(high)
    if np.any(broken):
        names = [signal.channels.ids[i] for i in np.flatnonzero(broken)]
        raise BadSamplesError(
            "samples that are numbers",
            f"NaN or infinite samples on channels {names[:8]}",
            "Leave these channels out, or mend the file; nissl does not fill gaps in silence.",
        )
    return np.asarray(low == high)
