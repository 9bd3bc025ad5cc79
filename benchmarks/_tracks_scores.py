"""How tracks are judged: found, named right, both, and how sure they rightly are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.positions import Positions

BINS = 10


def distances(
    said: Positions, true: Positions, scale: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Distance of each neuron's place from its true one, (n_frames, n_neurons).

    Frames and neurons are those of `true`; infinite where nothing is said, NaN where nothing is
    true. `scale` turns x, y, z of voxels into the unit of the distance.
    """
    row = {int(frame): k for k, frame in enumerate(said.frames)}
    column = {int(item): k for k, item in enumerate(said.items)}
    out = np.full(true.xyz.shape[:2], np.inf)
    for i, frame in enumerate(true.frames.tolist()):
        if frame not in row:
            continue
        here = said.xyz[row[frame]].astype(np.float64)
        for j, item in enumerate(true.items.tolist()):
            if item in column and np.isfinite(here[column[item]]).all():
                off = (here[column[item]] - true.xyz[i, j]) * scale
                out[i, j] = np.sqrt(np.sum(off**2))
    out[~true.seen] = np.nan
    return out


def found(said: Positions, true: Positions, scale: npt.NDArray[np.float64], within: float) -> float:
    """Share of true places that have any place said within a distance, each used once."""
    from scipy.optimize import linear_sum_assignment

    row = {int(frame): k for k, frame in enumerate(said.frames)}
    hits = total = 0
    for i, frame in enumerate(true.frames.tolist()):
        real = true.xyz[i][true.seen[i]].astype(np.float64) * scale
        total += len(real)
        if frame not in row:
            continue
        here = said.xyz[row[frame]][said.seen[row[frame]]].astype(np.float64) * scale
        if not len(here) or not len(real):
            continue
        apart = np.sqrt(((real[:, None] - here[None]) ** 2).sum(2))
        a, b = linear_sum_assignment(np.where(apart <= within, apart, 1e6))
        hits += int((apart[a, b] <= within).sum())
    return hits / max(total, 1)


def judged(
    said: Positions, true: Positions, scale: npt.NDArray[np.float64], within: float
) -> dict[str, float]:
    """Neuron-frames right, neurons found, and identity of those that were found."""
    apart = distances(said, true, scale)
    known = ~np.isnan(apart)
    right = float((apart[known] <= within).mean()) if known.any() else 0.0
    recall = found(said, true, scale, within)
    return {"right": right, "found": recall, "identity": right / recall if recall else 0.0}


def reliability(confidence: npt.NDArray[Any], right: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Expected calibration error over bins of equal numbers, and the bins."""
    known = np.isfinite(confidence)
    p, y = confidence[known].astype(np.float64), right[known]
    if p.size < BINS:
        return {"ece": None, "bins": [], "n": int(p.size)}
    order = np.argsort(p, kind="stable")
    parts = np.array_split(order, BINS)
    bins = [{"said": float(p[k].mean()), "right": float(y[k].mean()), "n": k.size} for k in parts]
    ece = sum(b["n"] * abs(b["said"] - b["right"]) for b in bins) / p.size
    return {"ece": float(ece), "bins": bins, "n": int(p.size)}


def confidence_of(
    said: Positions, true: Positions, scale: npt.NDArray[np.float64], within: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Confidence of every place that is said of a volume with truth, and whether it is right.

    A place of a neuron that is not there is wrong.
    """
    apart = distances(said, true, scale)
    row = {int(frame): k for k, frame in enumerate(said.frames)}
    column = {int(item): k for k, item in enumerate(said.items)}
    sure, right = [], []
    for i, frame in enumerate(true.frames.tolist()):
        for j, item in enumerate(true.items.tolist()):
            if frame not in row or item not in column:
                continue
            if said.seen[row[frame], column[item]]:
                sure.append(float(said.confidence[row[frame], column[item]]))
                right.append(bool(apart[i, j] <= within))
    return np.asarray(sure), np.asarray(right, bool)
