"""Probe files: probeinterface JSON, read without the package and checked contact by contact."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data.channels import ChannelTable
from nissl.errors import BadProbeError, SourceNotFoundError

_UM = {"um": 1.0, "µm": 1.0, "mm": 1e3, "m": 1e6}
_BETWEEN_PROBES_UM = 250.0


@dataclass(frozen=True, eq=False)
class Geometry:
    """Contacts in the order of the channels they are wired to.

    Parameters
    ----------
    position_um : ndarray, shape (n_channels, 2), float64
    shank : ndarray, shape (n_channels,), int64
        Shanks are numbered through all probes.
    probe : dict, optional
        The file's description, where it is of a single probe.
    """

    position_um: npt.NDArray[np.float64]
    shank: npt.NDArray[np.int64]
    probe: dict[str, Any] | None

    def __len__(self) -> int:
        return len(self.shank)

    def onto(self, table: ChannelTable) -> ChannelTable:
        """Give a channel table this geometry.

        Raises
        ------
        BadProbeError
            Numbers of contacts and channels differ.
        """
        if len(self) != len(table):
            raise BadProbeError(
                f"{len(table)} wired contacts, one per channel",
                f"{len(self)} in the probe file",
                "Give the probe of this recording, or mend its device_channel_indices.",
            )
        return replace(table, position_um=self.position_um, shank=self.shank, probe=self.probe)


def read_probe(path: str | Path) -> Geometry:
    """Read a probeinterface JSON file.

    Raises
    ------
    SourceNotFoundError
        No such file.
    BadProbeError
        Not JSON, not of that form, or contacts that cannot be wired to channels.
    """
    path = Path(path)
    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise SourceNotFoundError(
            f"a probe file at {path}", "no such file", "Check the path given with --probe."
        ) from error
    except OSError as error:
        raise _bad("a readable file", error.strerror or repr(error)) from error
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad("JSON", f"something else in {path.name}") from error
    return parse_probe(value)


def parse_probe(value: Any) -> Geometry:
    """Geometry of a parsed probeinterface document (a group, or a single probe).

    The contacts of several probes are laid side by side, `_BETWEEN_PROBES_UM` apart, where
    their outlines in x would overlap: each probe file has its own origin.
    """
    probes = value.get("probes", [value]) if isinstance(value, Mapping) else None
    if not isinstance(probes, Sequence) or not probes:
        raise _bad("an object with a list of probes", type(value).__name__)
    parts = [_contacts(probe) for probe in probes]
    position, shank, wiring = side_by_side(parts)
    order = _order(wiring)
    return Geometry(position[order], shank[order], dict(probes[0]) if len(probes) == 1 else None)


Part = tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.int64] | None]


def _contacts(probe: Any) -> Part:
    """Positions (um), shank numbers and wiring of one probe, in the order of its contacts."""
    if not isinstance(probe, Mapping) or "contact_positions" not in probe:
        raise _bad("a probe with contact_positions", type(probe).__name__)
    unit = probe.get("si_units", "um")
    if unit not in _UM:
        raise _bad(f"si_units among {sorted(_UM)}", repr(unit))
    try:
        position = np.asarray(probe["contact_positions"], dtype=np.float64) * _UM[unit]
        wiring = probe.get("device_channel_indices")
        wired = None if wiring is None else np.asarray(wiring, dtype=np.int64)
        shanks = np.asarray(probe.get("shank_ids") or [""] * len(position)).astype(str)
    except (TypeError, ValueError, OverflowError) as error:
        raise _bad("contact positions and wiring as numbers", str(error)) from error
    if position.ndim != 2 or position.shape[1] < 2 or not len(position):
        raise _bad("contact_positions of shape (n_contacts, 2)", f"shape {position.shape}")
    if not np.all(np.isfinite(position)):
        raise _bad("finite contact positions", "NaN or infinite ones")
    if shanks.shape != (len(position),) or (wired is not None and wired.shape != shanks.shape):
        raise _bad("one shank and one channel per contact", "lists of other lengths")
    number = np.unique(shanks, return_inverse=True)[1]
    return position[:, :2], np.asarray(number, dtype=np.int64), wired


def side_by_side(parts: Sequence[Part]) -> Part:
    """Join probes, moving each to the right of the one before where they overlap in x.

    Parameters
    ----------
    parts : sequence of (positions, shanks, wiring)
        Shape (n_contacts, 2), um; (n_contacts,); (n_contacts,) or None.
    """
    positions: list[npt.NDArray[np.float64]] = []
    shanks: list[npt.NDArray[np.int64]] = []
    n_shanks, right = 0, -np.inf
    for position, shank, _ in parts:
        left = float(position[:, 0].min())
        shift = max(0.0, right + _BETWEEN_PROBES_UM - left) if left <= right else 0.0
        positions.append(position + np.array([shift, 0.0]))
        shanks.append(shank + n_shanks)
        n_shanks += int(shank.max()) + 1
        right = max(right, float(positions[-1][:, 0].max()))
    wirings = [w for _, _, w in parts if w is not None]
    if wirings and len(wirings) != len(parts):
        raise _bad("device_channel_indices for every probe, or for none", "some only")
    wiring = np.concatenate(wirings) if wirings else None
    return np.concatenate(positions), np.concatenate(shanks), wiring


def _order(wiring: npt.NDArray[np.int64] | None) -> Any:
    """Contacts in the order of their channels; -1 stands for a contact without one."""
    if wiring is None:
        return slice(None)
    wired = np.flatnonzero(wiring >= 0)
    channels = wiring[wired]
    if not np.array_equal(np.sort(channels), np.arange(channels.size)) or not channels.size:
        twice = [int(c) for c in np.unique(channels) if np.sum(channels == c) > 1]
        got = f"channel {twice[0]} twice" if twice else f"{channels.size} of other numbers"
        raise _bad("device_channel_indices that run from 0 without a gap", got)
    return wired[np.argsort(channels, kind="stable")]


def _bad(expected: str, got: str) -> BadProbeError:
    return BadProbeError(
        f"{expected} in the probe file", got, "Write it with probeinterface.write_probeinterface."
    )
