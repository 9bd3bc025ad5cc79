"""Published units of known kind, on the axes of nissl's feature tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.axes import N_WAVE, WAVE, WAVE_MS
from nissl.annotators.celltypes.learner import with_curves
from nissl.annotators.celltypes.stored import Correlograms, featurise_stored
from nissl.annotators.celltypes.unit import Unit
from nissl.annotators.celltypes.vocabulary import UNKNOWN, canonical
from nissl.errors import SourceNotFoundError
from nissl.labels import FeatureTable
from nissl.tasks import Examples

Values = npt.NDArray[np.float64]

CLASSES = ("PV", "SST", "pyramidal", "axo-axonic", "VIP")
PLACE = Path("ephys") / "celltypes"


@dataclass(frozen=True, eq=False)
class Cells:
    """Units with their kinds.

    Parameters
    ----------
    table : FeatureTable
        Subject = animal.
    label : ndarray, shape (n_units,), str
        Canonical names, "unknown" where there is none.
    lab : ndarray, shape (n_units,), str
    hand : ndarray, shape (n_units, n_hand), float64
        Numbers that came with the collection, for the baselines.
    """

    table: FeatureTable
    label: npt.NDArray[np.str_]
    lab: npt.NDArray[np.str_]
    hand: Values

    def __len__(self) -> int:
        return len(self.label)

    @property
    def animal(self) -> npt.NDArray[np.str_]:
        """Animal of each unit."""
        return np.asarray(self.table.subject)

    @property
    def session(self) -> npt.NDArray[np.str_]:
        """Session of each unit."""
        return np.asarray(self.table.session)

    def take(self, rows: npt.NDArray) -> Cells:
        """Some of the units."""
        picked = np.arange(len(self))[rows]
        part = Examples(self.table, np.zeros(len(self), np.int64), np.ones(len(self))).take(picked)
        return Cells(part.features, self.label[picked], self.lab[picked], self.hand[picked])

    def examples(self, classes: Sequence[str] = CLASSES) -> Examples:
        """Labelled units as examples of the given classes."""
        names = (*classes, UNKNOWN)
        codes = [names.index(n) if n in names else len(classes) for n in self.label]
        every = Examples(self.table, np.asarray(codes, np.int64), np.ones(len(self)), names)
        return every.take(np.asarray(codes) < len(classes))


def cellexplorer(folder: Path) -> Cells:
    """Tagged cells of `cellexplorer_cells_features.npz`."""
    path = folder / PLACE / "cellexplorer_cells_features.npz"
    z = _opened(path)
    rate = z["acg_wide"][:, :300].mean(axis=1).astype(np.float64)
    given = z["features13_dec2023"].astype(np.float64)
    trains = [
        Correlograms(
            narrow_hz=z["acg"][k],
            wide_hz=z["acg_wide"][k],
            log_hz=z["acg_log10"][k],
            log_isi=z["isi_log10"][k],
            scalars={"firing_rate_hz": float(rate[k]), "cv2": float(given[k, 2])},
        )
        for k in range(len(rate))
    ]
    units = [Unit(waveform=wave[:, None], rate_hz=30_000.0) for wave in z["waveform"]]
    table = featurise_stored(
        units, trains, subject=z["animal"].tolist(), session=z["session"].tolist()
    )
    label = np.asarray([canonical(name) for name in z["label_full"].tolist()])
    label[~np.isin(label, CLASSES)] = UNKNOWN
    return Cells(
        with_curves(table),
        label,
        np.asarray(["Allen" if s == "Allen" else "other" for s in z["source"].tolist()]),
        given,
    )


def lakunina(folder: Path) -> Cells:
    """Units of auditory cortex with PV, SST (SOM), excitatory or no label; waveforms only."""
    z = _opened(folder / PLACE / "lakunina2020_A1_optotag.npz")
    wave = on_axis(z["waveform_normalized"], 8, 30_000.0)
    label = np.asarray([canonical(str(name)) for name in z["cell_type"].tolist()])
    # the excitatory cells there were identified as such, not as pyramidal; here they are compared
    label[label == "excitatory"] = "pyramidal"
    label[~np.isin(label, CLASSES)] = UNKNOWN
    return _waves(wave, "A1", label)


def jia(folder: Path) -> Cells:
    """Unlabelled Neuropixels waveforms of mouse."""
    z = _opened(folder / PLACE / "jia2019_neuropixels_waveforms.npz")
    return _waves(on_axis(z["waveform_1d"], 19, 30_000.0), "mouse Neuropixels")


def macaque(folder: Path) -> tuple[Cells, npt.NDArray[np.int64]]:
    """Waveforms of macaque premotor cortex, and the cluster that WaveMAP gave to each."""
    z = _opened(folder / PLACE / "wavemap_lee2021_macaque_pmd.npz")
    wave = on_axis(z["waveform_625"], 12, 30_000.0)
    kept = z["Non-nan"].astype(bool)
    cluster = z["cluster_ix"]
    if cluster.size != len(wave):
        cluster = cluster[kept] if kept.sum() == len(wave) else cluster[: len(wave)]
    return _waves(wave, "macaque"), np.nan_to_num(cluster, nan=-1).astype(np.int64)


def on_axis(waves: npt.NDArray, trough: int, rate_hz: float) -> Values:
    """Waveforms of one channel on the common axis, each aligned to its largest deflection.

    Parameters
    ----------
    waves : ndarray, shape (n_units, n_samples)
    trough : int
        Sample near which the largest deflection stands.
    rate_hz : float
    """
    from scipy.interpolate import CubicSpline

    out = np.full((len(waves), N_WAVE), np.nan)
    for row, wave in enumerate(np.asarray(waves, np.float64)):
        if not np.all(np.isfinite(wave)) or not np.any(wave):
            continue
        spline = CubicSpline(np.arange(wave.size), wave)
        low, high = max(0, trough - 12), min(wave.size - 1, trough + 12)
        fine = np.arange(low, high + 1e-9, 0.05)
        at = fine[np.abs(spline(fine)).argmax()]
        wanted = at + WAVE_MS / 1000 * rate_hz
        inside = (wanted >= 0) & (wanted <= wave.size - 1)
        out[row, inside] = spline(wanted[inside]) / np.abs(spline(at))
    return out


def _waves(wave: Values, name: str, label: npt.NDArray[np.str_] | None = None) -> Cells:
    n = len(wave)
    unknown = np.asarray([UNKNOWN] * n)
    return Cells(
        _table(wave, WAVE, [name] * n, [name] * n),
        unknown if label is None else label,
        np.asarray([name] * n),
        np.full((n, 13), np.nan),
    )


def _table(
    values: Values, names: Sequence[str], animal: Sequence[str], session: Sequence[str]
) -> FeatureTable:
    return with_curves(
        FeatureTable(
            items=np.arange(len(values), dtype=np.int64),
            names=tuple(names),
            values=values,
            units=("",) * len(names),
            subject=tuple(str(a) for a in animal),
            session=tuple(str(s) for s in session),
        )
    )


def _opened(path: Path) -> dict[str, npt.NDArray]:
    if not path.is_file():
        raise SourceNotFoundError(f"the file {path.name}", "no such file", f"Put it at {path}.")
    with np.load(path, allow_pickle=False) as z:
        return {name: z[name] for name in z.files}
