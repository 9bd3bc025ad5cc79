"""Large probes in zones along their length: units are looked for in each one alone.

A zone has a core, and a margin on both sides as wide as templates reach. Units whose largest
channel lies in the core are the zone's; those of the margin are its neighbours', and are there
so that nothing of them is taken for a unit of the core. Near a border a unit may be found by both
zones, or each may hold it to be the other's: it is told by its spikes, which come together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.matching.pursuit import Matched
from nissl.annotators.spikes.own.motion.resting import Rest
from nissl.annotators.spikes.own.preprocessing.front import Front
from nissl.annotators.spikes.own.preprocessing.whitening import RADIUS_UM, Whitening, neighbours
from nissl.annotators.spikes.own.templates.templates import Templates

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

ALONE = 72
"""Probes of so many channels are one zone: margins would cost more than they save."""
CORE = 48
MARGIN_UM = 120.0
BORDER_UM = 40.0
"""So far outside its core a zone's unit may lie where no other zone has it."""
TOGETHER_S = 0.5e-3
SHARE = 0.5
"""Share of the fewer spikes that come together from which two zones' units may be one."""
ALIKE = 0.5
"""Correlation of templates on the channels that both zones have, from which they are."""
LAGS = 4


@dataclass(frozen=True, eq=False)
class Zone:
    """Channels in which units are looked for together.

    Parameters
    ----------
    channels : ndarray, shape (n,), int64
        In order.
    core : ndarray, shape (n,), bool
        Which of them are the zone's own.
    """

    channels: Ints
    core: npt.NDArray[np.bool_]


def zones_of(position_um: Values) -> list[Zone]:
    """Cut a probe along its length; one zone where it is small, or places are unknown.

    Parameters
    ----------
    position_um : ndarray, shape (n_channels, 2), um
    """
    n = len(position_um)
    if n <= ALONE or not np.isfinite(position_um).all():
        return [Zone(np.arange(n), np.ones(n, bool))]
    depth = position_um[:, 1]
    order = np.lexsort((np.arange(n), position_um[:, 0], depth))
    out = []
    for core in np.array_split(order, -(-n // CORE)):
        low, high = depth[core].min() - MARGIN_UM, depth[core].max() + MARGIN_UM
        channels = np.flatnonzero((depth >= low) & (depth <= high))
        out.append(Zone(channels, np.isin(channels, core)))
    return out


def front_of(front: Front, zone: Zone, position_um: Values) -> Front:
    """What makes the samples of one zone white, reading no more channels than that takes.

    Parameters
    ----------
    front : Front
        Of the whole probe.
    zone : Zone
    position_um : ndarray, shape (n_channels, 2), um

    Returns
    -------
    Front
        Its whitening has a row for each channel of the zone.
    """
    whitening = front.whitening
    used = np.any(whitening.matrix[zone.channels] != 0, axis=0)
    if front.rest is not None:
        used = neighbours(position_um, RADIUS_UM)[used].any(axis=0)
    read = np.flatnonzero(used)
    part = Whitening(
        whitening.prediction,
        np.ascontiguousarray(whitening.matrix[np.ix_(zone.channels, read)]),
        whitening.noise_uv[read],
    )
    rest = None if front.rest is None else replace(front.rest, position_um=position_um[read])
    columns = tuple(front.columns[i] for i in read)
    return replace(front, columns=columns, whitening=part, rest=rest)


def rest_of(rest: Rest, zone: Zone, position_um: Values) -> Rest:
    """How the channels of a zone move."""
    return replace(rest, position_um=position_um[zone.channels])


def along(columns: Sequence[int], position_um: Values) -> list[int]:
    """Columns in order of depth where the probe is large, so that a template's lie together.

    Parameters
    ----------
    columns : sequence of int
    position_um : ndarray, shape (n_columns, 2), um
        Of each of them.
    """
    if len(columns) <= ALONE or not np.isfinite(position_um).all():
        return list(columns)
    order = np.lexsort((position_um[:, 0], position_um[:, 1]))
    return [columns[k] for k in order]


@dataclass(frozen=True, eq=False)
class Part:
    """What was found in one zone.

    Parameters
    ----------
    zone : Zone
    templates : Templates
        On the channels of the zone.
    unit : ndarray, shape (n_templates,), int64
        Which unit of the zone each belongs to.
    spikes : Matched
        In the samples that units were looked for in, which are of the same moments everywhere.
    """

    zone: Zone
    templates: Templates
    unit: Ints
    spikes: Matched


def joined(
    parts: Sequence[Part], position_um: Values, rate_hz: float
) -> tuple[Templates, Ints] | None:
    """One set of templates on the whole probe, each unit once.

    Parameters
    ----------
    parts : sequence of Part
        With the same basis.
    position_um : ndarray, shape (n_channels, 2), um
    rate_hz : float
        Of the white samples.

    Returns
    -------
    templates : Templates
    unit : ndarray, shape (n_templates,), int64
        Which unit each belongs to, 0 to n_units - 1.
        None instead of both where no zone has a template.
    """
    every = [each for part in parts for each in _placed(part, position_um)]
    if not every:
        return None
    kept: list[_Placed] = []
    reach = round(TOGETHER_S * rate_hz)
    name = {each.unit: each.unit for each in every}
    for each in sorted(every, key=lambda e: (e.outside_um > 0, -e.norm)):
        same = next((other for other in kept if _is_same(each, other, reach)), None)
        if same is None:
            kept.append(each)
        else:  # pieces of either unit are pieces of one
            old, new = name[each.unit], name[same.unit]
            name = {k: new if v == old else v for k, v in name.items()}
    kept.sort(key=lambda e: (e.zone, e.number))
    waves = np.zeros((len(kept), kept[0].wave.shape[0], len(position_um)), np.float32)
    for row, each in zip(waves, kept, strict=True):
        row[:, each.channels] = each.wave
    some = parts[0].templates
    rates = np.asarray([each.rate_hz for each in kept], dtype=np.float64)
    number: dict[tuple[int, int], int] = {}
    unit = [number.setdefault(name[each.unit], len(number)) for each in kept]
    return Templates(waves, some.basis, rates, some.windows), np.asarray(unit, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class _Placed:
    """A template, with what it takes to tell it from those of other zones."""

    zone: int
    number: int
    unit: tuple[int, int]
    channels: Ints
    wave: Samples
    rate_hz: float
    norm: float
    depth_um: float
    outside_um: float
    at: Ints


def _placed(part: Part, position_um: Values) -> list[_Placed]:
    """Templates of a zone in its core, or close to it."""
    depth = position_um[part.zone.channels, 1]
    core = depth[part.zone.core]
    templates, zone, out = part.templates, int(part.zone.channels[part.zone.core][0]), []
    for k, main in enumerate(templates.main):
        outside = max(float(core.min() - depth[main]), float(depth[main] - core.max()), 0.0)
        if not part.zone.core[main]:
            outside = max(outside, 1e-3)  # at the same depth as the core, but another zone's
        if outside > BORDER_UM:
            continue
        out.append(
            _Placed(
                zone=zone,
                number=k,
                unit=(zone, int(part.unit[k])),
                channels=part.zone.channels,
                wave=templates.waveforms[k],
                rate_hz=float(templates.rate_hz[k]),
                norm=float(templates.norms[k]),
                depth_um=float(depth[main]),
                outside_um=outside,
                at=np.sort(part.spikes.at[part.spikes.unit == k]),
            )
        )
    return out


def _is_same(one: _Placed, other: _Placed, reach: int) -> bool:
    if one.zone == other.zone or abs(one.depth_um - other.depth_um) > 2 * BORDER_UM:
        return False
    return together(one.at, other.at, reach) >= SHARE and _likeness(one, other) >= ALIKE


def together(one: Ints, other: Ints, reach: int) -> float:
    """Share of the fewer spikes within `reach` samples of one of the others; 0 without any.

    Parameters
    ----------
    one, other : ndarray, int64
        Samples, in order.
    reach : int
    """
    few, many = sorted((one, other), key=len)
    if not few.size:
        return 0.0
    first = np.searchsorted(many, few - reach)
    return float(np.mean(np.searchsorted(many, few + reach, side="right") > first))


def _likeness(one: _Placed, other: _Placed) -> float:
    """Largest correlation over a few lags, on the channels that both have."""
    shared, first, second = np.intersect1d(one.channels, other.channels, return_indices=True)
    a, b = one.wave[:, first].astype(np.float64), other.wave[:, second].astype(np.float64)
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    if not shared.size or not size > 0:
        return 0.0
    n = len(a)
    lags = range(-LAGS, LAGS + 1)
    most = max(
        float(np.sum(a[max(k, 0) : n + min(k, 0)] * b[max(-k, 0) : n - max(k, 0)])) for k in lags
    )
    return most / size
