"""Features from correlograms that somebody else counted.

Public collections keep autocorrelograms and interval histograms where spike times are missing
or would mislead: spikes that a laser drove tell of the laser. In CellExplorer's ground truth
the stored correlograms leave stimulation out and the stored spike times do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.acg_fit import FIT_FEATURES, fit_acgs
from nissl.annotators.celltypes.axes import ACG, ISI, LOG_EDGES_S, LOG_S, N_LOG
from nissl.annotators.celltypes.features import NAMES, SCALAR_NAMES, featurise_units
from nissl.annotators.celltypes.trains import BASE_S, correlogram_features, isi_mode_ms
from nissl.annotators.celltypes.unit import Unit
from nissl.errors import BadArgumentError
from nissl.labels import FeatureTable

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Correlograms:
    """What a source stores of one unit's spike train; what it lacks is None.

    Parameters
    ----------
    narrow_hz : ndarray, shape (201,), float64, optional
        Autocorrelogram in bins of 0.5 ms centred on -50 to 50 ms.
    wide_hz : ndarray, shape (2 n + 1,), float64, optional
        In bins of 1 ms centred on -n to n ms, 300 ms at least.
    log_hz : ndarray, shape (100,), float64, optional
        On `axes.LOG_S`.
    log_isi : ndarray, shape (100,), float64, optional
        Intervals per bin of `axes.LOG_EDGES_S`, in any unit.
    scalars : mapping of str to float
        Values of `features.SCALARS` by the definitions given there. `firing_rate_hz` is needed
        for the fit of the autocorrelogram.
    """

    narrow_hz: Values | None = None
    wide_hz: Values | None = None
    log_hz: Values | None = None
    log_isi: Values | None = None
    scalars: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sizes = {"narrow_hz": 201, "log_hz": N_LOG, "log_isi": N_LOG}
        for name in ("narrow_hz", "wide_hz", "log_hz", "log_isi"):
            value = getattr(self, name)
            if value is None:
                continue
            object.__setattr__(self, name, np.asarray(value, np.float64))
            size = np.shape(value)
            fits = len(size) == 1 and size[0] == sizes.get(name, size[0])
            if not fits or (name == "wide_hz" and (size[0] < 601 or size[0] % 2 == 0)):
                wanted = f"({sizes[name]},)" if name in sizes else "(2 n + 1,), n of 300 or more"
                raise BadArgumentError(
                    f"{name} of shape {wanted}", f"{size}", "Bring it to the bins described."
                )
        strange = set(self.scalars) - set(SCALAR_NAMES)
        if strange:
            raise BadArgumentError(
                "names of features.SCALARS", ", ".join(sorted(strange)), "Leave the others out."
            )


def featurise_stored(
    units: Sequence[Unit],
    correlograms: Sequence[Correlograms],
    *,
    items: npt.NDArray[np.int64] | None = None,
    subject: str | Sequence[str] = "",
    session: str | Sequence[str] = "",
) -> FeatureTable:
    """Features of units of which correlograms are stored.

    Parameters
    ----------
    units : sequence of Unit
        Their waveforms and places; spike times are not looked at.
    correlograms : sequence of Correlograms
        One per unit.
    items, subject, session
        As in `features.featurise_units`.

    Returns
    -------
    FeatureTable
        Columns as `features.NAMES`; the 3-D autocorrelogram is NaN.
    """
    if len(units) != len(correlograms):
        raise BadArgumentError(
            f"correlograms of {len(units)} units", f"{len(correlograms)}", "Give one per unit."
        )
    silent = [replace(unit, spikes_s=None) for unit in units]
    table = featurise_units(silent, items=items, subject=subject, session=session)
    narrow = np.full((len(units), 100), np.nan)
    for row, own, each in zip(table.values, narrow, correlograms, strict=True):
        found = dict(each.scalars)
        if each.narrow_hz is not None:
            own[:] = each.narrow_hz[101:]
        if each.wide_hz is not None and each.narrow_hz is not None:
            by_ms = each.wide_hz[each.wide_hz.size // 2 :]
            found = correlogram_features(own, by_ms) | found
        if each.log_isi is not None:
            share = _share(each.log_isi)
            row[_columns(ISI)] = share
            found = {"isi_mode_ms": isi_mode_ms(share)} | found
        if each.log_hz is not None:
            row[_columns(ACG)] = _relative(each.log_hz)
        for name, value in found.items():
            row[SCALAR_NAMES.index(name)] = value
    rate_hz = table.values[:, SCALAR_NAMES.index("firing_rate_hz")]
    fitted = fit_acgs(narrow, rate_hz)
    for name, values in zip(FIT_FEATURES, fitted.T, strict=True):
        column = table.values[:, SCALAR_NAMES.index(name)]
        column[:] = np.where(np.isfinite(column), column, values)
    table.values[~np.isfinite(table.values)] = np.nan
    return table


def _columns(names: tuple[str, ...]) -> slice:
    first = NAMES.index(names[0])
    return slice(first, first + len(names))


def _share(log_isi: Values) -> Values:
    total = log_isi.sum()
    return log_isi / total if total > 0 else np.full(N_LOG, np.nan)


def _relative(log_hz: Values) -> Values:
    lag = np.array(LOG_S)
    base = (lag > BASE_S[0]) & (lag < BASE_S[1])
    level = np.average(log_hz[base], weights=np.diff(LOG_EDGES_S)[base])
    return log_hz / level if level > 0 else np.full(N_LOG, np.nan)


__all__ = ["Correlograms", "featurise_stored"]
