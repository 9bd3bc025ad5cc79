"""Events and units that are artifacts, told by a small network, so that they do not become neurons.

The network sees the channels nearest to an event and the level of all others; its card is in
`weights`. It is asked three times: about what is large, so that samples of artifacts are
silenced before anything is looked for in them (templates of neurons would be fitted to them
otherwise), about events after detection, and about the units that were found.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files as package_files

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.finding.detection import Detected, crossings
from nissl.annotators.spikes.own.matching.pursuit import Matched
from nissl.annotators.spikes.own.preprocessing.whitening import neighbours
from nissl.annotators.spikes.own.screen.network import (
    CLASSES,
    ScreenNetwork,
    from_arrays,
    from_safetensors,
    probabilities,
)
from nissl.annotators.spikes.own.screen.vicinity import N_NEAR, nearest, vicinities
from nissl.annotators.spikes.own.templates.templates import Templates

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

WEIGHTS = "screen-int8.safetensors"
SURE = (8.0, 0.98)
"""Samples beyond this, noise SDs, are looked at first; the probability from which what is large is
silenced. For the matching of a whole recording: hardly a spike may be lost."""
CAREFUL = (5.0, 0.9)
"""The same for discovery, where spikes may be missed, but artifacts spoil templates."""
SILENCE_S, SILENCE_UM = 2.5e-3, 150.0
"""Before and after, and how far along the probe. Large events are local extremes over 75 um: of
an artifact on all channels some are left between them, so that 75 um would leave holes."""
EVENT_LIMIT = 0.5
"""Probability from which a single event is taken for an artifact."""
UNIT_LIMIT = 0.5
"""Mean probability of a unit's spikes from which the unit is one."""
MOST_OUTSIDE = 1.0
"""Energy of a waveform outside what it is scored by, in parts of that within: neurons stay below
.6. Of more, subtraction makes more than it takes away, and a pursuit grows without end."""
MOST_SPIKES = 200
"""Spikes of a unit that are looked at, evenly spread over all of them."""
BATCH = 4096


@dataclass(frozen=True, eq=False)
class Screen:
    """The network, on one probe.

    Parameters
    ----------
    network : ScreenNetwork
    position_um : ndarray, shape (n_channels, 2)
    rate_hz : float
        Of the white samples.
    """

    network: ScreenNetwork
    position_um: Values
    rate_hz: float

    @classmethod
    def on(cls, position_um: Values, rate_hz: float) -> Screen | None:
        """The shipped network on a probe, or None where it is not to be trusted.

        It is trusted where places are known and there are channels beyond a vicinity: on one
        channel or four, units that are alike on all of them were taken for artifacts.

        Parameters
        ----------
        position_um : ndarray, shape (n_channels, 2), um
        rate_hz : float
            Of the white samples.
        """
        if len(position_um) <= N_NEAR or not np.isfinite(position_um).all():
            return None
        return cls(shipped(), position_um, rate_hz)

    @cached_property
    def near(self) -> npt.NDArray[np.int32]:
        """Channels of each vicinity."""
        return nearest(self.position_um)

    def __call__(self, z: Samples, at: Ints, channel: Ints) -> Samples:
        """Probabilities of `CLASSES` for events.

        Parameters
        ----------
        z : ndarray, shape (n, n_channels), float32
            White samples, as they are: not the residual of a matching.
        at, channel : ndarray, shape (n_events,), int64
            Peak and channel of each.

        Returns
        -------
        ndarray, shape (n_events, 4), float32
        """
        out = np.empty((at.size, len(CLASSES)), np.float32)
        for start in range(0, at.size, BATCH):
            own = slice(start, start + BATCH)
            windows = vicinities(z, at[own], channel[own], self.near, self.rate_hz)
            out[own] = probabilities(self.network(windows)[:, 0])
        return out


@cache
def shipped() -> ScreenNetwork:
    """The network that the package brings, its weights of eight bits."""
    folder = package_files("nissl.annotators.spikes.own.screen") / "weights"
    return from_arrays(from_safetensors((folder / WEIGHTS).read_bytes()))


def silenced(z: Samples, screen: Screen | None, limits: tuple[float, float] = SURE) -> Samples:
    """White samples with zeros where artifacts are large, on the channels where they are.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
        Not changed.
    screen : Screen or None
        None silences nothing.
    limits : tuple of float
        `SURE` or `CAREFUL`.

    Returns
    -------
    ndarray, shape (n, n_channels), float32
        `z` itself where there is nothing to silence.
    """
    if screen is None:
        return z
    at, channel = artifacts_of(z, screen, limits)
    return without(z, screen, at, channel) if at.size else z


def artifacts_of(z: Samples, screen: Screen, limits: tuple[float, float]) -> tuple[Ints, Ints]:
    """Sample and channel of what the network takes for artifacts, each shape (n_events,).

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
    screen : Screen
    limits : tuple of float
        `SURE` or `CAREFUL`.
    """
    large = crossings(z, screen.position_um, limits[0], screen.rate_hz)
    artifact = screen(z, large.at, large.channel)[:, CLASSES.index("artifact")] >= limits[1]
    return large.at[artifact], large.channel[artifact]


def without(z: Samples, screen: Screen, at: Ints, channel: Ints) -> Samples:
    """White samples with zeros around events, on the channels near each."""
    reach = round(SILENCE_S * screen.rate_hz)
    held = np.zeros(z.shape, bool)
    for t, c in zip(at.tolist(), channel.tolist(), strict=True):
        held[max(t - reach, 0) : t + reach + 1, c] = True
    near = neighbours(screen.position_um, SILENCE_UM)
    rows = np.flatnonzero(held.any(axis=1))
    over = held[rows].astype(np.float32) @ near.astype(np.float32) > 0
    out = z.copy()
    out[rows] = np.where(over, np.float32(0), z[rows])
    return out


def without_artifacts(found: Detected, z: Samples, screen: Screen) -> Detected:
    """Events that are not artifacts.

    Parameters
    ----------
    found : Detected
    z : ndarray, shape (n, n_channels), float32
        White samples, as they are.
    screen : Screen
    """
    p = screen(z, found.at, found.channel)[:, CLASSES.index("artifact")]
    kept = p < EVENT_LIMIT
    return found.taken(kept)


def compact(templates: Templates, count: Ints) -> npt.NDArray[np.bool_]:
    """Which templates are as short as a spike; those of artifacts have long tails.

    Parameters
    ----------
    templates : Templates
    count : ndarray, shape (n_units,)
        Spikes that each is the mean of: the noise that is left in it is not counted.
    """
    held = np.sum(np.any(templates.waveforms != 0, axis=1), axis=1)
    whole = np.sum(templates.waveforms.astype(np.float64) ** 2, axis=(1, 2))
    noise = (templates.windows.long - len(templates.basis)) * held / np.maximum(count, 1)
    outside = whole - templates.norms - noise
    return np.asarray(outside <= MOST_OUTSIDE * templates.norms)


def artifact_share(templates: Templates, spikes: Matched, z: Samples, screen: Screen) -> Values:
    """Mean probability that spikes of a unit are artifacts, shape (n_units,); 0 without spikes.

    Parameters
    ----------
    templates : Templates
    spikes : Matched
        What `pursue` found with them in `z`.
    z : ndarray, shape (n, n_channels), float32
    screen : Screen
    """
    chosen = [
        own[np.linspace(0, own.size - 1, min(own.size, MOST_SPIKES)).astype(np.int64)]
        for own in (np.flatnonzero(spikes.unit == u) for u in range(len(templates)))
    ]
    rows = np.concatenate([np.empty(0, np.int64), *chosen])
    unit = spikes.unit[rows]
    p = screen(z, spikes.at[rows], templates.main[unit])[:, CLASSES.index("artifact")]
    count = np.bincount(unit, minlength=len(templates))
    return np.bincount(unit, p.astype(np.float64), len(templates)) / np.maximum(count, 1)


def neuronal(
    templates: Templates, spikes: Matched, z: Samples, screen: Screen
) -> npt.NDArray[np.bool_]:
    """Which units are not artifacts; parameters as of `artifact_share`."""
    return np.asarray(artifact_share(templates, spikes, z, screen) < UNIT_LIMIT)
