"""Files of targettrack: places or masks of neurons beside the volumes, in one HDF5 file.

``pointdat`` (t, neurons + 1, 3) holds x y z of what people placed; its first row is background.
``NN_pointdat`` of each network under ``net/`` is a model's claim, and a set of its own. Masks
(`nissl.io.targettrack_masks`) are sets of the task `masks`; targettrack's windows show a file's
points or its masks, so that an exported file has one of both. What is exported holds the volumes as
well, where the movie is there, so that these windows open it; what the format has no field for
(items, names, confidence, provenance) stands in ``nissl/sidecar``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.positions import Positions
from nissl.data import Movie
from nissl.data.arrays import HDF5_LOCK
from nissl.data.readers.hdf5 import is_hdf5
from nissl.data.readers.targettrack import COLOURS, FRAME
from nissl.errors import BadArgumentError, ExportError
from nissl.io.contracts import Imported
from nissl.io.files import corrupt
from nissl.io.hdf5 import new_hdf5
from nissl.io.masks import imported_masks, masks_of, untouched
from nissl.io.points import FoundPoints, imported, points_of
from nissl.io.sidecar import Sidecar, pack_sidecar, unpack_sidecar
from nissl.io.targets import new_file
from nissl.io.targettrack_masks import mask_frames, read_masks, write_masks
from nissl.io.verifying import (
    classes_differences,
    item_differences,
    readable,
    report,
    set_differences,
)
from nissl.labels import Author, Kind
from nissl.tasks import Dossier

POINTS, NETWORKS, OF_NETWORK, SIDECAR = "pointdat", "net", "NN_pointdat", "nissl/sidecar"


@dataclass(frozen=True)
class Targettrack:
    """Exporter and importer of targettrack's files with points or masks."""

    name: str = "targettrack"
    suffix: str = ".h5"

    def write(
        self, dossier: Dossier, path: Path, *, overwrite: bool = False, **options: Any
    ) -> Path:
        """Write a file; ``volumes=False`` leaves the movie out.

        Raises
        ------
        ExportError
            Labels that are neither points nor masks, or volumes of which neither the movie nor
            a grid is known.
        """
        with_volumes = options.pop("volumes", True)
        if options:
            raise BadArgumentError("only `volumes`", f"{sorted(options)}", "Leave them out.")
        masks = masks_of(dossier) if dossier.labels.kind is Kind.REGIONS else None
        positions = masks.centres() if masks else Positions.from_labels(points_of(dossier))
        channels = _channels(dossier)
        shape, n_frames = _extent(dossier, channels, positions)
        with new_file(path, overwrite=overwrite) as partial, new_hdf5(partial) as writing:
            file = writing.file
            file.attrs["name"] = Path(path).stem
            depth, height, width = shape
            file.attrs["W"], file.attrs["H"], file.attrs["D"] = width, height, depth
            file.attrs["T"], file.attrs["C"] = n_frames, max(len(channels), 1)
            file.attrs["N_neurons"], file.attrs["pointdat"] = positions.items.size, True
            if masks:
                by_person = dossier.labels.provenance.author.kind == "person"
                write_masks(file, masks, n_frames, by_person)
            else:
                file[POINTS] = _dense(positions, n_frames)
            file[SIDECAR] = np.frombuffer(pack_sidecar(dossier), np.uint8)
            for t in range(n_frames) if with_volumes and channels else ():
                volume = np.stack([movie.read(t, t + 1)[0].T for movie in channels])
                file.create_dataset(f"{t}/{FRAME}", data=volume, compression="gzip")
                writing.check()
        return Path(path)

    def verify(self, dossier: Dossier, path: Path) -> None:
        """Read the file back and compare it with the dossier."""
        with readable(Path(path)):
            back = self.read(path)
            noun = "masks" if dossier.labels.kind is Kind.REGIONS else "points"
            differences = set_differences(noun, dossier.labels, back.labels[0])
            differences += item_differences(dossier.items, back.items[0] if back.items else None)
            differences += classes_differences(dossier.classes, back.labels[1:])
        report(differences, Path(path))

    def matches(self, path: Path) -> bool:
        """Whether `path` is an HDF5 file with points, or with volumes that have masks."""
        if not is_hdf5(Path(path)):
            return False
        import h5py

        try:
            with HDF5_LOCK, h5py.File(path, "r") as file:
                found = file.get(POINTS)
                if isinstance(found, h5py.Dataset):
                    return bool(found.ndim == 3)
                return bool(mask_frames(file))
        except OSError:
            return False

    def read(
        self,
        path: Path,
        *,
        reviewer: str | None = None,
        source: str | None = None,
        rate_hz: float | None = None,
    ) -> Imported:
        """Read points and masks, of each people's first, then those of each network."""
        import h5py

        del rate_hz
        path = Path(path)
        with corrupt(path, "targettrack's points"), HDF5_LOCK, h5py.File(path, "r") as file:
            stream = COLOURS[0] if f"0/{FRAME}" in file else ""
            person = Author("person", reviewer or "targettrack user")
            drawn = read_masks(file, person, stream)
            people = _places(file[POINTS][()]) if POINTS in file or not drawn else None
            models = {
                key: _places(group[OF_NETWORK][()])
                for key, group in (file[NETWORKS].items() if NETWORKS in file else ())
                if OF_NETWORK in group
            }
            sizes = [int(file.attrs[k]) for k in "DHW"] if "W" in file.attrs else []
            content = bytes(file[SIDECAR][()]) if SIDECAR in file else b""
        sidecar, notes = unpack_sidecar(content) if content else (None, ())
        mark = source or (sidecar.fingerprint if sidecar else None)
        if people is None:
            if len(drawn) == 1:
                whole = untouched(sidecar, drawn[0].masks, self.name)
                if whole is not None:
                    return whole
            return imported_masks(drawn, self.name, fingerprint=mark)
        whole = _untouched(sidecar, people)
        if whole is not None:
            return whole
        shape = (sizes[0], sizes[1], sizes[2]) if sizes else None
        found = [_found(people, person, shape, stream, notes)]
        for key, places in models.items():
            found.append(_found(places, Author("model", f"targettrack/{key}"), shape, stream, ()))
        kept = [f for f in found if f.positions.seen.any()] or (found[:1] if not drawn else [])
        sets = [imported(kept, self.name, fingerprint=mark)] if kept else []
        if drawn:
            sets.append(imported_masks(drawn, self.name, fingerprint=mark or sets[0].fingerprint
                                       if sets else mark))  # fmt: skip
        return _together(sets)


def _together(found: list[Imported]) -> Imported:
    """Points and masks of one file."""
    first = found[0]
    return replace(
        first,
        labels=tuple(labels for each in found for labels in each.labels),
        items=tuple(table for each in found for table in each.items),
        what_is_missing=tuple(dict.fromkeys(n for each in found for n in each.what_is_missing)),
    )


def _places(stored: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Places without the row of the background, (t, neurons, 3)."""
    if stored.ndim != 3 or stored.shape[2] != 3 or stored.shape[1] < 2:
        raise ValueError(f"points of shape {stored.shape} instead of (t, neurons + 1, 3)")
    return np.asarray(stored[:, 1:], np.float32)


def _found(
    places: npt.NDArray[np.float32],
    author: Author,
    shape: tuple[int, int, int] | None,
    stream: str,
    notes: tuple[str, ...],
) -> FoundPoints:
    positions = Positions.build(
        np.arange(len(places)), places, items=np.arange(1, places.shape[1] + 1)
    )
    placed = np.flatnonzero(positions.seen.any(axis=1))
    kept = positions.take(placed) if placed.size else positions
    return FoundPoints(kept, author, shape=shape, stream=stream, notes=notes)


def _channels(dossier: Dossier) -> list[Movie]:
    """Movies of the recording that were taken together, the one that was tracked in first."""
    recording = dossier.recording
    if recording is None or dossier.stream not in recording.movies:
        return []
    first = recording.movies[dossier.stream]
    rest = [
        movie
        for name, movie in recording.movies.items()
        if name != dossier.stream
        and (movie.shape, movie.n_frames) == (first.shape, first.n_frames)
        and name in COLOURS
    ]
    return [first, *rest]


def _extent(
    dossier: Dossier, channels: list[Movie], positions: Positions
) -> tuple[tuple[int, int, int], int]:
    last = int(positions.frames[-1]) + 1
    if channels:
        return channels[0].shape, max(channels[0].n_frames, last)
    context = {} if dossier.items is None else dossier.items.context
    stated = context.get("grid")
    if not isinstance(stated, list | tuple) or len(stated) != 3:
        largest = np.ceil(np.nanmax(positions.xyz, axis=(0, 1))[::-1]).astype(int) + 1
        stated = largest.tolist()
    depth, height, width = (int(n) for n in stated)
    return (depth, height, width), last


def _dense(positions: Positions, n_frames: int) -> npt.NDArray[np.float32]:
    """Places of every volume, with the row of the background, (n_frames, neurons + 1, 3)."""
    out = np.full((n_frames, positions.items.size + 1, 3), np.nan, np.float32)
    if positions.frames[0] < 0:
        raise ExportError("volumes from 0 on", f"{positions.frames[0]}", "Check the labels.")
    out[positions.frames, 1:] = positions.xyz
    return out


def _untouched(sidecar: Sidecar | None, people: npt.NDArray[np.float32]) -> Imported | None:
    """The work as it was exported, while every place is still the same."""
    if sidecar is None or sidecar.labels is None:
        return None
    if not np.array_equal(
        _dense(Positions.from_labels(sidecar.labels), len(people))[:, 1:], people, equal_nan=True
    ):
        return None
    return sidecar.imported(sidecar.labels, "targettrack")


TARGETTRACK = Targettrack()
