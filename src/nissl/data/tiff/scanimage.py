"""What ScanImage writes into its TIFF files: the header of the scan, and facts of each frame.

Versions from 2016 on, whose keys begin with "SI."; of these the ones below are read and
nothing else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from nissl.data.tiff.facts import Facts, positive, whole

_SI_KEYS = {
    "hChannels.channelSave": "channels",
    "hChannels.channelName": "names",
    "hRoiManager.scanFrameRate": "frame_rate_hz",
    "hRoiManager.scanVolumeRate": "volume_rate_hz",
    "hRoiManager.mroiEnable": "several_fields",
    "hRoiManager.imagingFovUm": "field_um",
    "hFastZ.enable": "fast_z",
    "hStackManager.enable": "stack",
    "hStackManager.numSlices": "slices",
    "hStackManager.actualNumSlices": "actual_slices",
    "hStackManager.framesPerSlice": "frames_per_slice",
    "hStackManager.stackZStepSize": "step_um",
    "hFastZ.numFramesPerVolume": "frames_per_volume",
    "hStackManager.numFramesPerVolumeWithFlyback": "frames_with_flyback",
    "hFastZ.numDiscardFlybackFrames": "flyback_frames",
    "hScan2D.bidirectional": "bidirectional",
    "hScan2D.scannerType": "scanner",
    "VERSION_MAJOR": "version",
}


def scanimage_facts(software: str) -> Facts:
    """Facts of the header that ScanImage puts into the tag "Software" of every page."""
    said: dict[str, Any] = {}
    for line in software.splitlines():
        key, equals, value = line.partition("=")
        name = _SI_KEYS.get(key.strip().removeprefix("SI."))
        if name and equals:
            said[name] = matlab_value(value)
    channels = said.get("channels", 1)
    saved = [int(c) for c in channels if positive(c)] if isinstance(channels, list) else [0]
    names = said.get("names")
    if isinstance(channels, int | float) and positive(channels):
        saved = [int(channels)]
    known = isinstance(names, list) and all(0 < c <= len(names) for c in saved)
    planes = _planes(said)
    rate = positive(said.get("volume_rate_hz")) if planes > 1 else None
    rate = rate or positive(said.get("frame_rate_hz"))
    if planes > 1 and positive(said.get("volume_rate_hz")) is None and rate is not None:
        rate = rate / max(planes, whole(said.get("frames_with_flyback")))
    scan = {
        "bidirectional": said.get("bidirectional"),
        "scanner": said.get("scanner"),
        "several_fields": said.get("several_fields"),
        "field_um": said.get("field_um"),
        "step_um": said.get("step_um"),
        "per_volume": max(planes, _per_volume(said, planes)),
    }
    return Facts(
        writer="ScanImage",
        n_channels=max(1, len(saved)),
        n_planes=planes,
        rate_hz=rate,
        names=tuple(str(names[c - 1]) for c in saved) if known and names else (),
        scan={key: value for key, value in scan.items() if value is not None},
    )


def _planes(said: Mapping[str, Any]) -> int:
    """Planes that take turns; a slow stack of many frames a slice is read frame by frame."""
    volumes = said.get("fast_z") is True or said.get("stack") is True
    if not volumes or (whole(said.get("frames_per_slice")) or 1) > 1:
        return 1
    return max(1, whole(said.get("actual_slices")) or whole(said.get("slices")))


def _per_volume(said: Mapping[str, Any], planes: int) -> int:
    """Frames from the beginning of one volume to that of the next."""
    if planes < 2:
        return 1
    stated = whole(said.get("frames_with_flyback")) or whole(said.get("frames_per_volume"))
    return stated or planes + whole(said.get("flyback_frames"))


def field_spacing_um(corners: Any, height: int, width: int) -> tuple[float, float] | None:
    """Size of a pixel along y and x from the corners of a rectangular field, micrometres."""
    try:
        points = [[float(v) for v in corner[:2]] for corner in corners]
    except (TypeError, ValueError, IndexError):
        return None
    if len(points) < 3:
        return None
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    y, x = positive((max(ys) - min(ys)) / height), positive((max(xs) - min(xs)) / width)
    return None if y is None or x is None else (y, x)


def matlab_value(text: str) -> Any:
    """Value of a number, truth value, text, or list of those as MATLAB prints it.

    Rows of a matrix become lists; what is none of these stays a text.
    """
    text = text.strip()
    if len(text) > 100_000:
        return ""
    if text[:1] in ("[", "{") and text[-1:] in ("]", "}"):
        rows = [
            [matlab_value(each) for each in re.findall(r"'[^']*'|[^\s,;'{}\[\]]+", row)]
            for row in re.split(r"[;\n]", text[1:-1])
        ]
        rows = [row for row in rows if row]
        if len(rows) > 1:
            return [row[0] for row in rows] if all(len(row) == 1 for row in rows) else rows
        return rows[0] if rows else []
    if text.startswith("'") and text.endswith("'") and len(text) > 1:
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else float(text)
    except ValueError:
        return text


def frame_facts(description: str) -> tuple[int, float]:
    """Number and time (s) of a ScanImage frame from its page's description; -1, NaN if absent."""
    number = re.search(r"^frameNumberAcquisition\s*=\s*(\d{1,15})\s*$", description, re.M)
    stamp = re.search(r"^frameTimestamps_sec\s*=\s*([\d.eE+-]{1,30})\s*$", description, re.M)
    try:
        time_s = float(stamp[1]) if stamp else math.nan
    except ValueError:
        time_s = math.nan
    return int(number[1]) if number else -1, time_s
