"""What SpikeInterface's folders have in common: channel properties, probe, segment times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.data.channels import ChannelTable
from nissl.data.probes import parse_probe
from nissl.data.readers import ReadOptions
from nissl.errors import BadMetadataError

PROPERTIES = ("gain_to_uV", "offset_to_uV", "inter_sample_shift", "group")


def channel_table(
    ids: Sequence[Any], properties: Mapping[str, Any], probe: Any, options: ReadOptions
) -> tuple[ChannelTable, dict[str, Any]]:
    """Channel table of a SpikeInterface recording, and metadata that say what was assumed.

    Parameters
    ----------
    ids : sequence
    properties : mapping
        Values of `PROPERTIES` that are there, one per channel.
    probe : dict or None
        Probe group as probeinterface describes it.
    options : ReadOptions
    """
    gain = properties.get("gain_to_uV")
    if options.gain_uv is not None:
        if gain is not None:
            raise BadMetadataError(
                "no gain_uv for a folder that states its gains",
                f"{options.gain_uv}",
                "Leave the option out.",
            )
        gain = options.gain_uv
    group = properties.get("group")
    table = ChannelTable.plain(
        [str(i) for i in ids],
        gain_uv=1.0 if gain is None else gain,
        offset_uv=_or(properties.get("offset_to_uV"), 0.0),
        phase=properties.get("inter_sample_shift"),
        shank=None if group is None else np.unique(np.asarray(group), return_inverse=True)[1],
    )
    if probe is not None and len(table):
        table = parse_probe(_ranked(probe)).onto(table)
    return table, {"gain_assumed": True} if gain is None else {}


def clock_of_segments(
    rate_hz: float,
    lengths: Sequence[int],
    starts_s: Sequence[float | None],
    times_s: Sequence[npt.NDArray[np.float64] | None],
) -> Clock:
    """Clock from each segment's start, or its time vector where it has one."""
    segments: list[list[float]] = []
    first, end_s = 0, 0.0
    for length, start_s, times in zip(lengths, starts_s, times_s, strict=True):
        if times is not None:
            if len(times) != length:
                raise BadMetadataError(
                    f"{length} times, one per sample", f"{len(times)}", "Save the recording again."
                )
            piece = Clock.from_times(times).to_json()
        else:
            known = start_s is not None and np.isfinite(start_s)
            piece = [[0, length, float(start_s or 0.0) if known else end_s, rate_hz]]
        segments += [[a + first, b + first, t, r] for a, b, t, r in piece]
        first += length
        a, b, t0_s, rate = segments[-1]
        end_s = t0_s + (b - a) / rate if rate > 0 else t0_s
    return Clock.from_json(segments)


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _ranked(group: Any) -> Any:
    """Probe group whose wiring runs from 0; SpikeInterface keeps old numbers in a selection."""
    probes = [dict(probe) for probe in group["probes"]]
    if any(probe.get("device_channel_indices") is None for probe in probes):
        return {**group, "probes": probes}
    wiring = [probe["device_channel_indices"] for probe in probes]
    used = sorted({int(i) for each in wiring for i in each if i >= 0})
    rank = {number: place for place, number in enumerate(used)}
    for probe, each in zip(probes, wiring, strict=True):
        probe["device_channel_indices"] = [rank.get(int(i), -1) for i in each]
    return {**group, "probes": probes}
