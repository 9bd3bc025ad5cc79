"""Channels of a stream: names, calibration and geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadMetadataError, BadProbeError

SPIKING = ("ephys", "ap")
"""Kinds of streams in which single neurons may be seen."""
BRAIN = ("eeg", "ieeg", "meg", "lfp")
"""Kinds of streams of summed activity."""
MOVIE = "movie"
"""Kind of the streams that are movies."""
FLUORESCENCE = ("fluorescence",)
"""Kinds of streams that hold one trace of fluorescence per cell."""


def _frozen(values: npt.ArrayLike, dtype: Any) -> npt.NDArray[Any]:
    array = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class ChannelTable:
    """What is known of each channel of a stream, in the order of its columns.

    Parameters
    ----------
    ids : tuple of str
        Unique names.
    gain_uv, offset_uv : ndarray, shape (n_channels,), float64
        ``uV = raw * gain_uv + offset_uv``.
    position_um : ndarray, shape (n_channels, 2), float64, micrometres
        Contact positions in the plane of the probe (x across, y along); NaN where unknown.
    shank : ndarray, shape (n_channels,), int64
        Shank of each contact; shanks are treated as independent.
    phase : ndarray, shape (n_channels,), float64, samples
        Delay of each channel's sampling within one sample period (the ADC table of a
        multiplexed probe); zeros where channels are sampled together.
    kind : str
        What the channels measure: "ephys", "lfp", "aux", "eeg", ...
    probe : dict, optional
        The probeinterface description, kept whole for round trips.
    types : tuple of str
        Type of each channel where the file states it ("eeg", "eog", "meg", ...; "" where it
        does not), for `nissl.data.electrodes`; empty where it states none.
    """

    ids: tuple[str, ...]
    gain_uv: npt.NDArray[np.float64]
    offset_uv: npt.NDArray[np.float64]
    position_um: npt.NDArray[np.float64]
    shank: npt.NDArray[np.int64]
    phase: npt.NDArray[np.float64]
    kind: str = "ephys"
    probe: dict[str, Any] | None = None
    types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.ids)
        object.__setattr__(self, "ids", tuple(str(i) for i in self.ids))
        for name, dtype, shape in (
            ("gain_uv", np.float64, (n,)),
            ("offset_uv", np.float64, (n,)),
            ("position_um", np.float64, (n, 2)),
            ("shank", np.int64, (n,)),
            ("phase", np.float64, (n,)),
        ):
            array = _frozen(getattr(self, name), dtype)
            if array.shape != shape:
                raise BadMetadataError(
                    f"{name} of shape {shape}",
                    f"shape {array.shape}",
                    "Give one value per channel.",
                )
            object.__setattr__(self, name, array)
        object.__setattr__(self, "types", tuple(self.types))
        if self.types and len(self.types) != n:
            raise BadMetadataError(
                f"{n} channel types", f"{len(self.types)}", "Give one per channel, or none."
            )
        if len(set(self.ids)) != n:
            twice = sorted({i for i in self.ids if self.ids.count(i) > 1})
            raise BadMetadataError(
                "unique channel names", f"{twice} more than once", "Rename the channels."
            )
        if not (np.all(np.isfinite(self.gain_uv)) and np.all(self.gain_uv != 0)):
            raise BadMetadataError(
                "a finite gain other than 0 for every channel",
                f"{self.gain_uv.tolist()}",
                "Check the header, or give the gain in uV per step.",
            )
        self._check_contacts()

    def _check_contacts(self) -> None:
        known = np.flatnonzero(np.all(np.isfinite(self.position_um), axis=1))
        places: dict[tuple[float, float], int] = {}
        pairs = []
        for index in known.tolist():
            place = (float(self.position_um[index, 0]), float(self.position_um[index, 1]))
            if place in places:
                pairs.append((self.ids[places[place]], self.ids[index]))
            places.setdefault(place, index)
        if pairs:
            raise BadProbeError(
                "contacts at different positions",
                f"the same position for the channels {pairs[:5]}",
                "Mend the probe file; every contact needs its own x, y in micrometres.",
            )

    @classmethod
    def plain(
        cls,
        ids: Sequence[str] | int,
        *,
        gain_uv: float | npt.ArrayLike = 1.0,
        offset_uv: float | npt.ArrayLike = 0.0,
        position_um: npt.ArrayLike | None = None,
        shank: npt.ArrayLike | None = None,
        phase: npt.ArrayLike | None = None,
        kind: str = "ephys",
        probe: dict[str, Any] | None = None,
        types: Sequence[str] = (),
    ) -> ChannelTable:
        """Build a table from what is known; a number of channels names them "0", "1", ..."""
        names = tuple(str(i) for i in range(ids)) if isinstance(ids, int) else tuple(ids)
        n = len(names)
        position = np.full((n, 2), np.nan) if position_um is None else position_um
        return cls(
            ids=names,
            gain_uv=np.broadcast_to(np.asarray(gain_uv, dtype=np.float64), (n,)),
            offset_uv=np.broadcast_to(np.asarray(offset_uv, dtype=np.float64), (n,)),
            position_um=np.asarray(position, dtype=np.float64),
            shank=np.zeros(n, np.int64) if shank is None else np.asarray(shank),
            phase=np.zeros(n) if phase is None else np.asarray(phase),
            kind=kind,
            probe=probe,
            types=tuple(types),
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def has_geometry(self) -> bool:
        """Whether every channel has a position."""
        return len(self) > 0 and bool(np.all(np.isfinite(self.position_um)))

    def index(self, channels: Sequence[int | str] | None) -> npt.NDArray[np.intp]:
        """Column indices of channels given by index or name; None means all."""
        if channels is None:
            return np.arange(len(self))
        lookup = {name: i for i, name in enumerate(self.ids)}
        out = []
        for channel in channels:
            found = lookup.get(channel) if isinstance(channel, str) else int(channel)
            if found is None or not 0 <= found < len(self):
                raise BadMetadataError(
                    f"a channel among the {len(self)} of this stream",
                    repr(channel),
                    f"Names run from {self.ids[0]!r} to {self.ids[-1]!r}.",
                )
            out.append(found)
        return np.asarray(out, dtype=np.intp)

    def take(self, channels: Sequence[int | str]) -> ChannelTable:
        """Return the table of some channels, in the order given (without the probe file)."""
        i = self.index(channels)
        return replace(
            self,
            ids=tuple(self.ids[k] for k in i),
            gain_uv=self.gain_uv[i],
            offset_uv=self.offset_uv[i],
            position_um=self.position_um[i],
            shank=self.shank[i],
            phase=self.phase[i],
            probe=None,
            types=tuple(self.types[k] for k in i) if self.types else (),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, for fingerprints and for describing a source."""
        facts = {
            "ids": list(self.ids),
            "gain_uv": self.gain_uv.tolist(),
            "offset_uv": self.offset_uv.tolist(),
            "position_um": [
                [None if np.isnan(v) else v for v in row] for row in self.position_um.tolist()
            ],
            "shank": self.shank.tolist(),
            "phase": self.phase.tolist(),
            "kind": self.kind,
        }
        return {**facts, "types": list(self.types)} if self.types else facts

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ChannelTable:
        """Inverse of `to_json`, which leaves the probe out; it may be added under "probe"."""
        position = [[np.nan if v is None else v for v in row] for row in value["position_um"]]
        n = len(value["ids"])
        return cls(
            ids=tuple(value["ids"]),
            gain_uv=np.asarray(value["gain_uv"], dtype=np.float64),
            offset_uv=np.asarray(value["offset_uv"], dtype=np.float64),
            position_um=np.asarray(position, dtype=np.float64).reshape(n, 2),
            shank=np.asarray(value["shank"], dtype=np.int64),
            phase=np.asarray(value["phase"], dtype=np.float64),
            kind=value["kind"],
            probe=value.get("probe"),
            types=tuple(value.get("types", ())),
        )
