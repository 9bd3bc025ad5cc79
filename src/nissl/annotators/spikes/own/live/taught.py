"""A sorter that was fitted to a recording, as one file: arrays, and a header of plain values.

Nothing in the file is code. It says which recording it came from, and whoever reads it is told
what does not fit instead of being given spikes of other units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.confidence.usual import N_OF_UNIT, Usual
from nissl.annotators.spikes.own.preprocessing.filtering import Band
from nissl.annotators.spikes.own.preprocessing.front import Front
from nissl.annotators.spikes.own.preprocessing.whitening import Whitening
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.own.windows import Windows
from nissl.errors import BadMetadataError, CorruptSourceError, SourceNotFoundError
from nissl.labels.digest import digest_array, digest_json
from nissl.nets.checkpoint import load, save

FORMAT = 2
OLDEST = 1
"""Files of it are read: they say nothing of what is usual, so that no spike has a confidence."""
KIND = "spikes/nissl, taught"
Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Arrays = dict[str, npt.NDArray[Any]]

_PER_UNIT = ("number", "shift", "channel", "amplitude_uv", "position_um")
_USUAL = "usual_"


@dataclass(frozen=True, eq=False)
class TaughtShank:
    """What is known of channels that are sorted together.

    Parameters
    ----------
    front : Front
        Its columns are those of the recording that taught.
    templates : Templates
    number : ndarray, shape (n_templates,), int64
        Unit of each, of which there may be several; -1 where the unit had too few spikes in the
        recording to be one, or none of them was of this template.
    shift : ndarray, shape (n_templates,), int64
        Samples from where the sorter puts a spike to the peak of the unit's mean waveform.
    channel : ndarray, shape (n_templates,), int64
        Column of the recording on which each is largest; -1 without a number.
    amplitude_uv : ndarray, shape (n_templates,), float32
        Median there, signed, uV; NaN without a number.
    position_um : ndarray, shape (n_templates, 2), float32
        Place on the probe, x and y; NaN where unknown.
    usual : Usual or None
        What is usual for spikes of each template; None where it was not kept.
    place_um : ndarray, shape (n_channels, 2), float64, or None
        Of the channels on the probe; NaN where unknown, None where it was not kept.
    moved_um : ndarray, shape (n_channels,), float64, or None
        Displacement of the tissue at the end of the recording; templates are those at rest.
    """

    front: Front
    templates: Templates
    number: Ints
    shift: Ints
    channel: Ints
    amplitude_uv: npt.NDArray[np.float32]
    position_um: npt.NDArray[np.float32]
    usual: Usual | None = None
    place_um: Values | None = None
    moved_um: Values | None = None


@dataclass(frozen=True, eq=False)
class TaughtSorter:
    """A sorter that knows the units of a recording.

    Parameters
    ----------
    rate_hz : float
    channels : tuple of str
        All channels of the recording, in its order.
    shanks : tuple of TaughtShank
        Those that have units; there may be none.
    origin : mapping
        Plain values: `source` (fingerprint), `stream`, `n_samples`, `seed`, `parameters`, the
        `version` of the method, and of each shank the `range_um` over which the tissue moved.
    """

    rate_hz: float
    channels: tuple[str, ...]
    shanks: tuple[TaughtShank, ...]
    origin: Mapping[str, Any]

    @property
    def n_units(self) -> int:
        """Units that are told."""
        return int(sum(np.unique(shank.number[shank.number >= 0]).size for shank in self.shanks))

    @property
    def range_um(self) -> float:
        """How far the tissue moved in the recording, of the shank that moved most."""
        return max((float(um) for um in self.origin.get("range_um", ())), default=0.0)

    @property
    def digest(self) -> str:
        """Hex SHA-256 of all that it consists of."""
        arrays, header = _packed(self)
        return digest_json([header, {k: digest_array(v) for k, v in sorted(arrays.items())}])


def save_taught(path: Path, taught: TaughtSorter) -> None:
    """Write it whole or not at all.

    Raises
    ------
    StoreError
        The file system refuses.
    """
    arrays, header = _packed(taught)
    save(path, arrays, header)


def load_taught(path: Path) -> TaughtSorter:
    """Inverse of `save_taught`.

    Raises
    ------
    SourceNotFoundError
        There is no such file.
    CorruptSourceError
        It is no taught sorter, or damaged.
    BadMetadataError
        Another version wrote it.
    """
    if not path.is_file():
        raise SourceNotFoundError(
            "a taught sorter", f"no file {path}", "Teach one: nissl live ... --teach SOURCE"
        )
    try:
        arrays, header = load(path)
        if header.get("kind") != KIND:
            raise ValueError("it is something else")
        if header.get("format") not in range(OLDEST, FORMAT + 1):
            raise BadMetadataError(
                f"a taught sorter of format {OLDEST} to {FORMAT}",
                f"format {header.get('format')!r} in {path.name}",
                "Teach it again with this version of nissl: --teach SOURCE",
            )
        return _unpacked(arrays, header)
    except (CorruptSourceError, KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, BadMetadataError):
            raise
        raise CorruptSourceError(
            "a taught sorter",
            f"{path.name}: {type(error).__name__}, {str(error)[:120]}",
            "Delete the file and teach it again: --teach SOURCE",
        ) from None


def _packed(taught: TaughtSorter) -> tuple[Arrays, dict[str, Any]]:
    arrays: Arrays = {}
    told = []
    for k, shank in enumerate(taught.shanks):
        front, templates = shank.front, shank.templates
        arrays |= {
            f"{k}.columns": np.asarray(front.columns, np.int64),
            f"{k}.sections": front.band.sections,
            f"{k}.prediction": front.whitening.prediction,
            f"{k}.matrix": front.whitening.matrix,
            f"{k}.noise_uv": front.whitening.noise_uv,
            f"{k}.waveforms": templates.waveforms,
            f"{k}.basis": templates.basis,
            f"{k}.rate_hz": templates.rate_hz,
            **{f"{k}.{name}": getattr(shank, name) for name in _PER_UNIT},
        }
        arrays |= {f"{k}.{name}": v for name, v in places_of(shank).items()}
        if shank.usual is not None:
            arrays |= {f"{k}.{_USUAL}{name}": v for name, v in shank.usual.arrays().items()}
        told.append({"step": front.band.step, "delay": front.delay, **vars(templates.windows)})
    header = {
        "kind": KIND,
        "format": FORMAT,
        "rate_hz": taught.rate_hz,
        "channels": list(taught.channels),
        "shanks": told,
        "origin": dict(taught.origin),
    }
    return arrays, header


def places_of(shank: TaughtShank) -> dict[str, Values]:
    """Where its channels are and how far the tissue stood from rest, as far as it was kept."""
    known = {"place_um": shank.place_um, "moved_um": shank.moved_um}
    return {name: array for name, array in known.items() if array is not None}


def _unpacked(arrays: Arrays, header: Mapping[str, Any]) -> TaughtSorter:
    rate_hz, channels = float(header["rate_hz"]), tuple(map(str, header["channels"]))
    shanks = []
    for k, told in enumerate(header["shanks"]):
        own = {name.partition(".")[2]: v for name, v in arrays.items() if name.startswith(f"{k}.")}
        windows = Windows(**{n: int(told[n]) for n in Windows.__dataclass_fields__})
        _check(own, windows, len(channels))
        band = Band(rate_hz, int(told["step"]), own["sections"])
        whitening = Whitening(own["prediction"], own["matrix"], own["noise_uv"])
        columns = tuple(own["columns"].tolist())
        front = Front(columns, band, whitening, int(told["delay"]))
        templates = Templates(own["waveforms"], own["basis"], own["rate_hz"], windows)
        number, shift, channel, size, place = (own[name] for name in _PER_UNIT)
        usual = _usual(own, len(templates))
        shanks.append(
            TaughtShank(
                front,
                templates,
                number,
                shift,
                channel,
                size,
                place,
                usual,
                own.get("place_um"),
                own.get("moved_um"),
            )
        )
    return TaughtSorter(rate_hz, channels, tuple(shanks), dict(header["origin"]))


def _usual(own: Mapping[str, npt.NDArray[Any]], n: int) -> Usual | None:
    """What is usual, where it was kept; `ValueError` where it is not of these templates."""
    kept = {name.removeprefix(_USUAL): v for name, v in own.items() if name.startswith(_USUAL)}
    if not kept:
        return None
    usual = Usual.of_arrays(kept)
    for name, array in usual.arrays().items():
        shape = (n, N_OF_UNIT) if name == "columns" else (n,)
        if array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"{_USUAL}{name} of shape {array.shape}, not {shape}, or not finite")
    return usual


def _check(own: Mapping[str, npt.NDArray[Any]], windows: Windows, n_all: int) -> None:
    """Raise `ValueError` where shapes contradict each other or numbers are none."""
    n, n_channels = len(own["waveforms"]), own["columns"].size
    shapes = {
        "waveforms": (n, windows.long, n_channels),
        "matrix": (n_channels, n_channels),
        "noise_uv": (n_channels,),
        "rate_hz": (n,),
        "position_um": (n, 2),
        **dict.fromkeys(_PER_UNIT[:4], (n,)),
    }
    later = {"place_um": (n_channels, 2), "moved_um": (n_channels,)}  # not in the first format
    shapes |= {name: shape for name, shape in later.items() if name in own}
    for name, shape in shapes.items():
        if own[name].shape != shape:
            raise ValueError(f"{name} of shape {own[name].shape}, not {shape}")
    if own["basis"].ndim != 2 or own["basis"].shape[1] != windows.scored:
        raise ValueError("a basis of another length than the windows")
    if not (own["columns"].min() >= 0 and own["columns"].max() < n_all):
        raise ValueError("columns that the recording did not have")
    for name in ("sections", "prediction", "matrix", "waveforms", "basis", "rate_hz"):
        if not np.isfinite(own[name]).all():
            raise ValueError(f"{name} that is not finite")


__all__ = ["TaughtShank", "TaughtSorter", "load_taught", "save_taught"]
