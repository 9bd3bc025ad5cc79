"""Pictures of one unit: waveform on the probe, autocorrelogram, amplitude over time, PSTH."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.report.theme import BLUE, INK, MUTED, ORANGE, figure, quiet, to_svg

_MAX_DOTS = 3000


def waveform(
    template_uv: npt.NDArray[Any],
    position_um: npt.NDArray[Any],
    best: int,
    rate_hz: float,
    unit: str = "uV",
) -> str:
    """Template of a unit on the contacts around its best channel.

    Parameters
    ----------
    template_uv : ndarray, shape (n_samples, n_channels), uV
    position_um : ndarray, shape (n_channels, 2), um
    best : int
        Channel of the largest amplitude.
    rate_hz : float
    unit : str
        Unit of the template.
    """
    near = _nearest(template_uv, position_um, best)
    if not np.all(np.isfinite(position_um[near])):
        place = np.stack([np.zeros(near.size), 40.0 * np.arange(near.size)], axis=1)
    else:
        place = position_um[near]
    dx, dy = _pitch(place)
    peak = max(float(np.nanmax(np.abs(template_uv[:, near]))), 1e-6)
    t = np.linspace(-0.42, 0.42, template_uv.shape[0]) * dx
    with figure(2.7, 2.7) as (made, axes):
        for column, (x, y) in zip(near, place, strict=True):
            wave = template_uv[:, column] / peak * dy * 0.9
            colour = BLUE if column == best else MUTED
            axes.plot(x + t, y + wave, color=colour, lw=1.6 if column == best else 0.9)
        quiet(axes)
        ms = template_uv.shape[0] / rate_hz * 1e3
        axes.set_title(f"{peak:.0f} {'µV' if unit == 'uV' else unit} · {ms:.1f} ms", fontsize=8)
        return to_svg(made, f"Waveform on the probe, peak {peak:.0f} {unit}")


def _nearest(
    template: npt.NDArray[Any], position: npt.NDArray[Any], best: int, n: int = 7
) -> npt.NDArray[np.intp]:
    if np.all(np.isfinite(position)):
        distance = np.linalg.norm(position - position[best], axis=1)
    else:
        distance = np.abs(np.arange(template.shape[1]) - best).astype(float)
    usable = np.isfinite(template).all(axis=0)
    return np.asarray(
        [c for c in np.argsort(distance, kind="stable") if usable[c]][:n], dtype=np.intp
    )


def _pitch(place: npt.NDArray[Any]) -> tuple[float, float]:
    def smallest(values: npt.NDArray[Any], default: float) -> float:
        steps = np.diff(np.unique(np.round(values, 1)))
        return float(steps.min()) if steps.size else default

    dy = smallest(place[:, 1], 40.0)
    return max(smallest(place[:, 0], 40.0), 12.0), max(dy, 10.0)


def autocorrelogram(acg_hz: npt.NDArray[Any], refractory_ms: float = 1.5) -> str:
    """Autocorrelogram, shape (n_bins,), Hz, in 1-ms bins around 0; refractory time shaded."""
    half = acg_hz.size // 2
    lags = np.arange(acg_hz.size) - half
    with figure(2.7, 2.0) as (made, axes):
        axes.stairs(acg_hz, np.append(lags, half + 1) - 0.5, color=BLUE, fill=True)
        axes.axvspan(-refractory_ms, refractory_ms, color=ORANGE, alpha=0.35, lw=0)
        axes.set_xlim(-half, half)
        axes.set_xlabel("lag (ms)")
        axes.set_ylabel("spikes/s")
        return to_svg(made, "Autocorrelogram with the refractory time shaded")


def amplitude(t_s: npt.NDArray[Any], amplitude_uv: npt.NDArray[Any], duration_s: float) -> str:
    """Amplitude of each spike over the recording, with its distribution."""
    step = max(1, t_s.size // _MAX_DOTS)
    size = np.abs(amplitude_uv)
    with figure(2.9, 2.0, ncols=2, width_ratios=[4, 1], sharey=True) as (made, (left, right)):
        left.scatter(
            t_s[::step], size[::step], s=3, color=BLUE, alpha=0.5, linewidths=0, rasterized=True
        )
        left.set_xlim(0, duration_s)
        left.set_xlabel("time (s)")
        left.set_ylabel("amplitude (µV)")
        left.set_ylim(bottom=0)
        finite = size[np.isfinite(size)]
        if finite.size:
            counts, edges = np.histogram(finite, bins=30)
            right.stairs(counts, edges, orientation="horizontal", color=MUTED, fill=True)
        right.set_xticks([])
        return to_svg(made, "Amplitude of the spikes over time")


def psth(times_s: npt.NDArray[Any], rate_hz: npt.NDArray[Any], sem_hz: Any, name: str) -> str:
    """Firing rate around an event; the band is one standard error over events."""
    with figure(2.7, 2.0) as (made, axes):
        axes.plot(times_s, rate_hz, color=BLUE, lw=1.2)
        if sem_hz is not None:
            axes.fill_between(
                times_s, rate_hz - sem_hz, rate_hz + sem_hz, color=BLUE, alpha=0.25, lw=0
            )
        axes.axvline(0, color=INK, lw=0.7, ls=":")
        axes.set_xlabel(f"s from {name}")
        axes.set_ylabel("spikes/s")
        axes.set_ylim(bottom=0)
        return to_svg(made, f"Firing rate around {name}")
