"""What `cells.py` computes: scores against people and against exact truth."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nissl.annotators.cells.features import picture_facts, trace_facts
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.matching import IOU, f_score, matched, nearness, overlap
from nissl.annotators.cells.method import NISSL
from nissl.annotators.cells.simulate import Scene, simulated
from nissl.annotators.cells.traces import extract, ring_means
from nissl.data import Movie, Recording
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.tasks import Inputs

RATE_HZ = 7.5
"""Of the real movie; its description says 7 to 8."""
NEAR_PX = 5.0
ACTIVE_SNR = 7.5
"""Peak of a region's trace over its noise from which it counts as active: 47 of 196 do."""


@dataclass(frozen=True, eq=False)
class Human:
    """A real movie with regions that people drew.

    Parameters
    ----------
    movie : Movie
    cells : Footprints
        196 regions of shape, many of them silent.
    active : ndarray, shape (n_cells,), bool
    contrast : ndarray, shape (n_cells,), float64
        Brightness over that of the surroundings, less 1, in the mean image.
    images : mapping of str to ndarray
    """

    movie: Movie
    cells: Footprints
    active: np.ndarray
    contrast: np.ndarray
    images: Mapping[str, np.ndarray]


def human_movie(folder: Path) -> Human:
    """The left half of one field, as `imaging/two_photon_neurofinder` keeps it."""
    with np.load(folder / "movie_left_half.npz") as file:
        frames = (2.0 * file["q"].astype(np.float32)) ** 2
    with np.load(folder / "rois_left_half.npz") as file:
        places, lengths = file["roi_coords_yx"].astype(np.int64), file["roi_len"]
        images = {"mean": file["mean"][None].astype(np.float32)}
    flat = places[:, 0] * frames.shape[2] + places[:, 1]
    parts = [np.unique(p) for p in np.split(flat, np.cumsum(lengths)[:-1])]
    cells = Footprints.build((1, *frames.shape[1:]), parts)
    movie = Movie.from_array(frames, RATE_HZ)
    with tempfile.TemporaryDirectory() as scratch:
        traces = extract(movie, cells, Context(Path(scratch)))
    snr = trace_facts(cells, traces, RATE_HZ)["snr"]
    contrast = picture_facts(cells, images, ring_means(cells))["contrast"]
    return Human(movie, cells, snr >= ACTIVE_SNR, contrast, images)


def against_people(found: Footprints, human: Human, rng: np.random.Generator) -> dict[str, Any]:
    """Scores of regions against those that people drew.

    A region that matches none, but stands out in the mean image as the upper quarter of the
    labelled ones do, is a visible cell without a label rather than a mistake: precision is given
    with and without such regions.
    """
    iou = matched_by_overlap(found, human.cells)
    near = matched_by_distance(found, human.cells)
    contrast = picture_facts(found, human.images, ring_means(found))["contrast"]
    visible = contrast >= np.quantile(human.contrast, 0.75)
    out = {"n": len(found)}
    for name, pairs in (("iou", iou), ("centre", near)):
        out[name] = f_score(len(pairs), len(found), len(human.cells)) | {
            "recall_active": share(pairs, human.active),
            "recall_silent": share(pairs, ~human.active),
            "precision_of_the_rest": without_visible(pairs, visible),
        }
    shifts = rng.integers(40, np.array(human.movie.shape[1:]) - 40, (16, 2))
    chance = [matched_by_distance(shifted(found, s), human.cells) for s in shifts]
    n = [f_score(len(pairs), len(found), len(human.cells))["f1"] for pairs in chance]
    out["centre"]["f1_by_chance"] = float(np.mean(n))
    return out


def share(pairs: Mapping[int, int], mask: np.ndarray) -> float:
    """Share of some true cells that were found."""
    return float(np.isin(np.flatnonzero(mask), list(pairs.values())).mean()) if mask.any() else 1.0


def without_visible(pairs: Mapping[int, int], visible: np.ndarray) -> float:
    """Precision when regions that match nothing but are plainly visible are left out."""
    wrong = sum(1 for k in range(visible.size) if k not in pairs and not visible[k])
    return len(pairs) / max(len(pairs) + wrong, 1)


def matched_by_overlap(found: Footprints, true: Footprints) -> dict[int, int]:
    """Pairs with an intersection over union of at least one half."""
    return dict(matched(overlap(found, true), IOU))


def matched_by_distance(found: Footprints, true: Footprints) -> dict[int, int]:
    """Pairs whose centres are less than `NEAR_PX` apart."""
    return dict(matched(nearness(found, true), -NEAR_PX))


def shifted(cells: Footprints, by: Sequence[int]) -> Footprints:
    """The same cells elsewhere, wrapped around the field: what chance finds."""
    _, height, width = cells.shape
    moved = []
    for pixels in cells.pixels:
        y, x = np.divmod(pixels % (height * width), width)
        moved.append((y + by[0]) % height * width + (x + by[1]) % width)
    return Footprints.build(cells.shape, moved)


def ours(movie: Movie, **parameters: Any) -> tuple[Footprints, Any, dict[str, Any]]:
    """Cells, result and figures of `cells/nissl` on a movie."""
    recording = Recording(None, "array", {}, fingerprint="0" * 64, movies={"movie": movie})
    given = {**NISSL.defaults(), **parameters}
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch, measure_peak() as peak:
        result = NISSL.annotate(Inputs(recording, "movie"), given, Context(Path(scratch)))
    labels = result.labels[0]
    called = labels.column("label") == labels.vocabulary.names.index("cell")
    cells = Footprints.from_labels(labels, movie.shape).take(called)
    told = {"wall_s": time.perf_counter() - began, "peak_memory_bytes": peak.bytes}
    return cells, result, told | {"found_by": result.log["found_by"]}


def averaged(traces: np.ndarray, rate_hz: float) -> np.ndarray:
    """Means over `AVERAGED_S` along the first axis."""
    size = max(round(AVERAGED_S * rate_hz), 1)
    whole = len(traces) // size
    return traces[: whole * size].reshape(whole, size, -1).mean(axis=1)


AVERAGED_S = 0.4
"""Traces are compared as means over this time: single frames hold little but photon noise."""
SCENES = {
    "two-photon": {"seed": 90_001, "n_frames": 1500, "rate_hz": 15.0},
    "dim": {"seed": 90_002, "n_frames": 1500, "rate_hz": 15.0, "photons": 2.5},
    "dense": {"seed": 90_003, "n_frames": 1500, "rate_hz": 15.0, "cells_per_mm2": 2000.0},
    "mostly silent": {"seed": 90_004, "n_frames": 1500, "rate_hz": 15.0, "silent": 0.7},
    "one-photon": {"seed": 90_005, "n_frames": 1500, "rate_hz": 15.0, "optics": "one-photon"},
}
"""Simulated fields; none of them served to choose or to train anything."""


def against_truth(name: str, *, quick: bool) -> dict[str, Any]:
    """Scores on a simulated movie, all of whose cells are known."""
    settings: dict[str, Any] = {**SCENES[name]}
    if quick:
        settings |= {"height": 96, "width": 96, "n_frames": 300, "rate_hz": 7.5}
    made = simulated(Scene(**settings))
    movie = Movie.from_array(made.movie.read(), made.movie.rate_hz)
    modality = "one-photon" if name == "one-photon" else "two-photon"
    cells, result, told = ours(movie, modality=modality)
    truth = made.truth
    motion = next(s.read() for s in result.sources if s.name == "motion")[:, :2]
    offset = np.rint(np.median(motion - truth.shift, axis=0)).astype(int)
    pairs = matched_by_overlap(shifted(cells, offset), truth.cells)
    active = truth.spikes.sum(axis=0) > 0
    labels = result.labels[0]
    called = labels.column("label") == labels.vocabulary.names.index("cell")
    dff = next(s.read() for s in result.sources if s.name == "fluorescence")[:, called]
    slow, true = (averaged(x, movie.rate_hz) for x in (dff, truth.trace))
    alike = [
        float(np.corrcoef(slow[:, k], true[:, other])[0, 1])
        for k, other in pairs.items()
        if active[other]
    ]
    return told | {
        "n": len(cells),
        "n_true": len(truth.cells),
        "n_active": int(active.sum()),
        "n_dim": int(truth.dim.sum()),
        "iou": f_score(len(pairs), len(cells), len(truth.cells))
        | {
            "recall_active": share(pairs, active),
            "recall_silent_bright": share(pairs, ~active & ~truth.dim),
            "recall_active_dim": share(pairs, active & truth.dim),
        },
        "motion_error_px": float(np.median(np.hypot(*(motion - truth.shift - offset).T))),
        "trace_correlation": float(np.median(alike)) if alike else float("nan"),
    }
