"""How well motion was corrected, in figures, and what is doubtful, in sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.motion.matching import LEAST_HEIGHT, Matcher, matched
from nissl.annotators.cells.motion.passing import Passed
from nissl.annotators.cells.motion.result import Motion, Quality
from nissl.data import Movie
from nissl.tasks import Finding

Values = npt.NDArray[np.float64]
BADLY_SHARE = 0.01
ERROR_PX = 0.5
LIKENESS = 0.85
RESIDUAL_PX = 0.5
DRIFT_PX = 10.0
_MOST_PARTS = 40


def quality(
    movie: Movie,
    known: tuple[Matcher, ...],
    passed: Passed,
    badly: npt.NDArray[np.bool_],
    odd_px: float,
) -> Quality:
    """Figures of a pass."""
    after, before = passed.template(), passed.before / max(movie.n_frames, 1)
    halves, starts = _parts(passed)
    likeness = np.array(
        [
            [_likeness(pair[:, z], each.template, each) for pair in halves]
            for z, each in enumerate(known)
        ]
    ).reshape(len(known), len(halves))
    good = ~badly if (~badly).any() else np.ones_like(badly)
    fits = passed.frames["fit_before"], passed.frames["fit_after"]
    return Quality(
        (_crispness(before, known), _crispness(after, known)),
        _residual(halves, known),
        float(np.median(passed.frames["error"][good])),
        (float(np.median(fits[0])), float(np.median(fits[1]))),
        likeness,
        np.asarray(movie.clock.to_seconds(starts), np.float64),
        odd_px,
    )


def _parts(passed: Passed) -> tuple[list[npt.NDArray[np.float32]], npt.NDArray[np.int64]]:
    """Means of even and odd corrected frames, (2, n_planes, h, w), of parts of the movie."""
    n = len(passed.after)
    groups = np.array_split(np.arange(n), min(n, _MOST_PARTS))
    means = []
    for group in groups:
        weight = passed.weight[group][..., None, None]
        total = (passed.after[group] * weight).sum(axis=0)
        means.append((total / np.maximum(weight.sum(axis=0), 1)).astype(np.float32))
    return means, np.asarray([passed.starts[group[0]] for group in groups], np.int64)


def _inner(image: npt.NDArray[Any], known: Matcher) -> npt.NDArray[Any]:
    edge = [min(r, n // 4) for r, n in zip(known.grid.reach, known.grid.size, strict=True)]
    height, width = image.shape[-2:]
    return image[..., edge[0] : height - edge[0], edge[1] : width - edge[1]]


def _crispness(images: Values, known: tuple[Matcher, ...]) -> float:
    """Root mean square gradient over the mean, of the inner part of all planes."""
    found = []
    for image, each in zip(images, known, strict=True):
        inner = _inner(image, each)
        rows, columns = np.gradient(inner)
        level = abs(float(inner.mean()))
        found.append(float(np.sqrt((rows**2 + columns**2).mean())) / max(level, 1e-12))
    return float(np.mean(found))


def _likeness(pair: npt.NDArray[np.float32], template: npt.NDArray[Any], known: Matcher) -> float:
    """Correlation of a part's mean with the template, relative to what its noise allows."""
    one, two, whole = (_fine(image, known) for image in (*pair, template))
    own = float(np.vdot(one, two))
    seen = float(np.vdot(one + two, whole)) / max(float(np.linalg.norm(one + two)), 1e-12)
    reliable = 2 * own / (1 + own) if own > 0 else 0.0
    return seen / float(np.sqrt(reliable)) if reliable > 0.1 else float("nan")


def _fine(image: npt.NDArray[Any], known: Matcher) -> npt.NDArray[Any]:
    """Structures of the size of cells, of mean 0 and length 1."""
    from scipy.ndimage import gaussian_filter

    values = image.astype(np.float64)
    fine = gaussian_filter(values, 1.0) - gaussian_filter(values, known.widest / 4)
    inner = _inner(fine, known)
    apart = inner - inner.mean()
    return np.asarray(apart / max(float(np.linalg.norm(apart)), 1e-12))


def _residual(halves: list[npt.NDArray[np.float32]], known: tuple[Matcher, ...]) -> float:
    """95th percentile of the displacement that is left in means of parts, px."""
    left = []
    for z, each in enumerate(known):
        found = matched(each, np.stack([pair[:, z].mean(axis=0) for pair in halves]))
        placed = found.height >= LEAST_HEIGHT
        lengths = np.sqrt((found.nodes.astype(np.float64) ** 2).sum(axis=-1))
        left += lengths[placed].ravel().tolist()
    return float(np.percentile(left, 95)) if left else float("nan")


def findings(motion: Motion, movie: Movie) -> list[Finding]:
    """What is doubtful about the motion of a movie, and about its correction."""
    out = [*_of_frames(motion, movie), *_of_focus(motion)]
    q = motion.quality
    if q.error_px > ERROR_PX:
        out.append(
            Finding(
                "motion_uncertain",
                "warning",
                f"Frames show so little that displacements are known to {q.error_px:.1f} pixels "
                "only; averaging frames before correction may help.",
                value=q.error_px,
                limit=ERROR_PX,
                unit="px",
            )
        )
    if q.residual_px > RESIDUAL_PX:
        out.append(
            Finding(
                "motion_left",
                "warning",
                f"After correction, means of parts of the movie still lie {q.residual_px:.1f} "
                "pixels apart: the tissue may deform more finely than blocks can follow.",
                value=q.residual_px,
                limit=RESIDUAL_PX,
                unit="px",
            )
        )
    return out


def _of_frames(motion: Motion, movie: Movie) -> list[Finding]:
    out = []
    share = float(motion.badly.mean())
    if share > 0:
        first = int(np.flatnonzero(motion.badly.any(axis=1))[0])
        at = float(movie.clock.to_seconds(first))
        out.append(
            Finding(
                "frames_fit_badly",
                "warning" if share > BADLY_SHARE else "note",
                f"{int(motion.badly.sum())} frames ({share:.1%}) do not fit the rest, the first at "
                f"{at:.1f} s: fast motion, motion in depth, or light from elsewhere.",
                value=share,
                limit=BADLY_SHARE,
            )
        )
    reached = np.abs(motion.shift).max(axis=-1) >= motion.reach_px - 1.0
    if reached.any():
        out.append(
            Finding(
                "motion_at_limit",
                "warning",
                f"{int(reached.sum())} frames moved as far as was looked, {motion.reach_px:.0f} "
                "pixels: allow more with `reach`.",
                value=float(np.abs(motion.shift).max()),
                limit=motion.reach_px,
                unit="px",
            )
        )
    if motion.n_frames < 3:
        return out
    thirds = np.array_split(motion.shift.astype(np.float64), 3)
    drift = float(np.abs(np.median(thirds[-1], axis=0) - np.median(thirds[0], axis=0)).max())
    if drift > DRIFT_PX:
        out.append(
            Finding(
                "drift",
                "note",
                f"The field drifted by {drift:.0f} pixels from the first third to the last: cells "
                "near its edges were not seen all the time.",
                value=drift,
                limit=DRIFT_PX,
                unit="px",
            )
        )
    return out


def _of_focus(motion: Motion) -> list[Finding]:
    likeness = motion.quality.likeness
    if likeness.shape[1] < 2 or not np.isfinite(likeness).any():
        return []
    worst = np.nanmin(likeness, axis=0)
    part = int(np.nanargmin(worst))
    value = float(worst[part])
    if value >= LIKENESS:
        return []
    return [
        Finding(
            "motion_in_depth",
            "warning",
            f"From {motion.quality.part_s[part]:.0f} s on the field looks different even after "
            f"correction (likeness {value:.2f} of 1): the tissue has probably moved in depth, and "
            "cells there are others, or dimmer.",
            value=value,
            limit=LIKENESS,
        )
    ]


__all__ = ["findings", "quality"]
