"""What a desk of tracks needs beside its label set: volumes, what stands where, how sure it is.

Works without the movie: places and confidence are shown, and that the volumes are gone is said.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.data import Movie
from nissl.errors import BadArgumentError, MissingInputError, NisslError
from nissl.labels import Kind
from nissl.review.desk import Desk
from nissl.review.reading import Reading
from nissl.review.volume_slices import Cuts, VolumeStore, coarser, in_grey, planes, projections
from nissl.store.images import kept_images

Shape = tuple[int, int, int]

SYNTHETIC = "synthetic"
"""Pictures whose names begin so are volumes that a method made to learn from."""
NOTHING, HIDDEN, UNKNOWN, LEAST = 0, 1, 2, 3
"""Codes of a cell of the grid: no point, one that is not to be seen, one without confidence; from
the fourth on the confidence, 0 to 1 in the steps that are left."""
_STEPS = 255 - LEAST
_MOST_CELLS = 1 << 26
_MOST_CHANNELS = 2
_ROW = ("id", "item", "frame", "x", "y", "z", "visible", "confidence")
_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Grid:
    """Every track in every volume, as a reader has them.

    Parameters
    ----------
    items : ndarray, shape (n_items,), int64
    sure : ndarray, shape (n_items, n_frames), uint8
        `NOTHING`, `HIDDEN`, `UNKNOWN`, or `LEAST` and more: the confidence.
    said : ndarray, shape (n_items, n_frames), uint8
        Index into `STATES`: what the reader said of the point.
    """

    items: npt.NDArray[np.int64]
    sure: npt.NDArray[np.uint8]
    said: npt.NDArray[np.uint8]


class PointDesk:
    """The live side of a desk of tracks; one per desk, shared by its readers.

    Parameters
    ----------
    desk : Desk
        Of kind POINTS.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._grids: WeakKeyDictionary[Reading, tuple[int, Grid]] = WeakKeyDictionary()

    @cached_property
    def channels(self) -> tuple[Movie, ...]:
        """The movie that the points lie in, and others recorded with it; none where it is gone."""
        try:
            movies = self.desk.raw(self.desk.source).movies
            first = self.desk.movie
        except (NisslError, OSError):
            return ()
        beside = [
            movie
            for name, movie in movies.items()
            if name != self.desk.row.stream
            and (movie.shape, movie.n_frames) == (first.shape, first.n_frames)
        ]
        return (first, *beside)[:_MOST_CHANNELS]

    @cached_property
    def volumes(self) -> VolumeStore | None:
        """Volumes of all channels, None where the movie is gone."""
        return VolumeStore(self.channels) if self.channels else None

    @cached_property
    def shape(self) -> Shape:
        """``(z, y, x)`` of a volume; without a movie what holds every point."""
        if self.channels:
            return self.channels[0].shape
        told: list[int] = list(self._stream.get("shape") or ())
        if len(told) == 3:
            return int(told[0]), int(told[1]), int(told[2])
        labels = self.desk.labels
        most = [np.nanmax(np.append(labels.column(name), 0.0)) for name in ("z", "y", "x")]
        return int(most[0]) + 1, int(most[1]) + 2, int(most[2]) + 2

    @cached_property
    def n_frames(self) -> int:
        """Volumes, up to the last one with a point at least."""
        frames = self.desk.labels.column("frame")
        last = int(frames[-1]) + 1 if frames.size else 1
        if self.channels:
            return max(self.channels[0].n_frames, last)
        return max(int(self._stream.get("n_samples") or 0), last)

    @property
    def rate_hz(self) -> float | None:
        """Volumes per second; None where nothing says."""
        if self.channels:
            return self.channels[0].rate_hz
        value = self._stream.get("rate_hz")
        return None if value is None else float(value)

    @property
    def spacing_um(self) -> tuple[float, float, float] | None:
        """Size of a voxel along z, y and x; None where nothing says."""
        if self.channels:
            return self.channels[0].spacing_um
        told = self._stream.get("spacing_um")
        return None if told is None else (float(told[0]), float(told[1]), float(told[2]))

    @property
    def layers(self) -> list[str]:
        """Pictures of whole volumes that the method left, those it made up among them."""
        return list(self._images)

    def cuts(
        self, frame: int, place: Sequence[int], *, flat: bool, level: int, layer: str = ""
    ) -> Cuts:
        """Planes through a place of a volume, or its projections, in steps of grey.

        Parameters
        ----------
        frame : int
        place : (z, y, x)
        flat : bool
            Whether maxima are wanted instead of planes.
        level : int
            Halvings along x and y.
        layer : str
            A picture of `layers` instead of the volume.

        Raises
        ------
        MissingInputError
            The movie is gone, or there is no such picture.
        """
        if layer:
            volume = self._image(layer)
            cut = projections(volume) if flat else planes(volume, place)
            known = volume[np.isfinite(volume)]
            ends = np.percentile(known, [1, 99.9]) if known.size else (0.0, 1.0)
            ranges: Sequence[tuple[float, float]] = [(float(ends[0]), float(ends[1]))]
        elif self.volumes is None:
            raise MissingInputError("the movie", "none at hand", "Add or relocate the movie.")
        else:
            ranges = self.volumes.ranges()
            held = self.volumes
            cut = held.flat(frame) if flat else planes(held.volume(frame), place)
        return coarser(cut, level).map(lambda image: in_grey(image, ranges))

    def grid(self, reading: Reading) -> Grid:
        """Every point as a reading has it now; call it while the reading is locked."""
        version = len(reading.base.edits)
        known = self._grids.get(reading)
        if known is None or known[0] != version:
            known = (version, self._gridded(reading))
            self._grids[reading] = known
        return known[1]

    def rows(self, reading: Reading, start: int, stop: int) -> pa.Table:
        """Points of volumes [start, stop) as a reading has them now, with what was said of each."""
        draft = reading.base.draft
        rows = draft.rows_at(range(start, stop), reading.items.tolist())
        table = draft.columns_at(rows).select(list(_ROW))
        said = pa.array(draft.said(rows).astype(np.int32))
        return table.append_column("said", said)

    def track(self, reading: Reading, item: int) -> npt.NDArray[np.float32]:
        """Frame, x, y, z of a track's points that are to be seen, shape (4, n), by frame."""
        draft = reading.base.draft
        rows = draft.rows_of(item)
        rows = rows[draft.values("visible", rows).astype(bool)]
        columns = [draft.values(name, rows) for name in ("frame", "x", "y", "z")]
        whole = np.stack([np.asarray(column, np.float32) for column in columns])
        return np.asarray(whole[:, np.argsort(whole[0], kind="stable")])

    @cached_property
    def _stream(self) -> dict[str, Any]:
        return dict(self.desk.source.streams.get(self.desk.row.stream) or {})

    @cached_property
    def _images(self) -> dict[str, str]:
        return kept_images(self.desk.store, self.desk.key)

    def _image(self, name: str) -> npt.NDArray[np.float32]:
        """A picture as a volume of one channel, shape (1, z, y, x)."""
        if name not in self._images:
            raise MissingInputError(
                f"a picture among {self.layers}", repr(name)[:80], "Reload the page."
            )
        image = np.asarray(self.desk.store.get_array(self._images[name]), np.float32)
        return image.reshape((1, -1, *image.shape[-2:]))

    @cached_property
    def _proposed(self) -> Grid:
        """The grid before anybody decided."""
        labels, n = self.desk.labels, self.n_frames
        if labels.items.size * n > _MOST_CELLS:
            raise BadArgumentError(
                f"at most {_MOST_CELLS} points under review",
                f"{labels.items.size} tracks in {n} volumes",
                "Review such a movie in parts.",
            )
        empty = np.zeros((labels.items.size, n), np.uint8)
        grid = Grid(labels.items, empty, empty.copy())
        _enter(grid, *(labels.column(name) for name in ("item", "frame", "confidence", "visible")))
        return grid

    def _gridded(self, reading: Reading) -> Grid:
        """The grid as proposed, with what is otherwise now."""
        draft, labels, before = reading.base.draft, self.desk.labels, self._proposed
        items, n = reading.items, labels.n_rows
        grid = Grid(items, *(np.zeros((items.size, self.n_frames), np.uint8) for _ in range(2)))
        kept, new, old = np.intersect1d(items, before.items, return_indices=True)[:3]
        grid.sure[new] = before.sure[old]
        owner, frame = labels.column("item"), labels.column("frame")
        other = (draft.item[:n] != owner) | ~draft.alive[:n]
        moved = np.fromiter(
            {**draft.moved.get("visible", {}), **draft.moved.get("confidence", {})}, np.intp
        )
        changed = np.union1d(np.flatnonzero(other), moved[moved < n])
        left = changed[np.isin(owner[changed], kept)]
        grid.sure[np.searchsorted(items, owner[left]), frame[left]] = NOTHING
        added = n + np.flatnonzero(draft.alive[n:])
        said = np.flatnonzero(draft.claims.said)
        rows = np.concatenate([changed[draft.alive[changed]], added])
        facts = (draft.values(name, rows) for name in ("frame", "confidence", "visible"))
        _enter(grid, draft.item[rows], *facts)
        said = said[draft.alive[said]]
        where = np.searchsorted(items, draft.item[said]), draft.values("frame", said)
        inside = (where[1] >= 0) & (where[1] < self.n_frames)
        grid.said[where[0][inside], where[1][inside]] = draft.said(said)[inside]
        return grid


def _enter(
    grid: Grid,
    item: npt.NDArray[np.int64],
    frame: npt.NDArray[Any],
    confidence: npt.NDArray[Any],
    visible: npt.NDArray[Any],
) -> None:
    """Write points into a grid; of two in one cell the one that is to be seen shows."""
    shown = np.asarray(visible, bool)
    p = np.asarray(confidence, np.float32)
    code = LEAST + np.rint(np.nan_to_num(np.clip(p, 0, 1)) * _STEPS)
    code = np.where(shown, np.where(np.isfinite(p), code, UNKNOWN), HIDDEN).astype(np.uint8)
    inside = (frame >= 0) & (frame < grid.sure.shape[1])
    row = np.searchsorted(grid.items, item)
    for part in (inside & ~shown, inside & shown):
        grid.sure[row[part], frame[part]] = code[part]


_DESKS: WeakKeyDictionary[Desk, PointDesk] = WeakKeyDictionary()


def point_desk(desk: Desk) -> PointDesk:
    """Return the live side of a desk, made on first call.

    Raises
    ------
    BadArgumentError
        The desk holds no points.
    """
    if desk.kind is not Kind.POINTS:
        raise BadArgumentError(
            "a desk of points", f"one of {desk.kind.value}", "Open another view."
        )
    with _lock:
        known = _DESKS.get(desk)
        if known is None:
            known = _DESKS[desk] = PointDesk(desk)
        return known


__all__ = ["Grid", "PointDesk", "point_desk"]
