"""Points of a unit's spikes for a scatter: time, amplitude, depth, principal components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.grouped import Sorting, centres_um, spread
from nissl.annotators.spikes.splitting import beyond, inside_polygon
from nissl.errors import BadArgumentError, MissingInputError
from nissl.run.limits import single_threaded_blas

AXES = ("time_s", "amplitude", "pc1", "pc2", "depth_um")
FROM_WAVEFORMS = ("pc1", "pc2", "depth_um")
_BATCH = 500
_PER_UNIT = 100  # waveforms of a unit that shape the components

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Projection:
    """Principal components of the waveforms of a few units on common channels.

    Parameters
    ----------
    channels : ndarray, shape (n_channels,), int64
        Columns of the signal.
    mean : ndarray, shape (n_samples * n_channels,), float64, uV
    axes : ndarray, shape (n_samples * n_channels, 2), float64
        Orthonormal columns, the largest variance first; each points to where its largest
        weight is positive.
    """

    channels: Ints
    mean: Values
    axes: Values

    def apply(self, waveforms: Floats) -> Values:
        """Components of waveforms (n, n_samples, n_channels), shape (n, 2), uV; NaN if partial."""
        flat = waveforms.reshape(len(waveforms), -1).astype(np.float64)
        return np.asarray((flat - self.mean) @ self.axes)


def fit_projection(sorting: Sorting, groups: Sequence[Rows]) -> Projection | None:
    """Components of the kept waveforms of some units.

    Parameters
    ----------
    sorting : Sorting
    groups : sequence of ndarray of int
        Rows of each unit; the channels are those around the first.

    Returns
    -------
    Projection or None
        None where fewer than three waveforms are at hand.
    """
    kept = sorting.kept
    if kept is None or not groups:
        return None
    places = [kept.among(rows) for rows in groups]
    if not places[0].size:
        return None
    units, counts = np.unique(kept.unit[places[0]], return_counts=True)
    near = kept.near[units[np.argmax(counts)]]
    # a channel counts where it was kept for the first unit; others are 0 where they lack it
    chosen = [p[spread(p.size, _PER_UNIT)] for p in places]
    channels = near[near >= 0]
    if not channels.size:
        return None
    waveforms = np.concatenate([_complete(kept.on(p, channels)) for p in chosen])
    if len(waveforms) < 3:
        return None
    flat = waveforms.reshape(len(waveforms), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    axes = _leading(flat - mean)
    sign = np.sign(axes[np.argmax(np.abs(axes), axis=0), np.arange(axes.shape[1])])
    return Projection(channels, mean, axes * np.where(sign == 0, 1.0, sign))


def _leading(centred: Values) -> Values:
    """Two directions of the largest variance, as columns."""
    from scipy.linalg import eigh

    n, k = centred.shape
    with single_threaded_blas():  # on matrices this small more threads only wait for each other
        square = centred @ centred.T if n < k else centred.T @ centred
        _, vectors = eigh(square, subset_by_index=[len(square) - 2, len(square) - 1])
        axes = (centred.T @ vectors if n < k else vectors)[:, ::-1]
    length = np.linalg.norm(axes, axis=0)
    return np.asarray(axes / np.where(length > 0, length, 1.0))


def _complete(waveforms: Floats) -> Floats:
    """Waveforms that were read whole; channels that a spike lacks are 0."""
    read = np.any(np.isfinite(waveforms), axis=(1, 2))
    return np.nan_to_num(waveforms[read], nan=0.0)


def points(
    sorting: Sorting, rows: Rows, projection: Projection | None, *, complete: bool = False
) -> dict[str, npt.NDArray[Any]]:
    """Where spikes lie on all axes of the scatter.

    Parameters
    ----------
    sorting : Sorting
    rows : ndarray, shape (n,), int
    projection : Projection, optional
    complete : bool
        Whether waveforms that are not kept are read from the recording, which takes
        milliseconds per spike; without it those spikes are NaN on the axes that need them.

    Returns
    -------
    dict of str to ndarray, each of shape (n,)
        `AXES`; seconds, uV and micrometres.

    Raises
    ------
    MissingInputError
        `complete`, and there is no recording to read missing waveforms from.
    """
    sample = sorting.sample[rows]
    out: dict[str, npt.NDArray[Any]] = {
        "time_s": sorting.clock.to_seconds(sample),
        "amplitude": sorting.amplitude[rows],
    }
    out |= {name: np.full(rows.size, np.nan, np.float32) for name in FROM_WAVEFORMS}
    if projection is None or sorting.kept is None:
        return out
    places = sorting.kept.among(rows)
    where = np.searchsorted(rows, sorting.kept.row[places])
    _place(out, where, sorting.kept.on(places, projection.channels), sorting, projection)
    missing = np.setdiff1d(np.arange(rows.size), where)
    if complete and missing.size:
        _read_missing(out, missing, sample, sorting, projection)
    return out


def _read_missing(
    out: dict[str, npt.NDArray[Any]],
    missing: Rows,
    sample: Ints,
    sorting: Sorting,
    projection: Projection,
) -> None:
    if sorting.reader is None:
        raise MissingInputError(
            "the recording, to place all of the unit's spikes on these axes",
            f"{missing.size} of {sample.size} spikes whose waveforms are not kept",
            "Split by amplitude or time, or bring the raw data back: nissl relocate.",
        )
    for first in range(0, missing.size, _BATCH):
        part = missing[first : first + _BATCH]
        waveforms = sorting.reader.read(sample[part], projection.channels)
        _place(out, part, waveforms, sorting, projection)


def _place(
    out: dict[str, npt.NDArray[Any]],
    where: Rows,
    waveforms: Floats,
    sorting: Sorting,
    projection: Projection,
) -> None:
    read = np.any(np.isfinite(waveforms), axis=(1, 2))
    components = projection.apply(np.nan_to_num(waveforms, nan=0.0))
    components[~read] = np.nan
    out["pc1"][where], out["pc2"][where] = components[:, 0], components[:, 1]
    near = np.broadcast_to(projection.channels, (len(waveforms), projection.channels.size))
    out["depth_um"][where] = centres_um(sorting, waveforms, near)


def scatter(
    sorting: Sorting, groups: Mapping[int, Rows], projection: Projection | None, *, most: int
) -> dict[str, npt.NDArray[Any]]:
    """Points of several units in one table; kept waveforms are used, none are read.

    Parameters
    ----------
    sorting : Sorting
    groups : mapping of int to ndarray of int
        Rows of each unit.
    projection : Projection, optional
    most : int
        Points of a unit: where it has more spikes they are thinned evenly, but those whose
        waveforms are kept stay.

    Returns
    -------
    dict of str to ndarray, each of shape (n,)
        `item`, `row` (index in the label set) and `AXES`.
    """
    chosen = {item: _thinned(sorting, rows, most) for item, rows in groups.items()}
    parts = [points(sorting, rows, projection) for rows in chosen.values()]
    out: dict[str, npt.NDArray[Any]] = {
        "item": np.repeat(list(chosen), [rows.size for rows in chosen.values()]).astype(np.int64),
        "row": np.concatenate(list(chosen.values())),
    }
    return out | {name: np.concatenate([part[name] for part in parts]) for name in AXES}


def _thinned(sorting: Sorting, rows: Rows, most: int) -> Rows:
    if rows.size <= most:
        return rows
    stays = np.zeros(rows.size, bool)
    stays[np.linspace(0, rows.size - 1, most).astype(np.intp)] = True
    if sorting.kept is not None:
        stays[np.searchsorted(rows, sorting.kept.row[sorting.kept.among(rows)])] = True
    return rows[stays]


@dataclass(frozen=True)
class Cut:
    """What divides a unit: a closed line on two axes, or a threshold on one.

    Parameters
    ----------
    x : str
        One of `AXES`.
    y : str
        The other axis of a polygon; "" for a threshold.
    corners : tuple of (float, float)
        Of the polygon.
    threshold : float
    above : bool
        Whether spikes above the threshold become the new unit.
    """

    x: str
    y: str = ""
    corners: tuple[tuple[float, float], ...] = ()
    threshold: float = float("nan")
    above: bool = True

    def __post_init__(self) -> None:
        axes = {self.x, self.y} - ({""} if not self.corners else set())
        if not axes <= set(AXES):
            raise BadArgumentError(f"axes among {AXES}", f"{sorted(axes)}", "Choose two of them.")

    @property
    def needs_waveforms(self) -> bool:
        """Whether the amplitudes and times alone do not tell on which side a spike is."""
        return bool({self.x, self.y} & set(FROM_WAVEFORMS))


def cut(sorting: Sorting, rows: Rows, projection: Projection | None, how: Cut) -> Rows:
    """Rows of a unit that a cut makes another unit.

    Every spike is placed, by reading what is missing; spikes that cannot be placed stay.

    Parameters
    ----------
    sorting : Sorting
    rows : ndarray, shape (n,), int
    projection : Projection, optional
        The same as of the points that the cut was drawn on.
    how : Cut

    Raises
    ------
    MissingInputError
        Waveforms are needed and cannot be had.
    """
    if how.needs_waveforms and (projection is None or sorting.kept is None):
        raise MissingInputError(
            "waveforms of the unit's spikes",
            "none kept, and no recording",
            "Split by amplitude or time, or bring the raw data back: nissl relocate.",
        )
    placed = points(sorting, rows, projection, complete=how.needs_waveforms)
    x = placed[how.x].astype(np.float64)
    if how.corners:
        chosen = inside_polygon(x, placed[how.y].astype(np.float64), how.corners)
    else:
        chosen = beyond(x, how.threshold, above=how.above)
    return rows[chosen]
