"""What a desk of regions needs beside its label set: pictures, outlines, traces, the movie.

Works without the movie: pictures that a method left, or the patches of the item table, and the
traces that were kept. What then cannot be had (a new trace for a new outline) is said.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.cells.footprints import Footprints
from nissl.data import Movie
from nissl.errors import (
    BadArgumentError,
    BadEditError,
    MissingInputError,
    NisslError,
)
from nissl.labels import Kind
from nissl.review.crops import Box, Crop, Crops, box_of
from nissl.review.desk import Desk
from nissl.review.reading import Reading
from nissl.review.region_images import Image, laid_out, pictured
from nissl.review.region_traces import KeptSignal, Lines, extracted
from nissl.store import SourceRow
from nissl.store.images import keep_images, kept_images
from nissl.store.objects import checked

Shape = tuple[int, int, int]

FOLDER = ("work", "traces")

PATIENT_S = 0.7
"""How long a trace waits for the movie before it is told as far as it was read."""
_NONE = Lines((), np.zeros((0, 0), np.float32), np.zeros(0, np.int64), 1.0, "none")
_log = logging.getLogger(__name__)
_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Outlines:
    """Pixels of regions, one after the other.

    Parameters
    ----------
    items : ndarray, shape (n_items,), int64
    starts : ndarray, shape (n_items + 1,), int64
        Where each region's pixels begin.
    pixels : ndarray, int64
    weights : ndarray, float32
        1 where a set has none.
    """

    items: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    pixels: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]

    def of(self, item: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]] | None:
        """Pixels and weights of an item; None where it has none."""
        place = int(np.searchsorted(self.items, item))
        if place == self.items.size or self.items[place] != item:
            return None
        part = slice(int(self.starts[place]), int(self.starts[place + 1]))
        return self.pixels[part], self.weights[part]

    def near(self, box: Box, shape: Shape, *, but: int | None) -> Footprints:
        """Regions that reach into a box, without one of them."""
        mask, _ = box.inside(self.pixels, shape)
        owner = np.repeat(np.arange(self.items.size), np.diff(self.starts))
        found = [k for k in np.unique(owner[mask]).tolist() if self.items[k] != but]
        parts = [slice(int(self.starts[k]), int(self.starts[k + 1])) for k in found]
        heavy = [np.maximum(self.weights[part], 1e-6) for part in parts]
        return Footprints.build(shape, [self.pixels[part] for part in parts], heavy)


class RegionDesk:
    """The live side of a desk of regions; one per desk, shared by its readers.

    Parameters
    ----------
    desk : Desk
        Of kind REGIONS.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.pictures = "reading"
        """Of the pictures of the field: "reading", "ready", "patches", or "none"."""
        self._images: dict[str, Image] = {}
        self._outlines: WeakKeyDictionary[Reading, tuple[int, Outlines]] = WeakKeyDictionary()
        self._thread = threading.Thread(target=self._equip, name="pictures", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until the pictures are there, or cannot be had."""
        self._thread.join(timeout_s)

    @cached_property
    def movie(self) -> Movie | None:
        """The movie without the motion that the method took out; None where it is gone."""
        try:
            movie = self.desk.movie
        except (NisslError, OSError):
            return None
        if "motion" not in self._signals:
            return movie
        from nissl.annotators.cells.motion.kept import still

        try:
            return still(movie, self._signals["motion"].signal)
        except BadArgumentError as error:
            _log.warning("The motion of %s is not taken out: %s", self.desk.source.name, error)
            return movie

    @cached_property
    def crops(self) -> Crops | None:
        """Parts of the movie in memory, None where it is gone."""
        return None if self.movie is None else Crops(self.movie)

    @cached_property
    def shape(self) -> Shape:
        """``(z, y, x)`` of the field.

        Raises
        ------
        MissingInputError
            Nothing says how large it is.
        """
        if self.movie is not None:
            return self.movie.shape
        context = {} if self.desk.items is None else self.desk.items.context
        stream = self.desk.source.streams.get(self.desk.row.stream) or {}
        grid = [int(n) for n in (context.get("grid") or stream.get("shape") or ())]
        if len(grid) not in (2, 3):
            raise MissingInputError(
                "the size of the field that the regions lie in",
                "neither a movie nor a `grid` in the context of the item table",
                "Add the movie, or make the regions again.",
            )
        depth, height, width = grid if len(grid) == 3 else (1, *grid)
        return depth, height, width

    @property
    def rate_hz(self) -> float:
        """Frames per second; 1 where nothing says."""
        if self.movie is not None:
            return self.movie.rate_hz
        stream = self.desk.source.streams.get(self.desk.row.stream) or {}
        return float(stream.get("rate_hz") or 1.0)

    @property
    def layers(self) -> list[str]:
        """Pictures that there are."""
        return list(self._images)

    def image(self, name: str, plane: int) -> Image:
        """One plane of a picture, shape (y, x)."""
        if name not in self._images:
            raise MissingInputError(
                f"a picture among {self.layers}", repr(name)[:80], "Reload the page."
            )
        image = self._images[name]
        return np.asarray(image[min(max(plane, 0), len(image) - 1)])

    def outlines(self, reading: Reading) -> Outlines:
        """Regions as a reading has them now; call it while the reading is locked."""
        version = len(reading.base.edits)
        known = self._outlines.get(reading)
        if known is None or known[0] != version:
            known = (version, _outlines(reading))
            self._outlines[reading] = known
        return known[1]

    def lines(self, outlines: Outlines, item: int) -> Lines:
        """Curves of an item, the best that can be had at once.

        Raises
        ------
        BadEditError
            It has no pixels any more.
        """
        own = outlines.of(item)
        if own is None:
            raise BadEditError(
                "a region that is there",
                f"region {item}, which was merged, removed or never there",
                "Undo brings it back.",
            )
        before = self._proposed.of(item)
        same = before is not None and np.array_equal(before[0], own[0])
        if same:
            kept = self._kept_lines(item)
            if kept is not None:
                self.crop(own[0])  # somebody who looks may draw next
                return kept
        if self.crops is not None:
            return self.extract(outlines, own[0], own[1], but=item)
        table = self._table_lines(item) if before is not None else None
        if table is None:
            return _NONE
        note = {} if same else {"note": "of the outline as proposed: the movie is not at hand"}
        return Lines(table.names, table.values, table.frame, table.rate_hz, "table", note)

    def extract(
        self,
        outlines: Outlines,
        pixels: npt.ArrayLike,
        weights: npt.ArrayLike | None,
        *,
        but: int | None = None,
    ) -> Lines:
        """Curves of an outline that may not stand anywhere yet.

        Raises
        ------
        MissingInputError
            The movie is gone, or cannot be read.
        """
        flat = np.asarray(pixels, np.int64)
        crop = self.crop(flat)
        if crop is None:
            raise MissingInputError(
                "the movie, to extract a trace from", "none at hand", "Add or relocate the movie."
            )
        crop.wait(PATIENT_S)
        if crop.fault:
            raise MissingInputError("frames of the movie", crop.fault, "Check the movie's file.")
        order = np.argsort(flat, kind="stable")
        heavy = None if weights is None else np.asarray(weights, np.float32)[order]
        others = outlines.near(crop.box, self.shape, but=but)
        return extracted(crop, flat[order], heavy, others, field=self._field)

    def crop(self, pixels: npt.NDArray[np.int64]) -> Crop | None:
        """Begin to read around pixels; None where there is no movie."""
        box = box_of(pixels, self.shape)
        return None if self.crops is None else self.crops.of(box)

    @cached_property
    def _field(self) -> float | None:
        """The neuropil coefficient of the field, where the method told it."""
        context = {} if self.desk.items is None else self.desk.items.context
        value = context.get("neuropil_coefficient")
        return float(value) if isinstance(value, int | float) else None

    @cached_property
    def _proposed(self) -> Outlines:
        labels = self.desk.labels
        return _together(labels.table, labels.column("item"))

    @cached_property
    def _signals(self) -> dict[str, KeptSignal]:
        """Derived signals of this set that the project has."""
        found, folder = {}, self.desk.store.path.joinpath(*FOLDER)
        for name, row in derived_rows(self.desk).items():
            try:
                file = folder / f"{checked(row.fingerprint)}.npy"
                found[name] = KeptSignal(self.desk.raw(row).signal, file)
            except (NisslError, OSError) as error:
                _log.warning("No %s of %s: %s", name, self.desk.source.name, error)
        return found

    def _kept_lines(self, item: int) -> Lines | None:
        signals = self._signals
        if "fluorescence" not in signals:
            return None
        names = {"dff": "fluorescence", "raw": "raw", "neuropil": "neuropil", "rate": "rate"}
        found = {n: signals[s].of(str(item)) for n, s in names.items() if s in signals}
        if found.get("dff") is None:
            return None
        if "rate" in signals:
            found |= {n: signals["rate"].of(f"{item}.{n}") for n in ("low", "high")}
        size = found["dff"].size  # type: ignore[union-attr]
        lines = {n: v for n, v in found.items() if v is not None and v.size == size}
        signal = signals["fluorescence"].signal
        frame = np.arange(size) * round(self.rate_hz / signal.rate_hz)
        return Lines(tuple(lines), np.stack(list(lines.values())), frame, signal.rate_hz, "kept")

    def _table_lines(self, item: int) -> Lines | None:
        items = self.desk.items
        if items is None or "trace" not in items.arrays or item not in items.items:
            return None
        values = np.asarray(items.arrays["trace"][items.row_of(item)], np.float32)
        if values.ndim != 1 or not values.size:
            return None
        stream = self.desk.source.streams.get(self.desk.row.stream) or {}
        n_frames = int(stream.get("n_samples") or values.size)
        frame = np.floor(np.arange(values.size) * n_frames / values.size).astype(np.int64)
        rate_hz = self.rate_hz * values.size / n_frames
        return Lines(("dff",), values[None], frame, rate_hz, "table")

    def _equip(self) -> None:
        desk = self.desk
        try:
            kept = kept_images(desk.store, desk.key)
            if kept:
                self._show({name: desk.store.get_array(d) for name, d in kept.items()})
            elif self.movie is not None:
                found = pictured(self.movie)
                self._show(found)
                if desk.store.writable:
                    keep_images(desk.store, desk.key, found)
            elif desk.items is not None:
                whole = laid_out(desk.items, _centres(self._proposed, self.shape), self.shape)
                if whole is not None:
                    self._show({"patches": whole}, "patches")
        except (NisslError, OSError) as error:
            _log.warning("No pictures of %s: %s", desk.source.name, error)
        finally:
            self.pictures = "none" if self.pictures == "reading" else self.pictures
        _warm_up()

    def _show(self, images: dict[str, Any], state: str = "ready") -> None:
        shape = self.shape
        self._images = {
            name: image.reshape((-1, *image.shape[-2:]))
            for name, image in images.items()
            if image.shape[-2:] == shape[1:]
        }
        self.pictures = state if self._images else "none"


def _warm_up() -> None:
    """Import what the first trace would wait for."""
    import scipy.ndimage
    import scipy.signal
    import scipy.sparse.csgraph
    import scipy.special  # noqa: F401


_DESKS: WeakKeyDictionary[Desk, RegionDesk] = WeakKeyDictionary()


def region_desk(desk: Desk) -> RegionDesk:
    """Return the live side of a desk, made on first call.

    Raises
    ------
    BadArgumentError
        The desk holds no regions.
    """
    if desk.kind is not Kind.REGIONS:
        raise BadArgumentError(
            "a desk of regions", f"one of {desk.kind.value}", "Open another view."
        )
    with _lock:
        known = _DESKS.get(desk)
        if known is None:
            known = _DESKS[desk] = RegionDesk(desk)
        return known


def derived_rows(desk: Desk) -> dict[str, SourceRow]:
    """Sources that hold signals of a desk's regions, by the signal's name.

    Those that the run told are taken; of a set without a run, those named after its source.
    Rates are looked for among the sources derived from the fluorescence.
    """
    rows = {row.name: row for row in desk.store.sources()}
    run = desk.store.run(desk.row.run) if desk.row.run else None
    told = list(run.log.get("derived", ())) if run is not None else []
    names = {name.rpartition(".")[2]: name for name in told}
    if not told:
        names = {kind: f"{desk.source.name}.{kind}" for kind in ("fluorescence", "raw", "neuropil")}
    found = {kind: rows[name] for kind, name in names.items() if name in rows}
    if "fluorescence" in found:
        prefix = f"{found['fluorescence'].name}."
        rates = [
            row
            for name, row in rows.items()
            if name.startswith(prefix)
            and any(s.get("kind") == "rate" for s in row.streams.values())
        ]
        if rates:
            found["rate"] = rates[-1]
    return found


def _outlines(reading: Reading) -> Outlines:
    draft = reading.base.draft
    rows = np.flatnonzero(draft.alive)
    return _together(draft.columns_at(rows), draft.item[rows])


def _together(table: pa.Table, item: npt.NDArray[np.int64]) -> Outlines:
    """Pixels by item; one in several rows of an item counts once."""
    pixels, lengths = _flat(table.column("pixels"))
    weights = _weights(table.column("weights"), lengths)
    owner = np.repeat(item, lengths)
    order = np.lexsort((-weights, pixels, owner))
    owner, pixels, weights = owner[order], pixels[order], weights[order]
    new = np.ones(owner.size, bool)
    new[1:] = (owner[1:] != owner[:-1]) | (pixels[1:] != pixels[:-1])
    owner, pixels, weights = owner[new], pixels[new], weights[new]
    items, starts = np.unique(owner, return_index=True)
    return Outlines(items, np.append(starts, owner.size), pixels, weights)


def _flat(column: pa.ChunkedArray) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    import pyarrow.compute as pc

    lengths = pc.list_value_length(column).fill_null(0).to_numpy().astype(np.int64)
    return np.asarray(pc.list_flatten(column).to_numpy()), lengths


def _weights(column: pa.ChunkedArray, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    out = np.ones(int(lengths.sum()), np.float32)
    values, there = _flat(column)
    if values.size:
        out[np.repeat(there > 0, lengths)] = values
    return out


def _centres(outlines: Outlines, shape: Shape) -> dict[int, Sequence[int]]:
    """Rounded weighted centre of each region that lies in the field, z, y, x."""
    owner = np.repeat(np.arange(outlines.items.size), np.diff(outlines.starts))
    inside = (outlines.pixels >= 0) & (outlines.pixels < np.prod(shape))
    owner, weights, pixels = owner[inside], outlines.weights[inside], outlines.pixels[inside]
    total = np.bincount(owner, weights, outlines.items.size)
    there = np.flatnonzero(total > 0)
    places = [
        np.rint(np.bincount(owner, weights * axis, outlines.items.size)[there] / total[there])
        for axis in np.unravel_index(pixels, shape)
    ]
    centres = np.stack(places, 1).astype(int).tolist()
    return dict(zip(outlines.items[there].tolist(), centres, strict=True))
