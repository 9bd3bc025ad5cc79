"""Placing a real unit beside a probe: its waveforms on new contacts, between samples.

What is real is the waveform of each channel and, with ``spatial="measured"``, its amplitude
too. The order of a library's channels on their probe is often unknown, so the geometry is made:
the strongest channel goes to the contact nearest to the unit, the second to the second, and so
on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.hybrid_units import HybridUnit
from nissl.errors import BadArgumentError

SPATIAL = ("fitted", "measured")
N_PHASES = 8
"""Sub-sample positions at which waveforms are kept: spikes are placed to 1/8 of a sample."""

TAPER_S = 0.3e-3
"""Cosine taper at both ends of a waveform, so that none begins or ends with a step."""

_SOURCE_PITCH_UM = 20.0
_DECAY_UM = (8.0, 60.0)
_KEPT = 0.1
_FINE = 16


@dataclass(frozen=True, eq=False)
class Footprint:
    """A unit's waveforms on the contacts of a probe.

    Parameters
    ----------
    waveforms_uv : ndarray, shape (N_PHASES, n_samples, n_channels), float32, uV
        Phase p is for a spike ``(p - N_PHASES // 2) / N_PHASES`` samples after its sample.
    n_before : int
        Samples before the spike's sample.
    decay_um : float
        Length constant of the amplitude's fall with distance.
    n_real_channels : int
        Channels of the real template that were used.
    """

    waveforms_uv: npt.NDArray[np.float32]
    n_before: int
    decay_um: float
    n_real_channels: int

    @property
    def template_uv(self) -> npt.NDArray[np.float32]:
        """Waveform of a spike exactly on its sample, shape (n_samples, n_channels), uV."""
        centred: npt.NDArray[np.float32] = self.waveforms_uv[N_PHASES // 2]
        return centred


@dataclass(frozen=True, eq=False)
class Field:
    """What a unit looks like on every contact where it is placed, and by which law it fades.

    Parameters
    ----------
    shapes : ndarray, shape (N_PHASES, n_samples, n_channels), float64
        Waveforms scaled to a largest deflection of 1.
    amplitude_uv : ndarray, shape (n_channels,), uV
    log_excess : ndarray, shape (n_channels,)
        Logarithm of the amplitude over that of the law ``peak_uv * exp(-(distance -
        nearest_um) / decay_um)``; 0 where the law holds.
    peak_uv : float
        Amplitude on the nearest contact.
    nearest_um : float
        Distance to it.
    decay_um : float
    n_before : int
    n_real_channels : int
    """

    shapes: npt.NDArray[np.float64]
    amplitude_uv: npt.NDArray[np.float64]
    log_excess: npt.NDArray[np.float64]
    peak_uv: float
    nearest_um: float
    decay_um: float
    n_before: int
    n_real_channels: int

    @property
    def footprint(self) -> Footprint:
        """Waveforms where the unit is placed."""
        waveforms = (self.shapes * self.amplitude_uv).astype(np.float32)
        return Footprint(waveforms, self.n_before, self.decay_um, self.n_real_channels)


def tapered(template_uv: npt.NDArray[np.float32], rate_hz: float) -> npt.NDArray[np.float64]:
    """Fade a template to 0 at both ends, shape (n_samples, n_channels)."""
    n = template_uv.shape[0]
    width = min(max(1, round(TAPER_S * rate_hz)), n // 2)
    rise = 0.5 - 0.5 * np.cos(np.pi * np.arange(width) / max(width, 1))
    window = np.ones(n)
    window[:width] = rise
    window[n - width :] = rise[::-1]
    return np.asarray(template_uv * window[:, None], dtype=np.float64)


def sampled_at(
    template: npt.NDArray[np.float64], at: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Band-limited interpolation of a template that is 0 at its ends.

    Parameters
    ----------
    template : ndarray, shape (n_samples, n_channels)
    at : ndarray, shape (n,)
        Positions in samples; outside the template the waveform is 0.

    Returns
    -------
    ndarray, shape (n, n_channels)
        The trigonometric polynomial through the samples, zero-padded by their own length.
    """
    n = template.shape[0]
    padded = np.pad(template, ((n // 2, n // 2), (0, 0)))
    m = padded.shape[0]
    coefficients = np.fft.rfft(padded, axis=0) / m
    weight = np.full(coefficients.shape[0], 2.0)
    weight[0] = 1.0
    if m % 2 == 0:
        weight[-1] = 1.0
    angle = 2j * np.pi / m * np.outer(at + n // 2, np.arange(coefficients.shape[0]))
    out = (np.exp(angle) * weight) @ coefficients
    inside = (at > -1) & (at < n)
    return np.asarray(np.where(inside[:, None], out.real, 0.0), dtype=np.float64)


def extreme_of(template: npt.NDArray[np.float64]) -> tuple[int, float]:
    """Channel and position, in fractions of a sample, of the largest deflection."""
    channel = int(np.argmax(np.max(np.abs(template), axis=0)))
    fine = np.arange(template.shape[0] * _FINE) / _FINE
    values = np.abs(sampled_at(template[:, [channel]], fine)[:, 0])
    return channel, float(fine[int(np.argmax(values))])


def footprint(
    unit: HybridUnit,
    place_um: npt.NDArray[np.float64],
    position_um: npt.NDArray[np.float64],
    rate_hz: float,
    *,
    spatial: str = "fitted",
) -> Footprint:
    """Place a unit beside a probe.

    Parameters
    ----------
    unit : HybridUnit
    place_um : ndarray, shape (3,), micrometres
        Where it sits: x, y in the plane of the probe and the distance from it.
    position_um : ndarray, shape (n_channels, 2), micrometres
        Contacts.
    rate_hz : float
        Rate of the recording to be made.
    spatial : {"fitted", "measured"}
        "fitted": amplitudes fall off exponentially with distance to the contact, with the
        length constant fitted to the real channels (their ranks taken as a line of contacts
        20 um apart around the strongest one). "measured": the amplitudes of the real channels
        by rank, and the fitted fall only for contacts beyond them.

    Returns
    -------
    Footprint
        The strongest contact has exactly the amplitude of the strongest real channel after
        tapering.
    """
    return field_of(unit, place_um, position_um, rate_hz, spatial=spatial).footprint


def field_of(
    unit: HybridUnit,
    place_um: npt.NDArray[np.float64],
    position_um: npt.NDArray[np.float64],
    rate_hz: float,
    *,
    spatial: str = "fitted",
) -> Field:
    """Shapes and amplitudes apart, of a unit placed beside a probe; see `footprint`."""
    if spatial not in SPATIAL:
        raise BadArgumentError(f"one of {SPATIAL}", repr(spatial), "Choose one of them.")
    source = tapered(unit.template_uv, unit.rate_hz)
    best, centre = extreme_of(source)
    ranks = _ranked(source, best)
    size = np.max(np.abs(source[:, ranks]), axis=0)
    decay = _fitted_decay(size)
    shapes, n_before = phased(source[:, ranks] / size, centre, unit.rate_hz, rate_hz)
    distance = distances_um(place_um, position_um)
    nearest = np.argsort(distance, kind="stable")
    beyond = distance - distance[nearest[0]]
    amplitude = size[0] * np.exp(-beyond / decay)
    excess = np.zeros(len(distance))
    rank = np.empty(len(distance), dtype=np.int64)
    rank[nearest] = np.arange(len(distance))
    real = rank < len(ranks)
    if spatial == "measured":
        last = beyond[nearest[min(len(ranks), len(nearest)) - 1]]
        amplitude = size[-1] * np.exp(-np.maximum(beyond - last, 0.0) / decay)
        amplitude[real] = size[rank[real]]
        excess = np.log(size[-1] / size[0]) + np.minimum(beyond, last) / decay
        excess[real] = np.log(size[rank[real]] / size[0]) + beyond[real] / decay
    return Field(
        shapes=shapes[:, :, np.minimum(rank, len(ranks) - 1)],
        amplitude_uv=amplitude,
        log_excess=excess,
        peak_uv=float(size[0]),
        nearest_um=float(distance[nearest[0]]),
        decay_um=decay,
        n_before=n_before,
        n_real_channels=min(len(ranks), len(distance)),
    )


def distances_um(
    place_um: npt.NDArray[np.float64], position_um: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Distance of contacts, shape (n_channels, 2), from a place (x, y, distance from the probe)."""
    aside = np.sum((position_um - place_um[:2]) ** 2, axis=1)
    return np.asarray(np.sqrt(aside + place_um[2] ** 2), dtype=np.float64)


def _ranked(source: npt.NDArray[np.float64], best: int) -> npt.NDArray[np.intp]:
    """Channels from the strongest on; below a tenth of it there is mostly noise."""
    size = np.max(np.abs(source), axis=0)
    order = np.argsort(-size, kind="stable")
    return np.asarray(order[size[order] >= _KEPT * size[best]], dtype=np.intp)


def _fitted_decay(size: npt.NDArray[np.float64]) -> float:
    """Least-squares length constant, um, through the strongest channel."""
    distance = _SOURCE_PITCH_UM * ((np.arange(size.size) + 1) // 2)
    fall = np.log(size[0] / size)
    if float(distance @ fall) <= 0:
        return _DECAY_UM[0]
    return float(np.clip((distance @ distance) / (distance @ fall), *_DECAY_UM))


def phased(
    source: npt.NDArray[np.float64], centre: float, source_hz: float, rate_hz: float
) -> tuple[npt.NDArray[np.float64], int]:
    """Waveforms at the new rate, at each phase.

    Parameters
    ----------
    source : ndarray, shape (n_samples, n_channels)
        0 at both ends; see `tapered`.
    centre : float
        Position of the spike, samples.
    source_hz, rate_hz : float

    Returns
    -------
    waveforms : ndarray, shape (N_PHASES, n, n_channels)
    n_before : int
        Samples before the spike's sample.
    """
    n_before = int(np.ceil(centre / source_hz * rate_hz)) + 1
    n_after = int(np.ceil((source.shape[0] - centre) / source_hz * rate_hz)) + 1
    grid = np.arange(-n_before, n_after, dtype=np.float64)
    phases = (np.arange(N_PHASES) - N_PHASES // 2) / N_PHASES
    at = centre + (grid[None, :] - phases[:, None]) * (source_hz / rate_hz)
    flat = sampled_at(source, at.ravel())
    return flat.reshape(N_PHASES, grid.size, source.shape[1]), n_before
