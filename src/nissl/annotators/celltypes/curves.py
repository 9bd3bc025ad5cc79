"""Numbers that the curves of a unit tell: its waveform, autocorrelogram and intervals.

They are read off the common axes (`nissl.annotators.celltypes.axes`), so that recordings of any
rate, and published collections of which only curves are left, give the same numbers.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.axes import ACG, BEFORE, ISI, LOG_S, WAVE, WAVE_MS
from nissl.labels import FeatureTable

Values = npt.NDArray[np.float64]

REACH = BEFORE + 20
"""Last sample of the waveform that is looked at, 0.67 ms: published collections end soon after."""

_EARLIEST = BEFORE - 22
_LOG10_S = np.log10(LOG_S)
_SMOOTHING = 2.0  # bins of 0.04 decades
_PEAK_BINS = slice(0, 60)  # up to 0.25 s


@dataclass(frozen=True)
class Curve:
    """One number read off a curve.

    Parameters
    ----------
    name, unit : str
    says : str
        A sentence part for readers with a place for the value.
    """

    name: str
    unit: str
    says: str


CURVES = (
    Curve("wave_peak_ms", "ms", "waveform peaks {:.2f} ms after its trough"),
    Curve("wave_peak", "", "peak after the trough {:.2f} of its depth"),
    Curve("wave_before", "", "peak before the trough {:.2f} of its depth"),
    Curve("wave_half_ms", "ms", "trough {:.2f} ms wide at half depth"),
    Curve("wave_at_067", "", "waveform at {:+.2f} of its depth 0.67 ms after the trough"),
    Curve("wave_at_027", "", "waveform at {:+.2f} of its depth 0.27 ms after the trough"),
    Curve("wave_at_013", "", "waveform at {:+.2f} of its depth 0.13 ms after the trough"),
    Curve("wave_asymmetry", "", "peaks before and after the trough unequal by {:+.2f}"),
    Curve("isi_mean_ms", "ms", "typical interval {:.3g} ms"),
    Curve("isi_spread_decades", "log10", "intervals spread over {:.2f} decades"),
    Curve("isi_peak_ms", "ms", "commonest interval {:.3g} ms"),
    Curve("acg_peak", "", "fires up to {:.2g} times its mean rate after a spike"),
    Curve("acg_peak_ms", "ms", "fires most {:.3g} ms after a spike"),
    Curve("acg_3_10_ms", "", "{:.2g} times its mean rate 3 to 10 ms after a spike"),
    Curve("acg_1_2_ms", "", "{:.2g} times its mean rate 1 to 2 ms after a spike"),
    Curve("acg_66_166_ms", "", "{:.2g} times its mean rate 66 to 166 ms after a spike"),
    Curve("isi_q05_ms", "ms", "one interval in twenty below {:.3g} ms"),
    Curve("isi_q25_ms", "ms", "one interval in four below {:.3g} ms"),
    Curve("isi_q50_ms", "ms", "half of the intervals below {:.3g} ms"),
    Curve("isi_q75_ms", "ms", "three intervals in four below {:.3g} ms"),
    Curve("isi_q95_ms", "ms", "one interval in twenty above {:.3g} ms"),
)
CURVE_NAMES = tuple(curve.name for curve in CURVES)


def curve_features(wave: Values, acg: Values, isi: Values) -> Values:
    """Read the numbers of `CURVES` off the curves of units.

    Parameters
    ----------
    wave : ndarray, shape (n_units, 61), float64
        On `WAVE_MS`, largest deflection 1 in size.
    acg, isi : ndarray, shape (n_units, 100), float64
        On `LOG_S`.

    Returns
    -------
    ndarray, shape (n_units, 21), float64
        NaN where a curve does not tell.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # units without a curve
        out = np.concatenate([_of_wave(wave), _of_trains(acg, isi)], axis=1)
    return out


def curves_of(table: FeatureTable) -> tuple[Values, Values, Values]:
    """Waveforms, autocorrelograms and intervals of a table, NaN where it has no such columns."""
    place = {name: k for k, name in enumerate(table.names)}
    found = []
    for names in (WAVE, ACG, ISI):
        if all(name in place for name in names):
            found.append(table.values[:, [place[name] for name in names]])
        else:
            found.append(np.full((len(table.items), len(names)), np.nan))
    return found[0], found[1], found[2]


def _of_wave(wave: Values) -> Values:
    inside = wave[:, _EARLIEST : REACH + 1]
    whole = np.isfinite(inside[:, 22 - 8 :]).all(axis=1)  # from 0.27 ms before the trough
    after = wave[:, BEFORE : REACH + 1]
    filled = np.where(np.isfinite(after), after, -np.inf)
    place = filled.argmax(axis=1)
    peak = np.nanmax(after, axis=1)
    before = np.nanmax(wave[:, _EARLIEST:BEFORE], axis=1)
    asymmetry = (peak - before) / (np.abs(peak) + np.abs(before) + 0.01)
    step = WAVE_MS[1] - WAVE_MS[0]
    columns = [
        place * step,
        peak,
        before,
        np.sum(inside < -0.5, axis=1) * step,
        wave[:, REACH],
        wave[:, BEFORE + 8],
        wave[:, BEFORE + 4],
        asymmetry,
    ]
    out = np.stack(columns, axis=1).astype(np.float64)
    out[~whole] = np.nan
    return out


def _of_trains(acg: Values, isi: Values) -> Values:
    from scipy.ndimage import gaussian_filter1d

    share = isi / isi.sum(axis=1, keepdims=True)
    mean = share @ _LOG10_S
    spread = np.sqrt(np.maximum((share * (_LOG10_S - mean[:, None]) ** 2).sum(axis=1), 0.0))
    mode = _LOG10_S[gaussian_filter1d(np.nan_to_num(share), _SMOOTHING, axis=1).argmax(axis=1)]
    smooth = gaussian_filter1d(np.nan_to_num(acg), _SMOOTHING, axis=1)[:, _PEAK_BINS]
    of_isi = [_ms(mean), spread, np.where(np.isfinite(mean), _ms(mode), np.nan)]
    of_acg = [
        smooth.max(axis=1),
        _ms(_LOG10_S[smooth.argmax(axis=1)]),
        *(acg[:, a:b].mean(axis=1) for a, b in ((10, 25), (0, 8), (45, 55))),
    ]
    known = np.isfinite(acg).all(axis=1)
    columns = [*of_isi, *(np.where(known, values, np.nan) for values in of_acg)]
    cumulated = np.cumsum(share, axis=1)
    for level in (0.05, 0.25, 0.5, 0.75, 0.95):
        at = np.minimum((cumulated < level).sum(axis=1), _LOG10_S.size - 1)
        columns.append(np.where(np.isfinite(mean), _ms(_LOG10_S[at]), np.nan))
    return np.stack(columns, axis=1)


def _ms(log10_s: Values) -> Values:
    return np.asarray(1000 * 10.0**log10_s)
