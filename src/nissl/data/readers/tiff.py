"""TIFF stacks and folders of them: ImageJ, OME, ScanImage, and plain ones.

Every channel is a movie, planes are its z axis. What a header does not say is asked for:
``n_channels`` and ``n_planes`` where they take turns (channels first, then planes), ``rate_hz``
of the volumes. A folder holds one movie, in the natural order of the names of its files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nissl.data.frame_clock import frame_clock
from nissl.data.movie import Movie
from nissl.data.readers import Opened, ReadOptions
from nissl.data.tiff.facts import Facts, facts_of, tagged_spacing_um
from nissl.data.tiff.frames import TiffFrames
from nissl.data.tiff.pages import Chain, is_tiff, walk
from nissl.data.tiff.scanimage import field_spacing_um
from nissl.data.tiff.stack import (
    SUFFIXES,
    Plan,
    Stack,
    check_codec,
    files_of,
    mark_of,
    stack_of,
)
from nissl.errors import BadMetadataError

NOTES = ("", ".txt", ".md", ".json", ".xml", ".csv", ".tsv", ".log", ".ini", ".yml", ".yaml")
COLOURS = ("red", "green", "blue", "alpha")


class TiffReader:
    """Reads ``.tif`` and folders of them."""

    name = "tiff"
    takes = frozenset({"rate_hz", "n_channels", "n_planes"})

    def matches(self, path: Path) -> bool:
        """Whether it is a TIFF file, or a folder with at least one and no other data."""
        if path.is_dir():
            return _stacks_alone(path) and any(is_tiff(file) for file in files_of(path)[:1])
        return path.suffix.lower() in SUFFIXES and is_tiff(path)

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open every channel as a movie."""
        files = files_of(path)
        chain = walk(files[0], most=1)
        facts = facts_of(chain)
        plan = _plan(path, files, facts, chain, options)
        stack = stack_of(plan)
        check_codec(stack, files[0].name)
        stamps = _stamps(facts, stack)
        clock, notes = frame_clock(
            path.name,
            stack.order.shape[0],
            stated_hz=facts.rate_hz,
            given_hz=options.rate_hz,
            stamps_s=stamps,
            hint=f"A still volume of {stack.order.shape[0]} planes is opened with --planes.",
        )
        names = _names(facts, stack)
        dtype = np.dtype(stack.look.dtype).newbyteorder("=").str
        shape = (stack.order.shape[1], stack.look.height, stack.look.width)
        scan = {k: v for k, v in facts.scan.items() if k != "delta_t_s"}
        metadata = {"writer": facts.writer, **scan} if facts.writer else {}
        spacing = _spacing(facts, chain, shape[0])
        movies = tuple(
            Movie(name, TiffFrames(plan, channel, dtype), shape, clock, spacing, metadata)
            for channel, name in enumerate(names)
        )
        return Opened((), files, notes=(*notes, *_notes(facts, stack)), movies=movies)


def _stacks_alone(folder: Path) -> bool:
    """Whether a folder holds TIFF files and notes: a figure among sorted units is no movie."""
    shown = (p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    return all(p.suffix.lower() in (*SUFFIXES, *NOTES) for p in shown)


def _plan(
    path: Path, files: Sequence[Path], facts: Facts, chain: Chain, options: ReadOptions
) -> Plan:
    stated = {"n_channels": facts.n_channels, "n_planes": facts.n_planes}
    colours = chain.look.samples
    if colours > 1:
        stated["n_channels"] = colours
    chosen = {}
    for name, value in stated.items():
        given = getattr(options, name)
        # one plane, one channel, is what ImageJ writes where nothing was said
        loose = facts.writer in ("", "ImageJ") and value <= 1 and colours == 1
        if given is not None and not loose and given != value:
            raise BadMetadataError(
                f"{value} {name[2:]}, as {files[0].name} says", f"{given}", "Leave the option out."
            )
        chosen[name] = given if given is not None else max(1, value)
    n_channels = 1 if colours > 1 else chosen["n_channels"]
    per_volume = int(facts.scan.get("per_volume", 1))
    mark = mark_of(files)
    return Plan(str(path), mark, facts.writer, n_channels, chosen["n_planes"], per_volume)


def _stamps(facts: Facts, stack: Stack) -> Any:
    told = facts.scan.get("delta_t_s")
    if told:
        return np.asarray(told, np.float64)
    return stack.stamps_s if np.isfinite(stack.stamps_s).all() else None


def _names(facts: Facts, stack: Stack) -> list[str]:
    n = stack.look.samples if stack.look.samples > 1 else stack.order.shape[2]
    if n == 1:
        return ["movie"]
    if stack.look.samples > 1 and n <= len(COLOURS):
        return list(COLOURS[:n]) if n > 2 else ["grey", "alpha"]
    given = [re.sub(r"[^\w.-]+", "-", name).strip("-") for name in facts.names]
    if len(given) == n and len(set(given)) == n and all(given):
        return given
    return [f"channel{k}" for k in range(n)]


def _spacing(facts: Facts, chain: Chain, n_planes: int) -> tuple[float, float, float] | None:
    if facts.spacing_um is not None:
        z, y, x = facts.spacing_um
    else:
        field = facts.scan.get("field_um")
        height, width = chain.look.height, chain.look.width
        several = facts.scan.get("several_fields") is True
        pixel = None if several else field_spacing_um(field, height, width)
        pixel = pixel or tagged_spacing_um(chain)
        if pixel is None:
            return None
        (y, x), z = pixel, abs(float(facts.scan.get("step_um") or math.nan))
    # a single plane has no depth that is known; its voxel is taken as thick as it is wide
    z = z if math.isfinite(z) and z > 0 else (x if n_planes == 1 else math.nan)
    return (z, y, x) if math.isfinite(z) else None


def _notes(facts: Facts, stack: Stack) -> list[str]:
    notes = []
    if facts.scan.get("slices_are_frames") and stack.order.shape[1] == 1:
        notes.append(
            f"ImageJ calls its {facts.scan['slices_are_frames']} images slices; they were taken "
            "as frames of one plane. If they are planes, give --planes."
        )
    if stack.left_out:
        per = stack.order.shape[1] * stack.order.shape[2]
        notes.append(
            f"{stack.left_out} images belong to no whole volume of {per} (or to the scanner's "
            "flying back) and were left out."
        )
    if facts.scan.get("several_fields") is True:
        notes.append(
            "The scan has several fields, which lie below each other in every image; they were "
            "left so."
        )
    return notes


READER = TiffReader()
