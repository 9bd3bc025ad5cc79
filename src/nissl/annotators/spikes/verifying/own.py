"""The recording's own units, moved to another place on the same probe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.footprints import Footprint, extreme_of, phased, tapered
from nissl.labels import ItemTable

Values = npt.NDArray[np.float64]

REACH_UM = 120.0
"""Beyond this distance from its best contact a template holds mostly noise."""
SAME_UM = 1.0
_SPREAD_UM = 15.0
_LEAST_SNR = 4.0
_LEAST_SPIKES = 50


@dataclass(frozen=True, eq=False)
class OwnUnit:
    """A unit that the first sorting found.

    Parameters
    ----------
    item : int
        In the first sorting.
    template_uv : ndarray, shape (n_samples, n_channels), float32, uV
        Mean waveform; 0 beyond `REACH_UM` of its best channel.
    channel : int
        Its best channel.
    rate_hz : float
        Samples per second of the template.
    """

    item: int
    template_uv: npt.NDArray[np.float32]
    channel: int
    rate_hz: float

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"own unit {self.item}"


def own_units(items: ItemTable, position_um: Values) -> tuple[OwnUnit, ...]:
    """Units of a sorting whose mean waveform is known well enough to be moved.

    Parameters
    ----------
    items : ItemTable
        Of a sorting, with templates.
    position_um : ndarray, shape (n_channels, 2), um

    Returns
    -------
    tuple of OwnUnit
        With at least 50 spikes and a signal-to-noise ratio of 4, the largest ratio first.
    """
    templates = items.arrays.get("template")
    if templates is None or not templates.size:
        return ()
    table = items.table
    snr, n = (table.column(name).to_numpy() for name in ("snr", "n_spikes"))
    channel = table.column("channel").to_numpy().astype(np.int64)
    rate_hz = float(items.context["rate_hz"])
    good = [k for k in np.argsort(-snr, kind="stable").tolist()]
    return tuple(
        OwnUnit(
            int(items.items[k]), _local(templates[k], int(channel[k]), position_um),
            int(channel[k]), rate_hz,
        )
        for k in good
        if snr[k] >= _LEAST_SNR and n[k] >= _LEAST_SPIKES and np.isfinite(templates[k]).all()
    )  # fmt: skip


def _local(
    template: npt.NDArray[np.float32], channel: int, position_um: Values
) -> npt.NDArray[np.float32]:
    """Fade a template out between half of `REACH_UM` and all of it."""
    distance = np.linalg.norm(position_um - position_um[channel], axis=1)
    fade = np.clip(2 - 2 * distance / REACH_UM, 0.0, 1.0)
    return np.asarray(template * fade[None, :], np.float32)


def moved(unit: OwnUnit, to_channel: int, position_um: Values, shank: npt.ArrayLike) -> Footprint:
    """Waveforms of a unit at another place: its best contact becomes `to_channel`.

    Contacts that lie, after the move, on a contact of the probe take its waveform as it is (so
    a move by whole rows changes nothing but the place); others take the mean of those near by,
    weighted by a Gaussian of 15 um. Contacts that the moved template does not reach stay 0.

    Parameters
    ----------
    unit : OwnUnit
    to_channel : int
    position_um : ndarray, shape (n_channels, 2), um
    shank : array-like, shape (n_channels,)
        Nothing is added on other shanks than that of `to_channel`.

    Returns
    -------
    Footprint
        At the template's own sampling rate.
    """
    shanks = np.asarray(shank)
    wave = tapered(unit.template_uv, unit.rate_hz)
    wave[:, shanks != shanks[unit.channel]] = 0.0
    came_from = position_um - position_um[to_channel] + position_um[unit.channel]
    away = np.linalg.norm(came_from[:, None, :] - position_um[None, :, :], axis=2)
    away[:, shanks != shanks[unit.channel]] = np.inf
    nearest = np.argmin(away, axis=1)
    out = wave[:, nearest].copy()
    for c in np.flatnonzero(away[np.arange(len(away)), nearest] > SAME_UM).tolist():
        weight = np.exp(-0.5 * (away[c] / _SPREAD_UM) ** 2)
        total = float(weight.sum())
        out[:, c] = wave @ weight / total if total > 1e-2 else 0.0
    out[:, shanks != shanks[to_channel]] = 0.0
    _, centre = extreme_of(out)
    waveforms, n_before = phased(out, centre, unit.rate_hz, unit.rate_hz)
    used = int(np.any(out, axis=0).sum())
    return Footprint(waveforms.astype(np.float32), n_before, 0.0, used)
