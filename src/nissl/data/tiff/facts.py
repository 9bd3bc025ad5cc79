"""What the headers of TIFF stacks say of channels, planes, time and space.

Only what is named here is read; descriptions, names of experimenters and notes are not.
Sources: the keys that ImageJ writes into its descriptions, and the OME data model 2016-06.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nissl.data.tiff.pages import (
    DESCRIPTION,
    RESOLUTION_UNIT,
    SOFTWARE,
    X_RESOLUTION,
    Y_RESOLUTION,
    Chain,
)
from nissl.errors import CorruptSourceError

MOST_XML = 1 << 26
_MICROMETRES = {"um": 1.0, "µm": 1.0, "μm": 1.0, "micron": 1.0, "microns": 1.0, "nm": 1e-3}
_MICROMETRES |= {"mm": 1e3, "cm": 1e4, "m": 1e6}
_SECONDS = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "µs": 1e-6, "μs": 1e-6, "min": 60.0}


@dataclass(frozen=True)
class Facts:
    """What a stack says of itself.

    Parameters
    ----------
    writer : str
        "ImageJ", "OME", "ScanImage", or "" where nothing is recognised.
    n_images : int
        Images behind one header; 0 where every image has its own.
    n_channels, n_planes : int
        That take turns: channels first, then planes; 0 where nothing says.
    rate_hz : float, optional
        Volumes (frames, for one plane) per second.
    spacing_um : tuple of float, optional
        Of z, y and x; NaN where one is not stated.
    names : tuple of str
        Of the channels.
    scan : mapping
        Further facts of the scan, JSON values.
    """

    writer: str = ""
    n_images: int = 0
    n_channels: int = 0
    n_planes: int = 0
    rate_hz: float | None = None
    spacing_um: tuple[float, float, float] | None = None
    names: tuple[str, ...] = ()
    scan: Mapping[str, Any] = field(default_factory=dict)


def facts_of(chain: Chain) -> Facts:
    """Read what the first page of a file says."""
    description = chain.text(DESCRIPTION)
    if chain.text(SOFTWARE).startswith("SI."):
        from nissl.data.tiff.scanimage import scanimage_facts

        return scanimage_facts(chain.text(SOFTWARE))
    if description.startswith("ImageJ="):
        return _imagej(description, chain)
    if "<OME" in description[:2000]:
        return ome_facts(description)
    shaped = _shaped(description)
    return Facts(n_images=_images_of(shaped, chain)) if shaped else Facts()


def positive(value: Any) -> float | None:
    """A finite number above 0, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def whole(value: Any) -> int:
    """A positive whole number, or 0."""
    number = positive(value)
    return int(number) if number is not None and number < 1e9 else 0


def _imagej(description: str, chain: Chain) -> Facts:
    pairs = (line.partition("=") for line in description.splitlines())
    said = {key.strip(): value.strip() for key, _, value in pairs}
    n_images, n_frames = whole(said.get("images")), whole(said.get("frames"))
    n_channels, n_planes = whole(said.get("channels")), whole(said.get("slices"))
    scan: dict[str, Any] = {}
    if n_planes > 1 and not n_frames:  # how ImageJ saves any stack that is no hyperstack
        scan["slices_are_frames"] = n_planes
        n_planes = 1
    rate_hz = positive(said.get("fps"))
    interval = positive(said.get("finterval"))
    if interval is not None:
        rate_hz = 1 / interval
    unit = _MICROMETRES.get(said.get("unit", "").lower())
    y, x = (_pixel(chain.about.get(tag)) for tag in (Y_RESOLUTION, X_RESOLUTION))
    spacing = None
    if unit is not None and y is not None and x is not None:
        depth = positive(said.get("spacing"))
        spacing = (math.nan if depth is None else depth * unit, y * unit, x * unit)
    return Facts("ImageJ", n_images, n_channels, n_planes, rate_hz, spacing, (), scan)


def _pixel(resolution: Any) -> float | None:
    """Units per pixel from a rational number of pixels per unit."""
    if resolution is None or len(resolution) < 2 or not resolution[0]:
        return None
    return positive(float(resolution[1]) / float(resolution[0]))


def _shaped(description: str) -> Mapping[str, Any]:
    """Shape that tifffile notes in a description."""
    if not description.startswith('{"shape":'):
        return {}
    try:
        said = json.loads(description[:100_000])
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) and said.get("truncated") is True else {}


def _images_of(shaped: Mapping[str, Any], chain: Chain) -> int:
    shape = shaped.get("shape")
    if not isinstance(shape, list) or not all(isinstance(n, int) and n > 0 for n in shape):
        return 0
    pixels = chain.look.height * chain.look.width * chain.look.samples
    return math.prod(shape) // pixels


def ome_facts(description: str) -> Facts:
    """Facts of the first image of an OME header; the order of its pages is tifffile's to say.

    Raises
    ------
    CorruptSourceError
        Not well-formed, or with entities.
    """
    from xml.etree import ElementTree

    if len(description) > MOST_XML or "<!ENTITY" in description or "<!DOCTYPE" in description:
        raise _bad_xml("entities or too long a text")
    try:
        root = ElementTree.fromstring(description)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise _bad_xml(str(error)[:80]) from error
    pixels = next((each for each in root.iter() if _tag(each) == "Pixels"), None)
    if pixels is None:
        raise _bad_xml("no image")
    said = pixels.attrib
    interval = _scaled(said, "TimeIncrement", "TimeIncrementUnit", _SECONDS, "s")
    y, x, z = (
        _scaled(said, f"PhysicalSize{axis}", f"PhysicalSize{axis}Unit", _MICROMETRES, "µm")
        for axis in "YXZ"
    )
    spacing = None
    if y is not None and x is not None:
        spacing = (math.nan if z is None else z, y, x)
    channels = [each for each in pixels.iter() if _tag(each) == "Channel"]
    names = tuple(str(each.attrib.get("Name", "")) for each in channels)
    return Facts(
        writer="OME",
        n_channels=whole(said.get("SizeC")),
        n_planes=whole(said.get("SizeZ")),
        rate_hz=None if interval is None else 1 / interval,
        spacing_um=spacing,
        names=names if all(names) else (),
        scan={"delta_t_s": _delta_t(pixels)},
    )


def _bad_xml(got: str) -> CorruptSourceError:
    return CorruptSourceError(
        "a well-formed OME header", got, "The file is damaged; restore it from the original."
    )


def _tag(element: Any) -> str:
    return str(element.tag).rsplit("}", 1)[-1]


def _scaled(
    said: Mapping[str, str], name: str, unit: str, units: Mapping[str, float], usual: str
) -> float | None:
    value, factor = positive(said.get(name)), units.get(said.get(unit, usual))
    return None if value is None or factor is None else value * factor


def _delta_t(pixels: Any) -> list[float]:
    """Times of the frames (first channel, first plane) where all are stated, seconds."""
    found: dict[int, float] = {}
    for each in pixels.iter():
        said = each.attrib
        if _tag(each) != "Plane" or said.get("TheC", "0") != "0" or said.get("TheZ", "0") != "0":
            continue
        factor = _SECONDS.get(said.get("DeltaTUnit", "s"))
        try:
            found[int(said["TheT"])] = float(said["DeltaT"]) * float(factor or math.nan)
        except (KeyError, ValueError):
            return []
    times = [found[t] for t in sorted(found)]
    complete = sorted(found) == list(range(whole(pixels.attrib.get("SizeT"))))
    return times if complete and all(map(math.isfinite, times)) else []


def tagged_spacing_um(chain: Chain) -> tuple[float, float] | None:
    """Size of a pixel along y and x from the resolution tags, where they state centimetres.

    Inches are what image programs write by default ("72 dots per inch") and say nothing.
    """
    unit = chain.about.get(RESOLUTION_UNIT)
    if unit is None or len(unit) == 0 or int(unit[0]) != 3:
        return None
    y, x = (_pixel(chain.about.get(tag)) for tag in (Y_RESOLUTION, X_RESOLUTION))
    return None if y is None or x is None else (y * 1e4, x * 1e4)
