"""Cells while they are recorded: a frame is placed and read as dF/F before the next one comes.

Nothing waits for later frames: the first `n_first` make a template, as offline; from then on a
frame is compared with what the field looked like so far, read at known cells, and told relative
to what those cells were at rest. Cells are given; they may be those of an earlier recording of the
same field. One frame of delay is the frame itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.demix import demixing
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.motion.matching import LEAST_HEIGHT, Matcher, matched, retargeted
from nissl.annotators.cells.motion.settings import MotionSettings
from nissl.annotators.cells.motion.template import first_matcher, moved_back, smaller
from nissl.annotators.cells.traces import ring_means
from nissl.data import Movie
from nissl.errors import BadArgumentError

N_FIRST = 100
RENEW_FRAMES = 50
MEMORY_FRAMES = 1000
"""Frames that the running template remembers."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Placed:
    """One frame in its place.

    Parameters
    ----------
    index : int
        Frame, from 0.
    shift : ndarray, shape (2,), float64, px
        Of its content along y and x.
    nodes : ndarray, shape (rows, columns, 2), float32, px
    error : float
        Expected error of `shift` along either axis, px.
    badly : bool
        It does not fit the template; it is given the place of the frame before.
    """

    index: int
    shift: npt.NDArray[np.float64]
    nodes: Floats
    error: float
    badly: bool


class OnlineMotion:
    """Places frames as they come.

    Parameters
    ----------
    settings : MotionSettings, optional
    n_first : int
        Frames that are kept to make the first template; they are placed when it is there.
    reference : ndarray, shape (y, x), optional
        Mean image of an earlier recording of the field: places are then those in it. By default
        they are relative to the median of the first frames.
    """

    def __init__(
        self,
        settings: MotionSettings | None = None,
        n_first: int = N_FIRST,
        reference: npt.NDArray[Any] | None = None,
    ) -> None:
        if n_first < 1:
            raise BadArgumentError("n_first of at least 1", f"{n_first}", "Wait for one frame.")
        self.settings = MotionSettings() if settings is None else settings
        self.n_first, self.n_seen, self.reference = n_first, 0, reference
        self.matcher: Matcher | None = None
        self._first: list[npt.NDArray[Any]] = []
        self._since: npt.NDArray[np.float64] | None = None
        self._n_since, self._n_known = 0, 0
        self._last: Placed | None = None

    def push(self, frame: npt.NDArray[Any]) -> list[Placed]:
        """Place a frame, (y, x): none until the template is there, then all so far, then one."""
        if self.matcher is None:
            self._first.append(np.array(frame))
            if len(self._first) < self.n_first:
                return []
            known = first_matcher(Movie.from_array(np.stack(self._first), 1.0), self.settings)
            self.matcher = _onto(known, self.reference)
            self._n_known = len(self._first)
            waiting, self._first = self._first, []
            return [self._placed(each) for each in waiting]
        return [self._placed(frame)]

    def _placed(self, frame: npt.NDArray[Any]) -> Placed:
        known = self.matcher
        if known is None:
            raise BadArgumentError("a template", "none yet", "Push frames first.")
        image = smaller(frame[None], known.grid)
        found = matched(known, image)
        badly = bool(found.height[0] < LEAST_HEIGHT)
        shift, nodes = found.shift[0], found.nodes[0]
        if badly and self._last is not None:
            shift, nodes = self._last.shift, self._last.nodes
        out = Placed(self.n_seen, shift, nodes, float(found.error[0]), badly)
        self.n_seen += 1
        self._last = out
        if not badly:
            self._remember(moved_back(image[0], nodes, known.grid.factor), known)
        return out

    def _remember(self, image: Floats, known: Matcher) -> None:
        """Add a corrected image to the template, which is made anew now and then."""
        if self._since is None:
            self._since = np.zeros(image.shape)
        self._since += image
        self._n_since += 1
        if self._n_since < RENEW_FRAMES:
            return
        share = self._n_since / (self._n_since + self._n_known)
        mean = self._since / self._n_since
        template = known.template + share * (mean - known.template)
        self.matcher = retargeted(known, np.asarray(template, np.float32))
        self._n_known = min(self._n_known + self._n_since, MEMORY_FRAMES)
        self._since, self._n_since = None, 0


def _onto(known: Matcher, reference: npt.NDArray[Any] | None) -> Matcher:
    """Move a template to where another image has its content."""
    if reference is None:
        return known
    target = smaller(np.nan_to_num(np.asarray(reference, np.float32))[None], known.grid)[0]
    found = matched(retargeted(known, target), known.template[None])
    if found.height[0] < LEAST_HEIGHT:
        raise BadArgumentError(
            "a reference image of the field that is recorded",
            "one that shares nothing with the first frames",
            "Find the field again, or go on without a reference and find its cells anew.",
        )
    moved = moved_back(known.template, found.nodes[0], known.grid.factor)
    return retargeted(known, moved)


@dataclass(frozen=True, eq=False)
class Reading:
    """What the cells do in one frame.

    Parameters
    ----------
    placed : Placed
    raw, neuropil : ndarray, shape (n_cells,), float32, units of the movie
    dff : ndarray, shape (n_cells,), float32
        NaN until a first baseline is there.
    """

    placed: Placed
    raw: Floats
    neuropil: Floats
    dff: Floats


class OnlineTraces:
    """Places each frame and reads known cells in it.

    Pixels of cells and of the rings around them are looked up where their content went, linearly
    between pixels; the frame itself is not warped.

    Parameters
    ----------
    cells : Footprints
        Of one plane, on the field of the template: give `OnlineMotion` the mean image that they
        were found in.
    rate_hz : float
        Frames per second.
    coefficient : float
        Part of the neuropil that is taken off.
    baseline_s : float
        Over which the running baseline, a low quantile, follows.
    motion : OnlineMotion, optional
    """

    def __init__(
        self,
        cells: Footprints,
        rate_hz: float,
        *,
        coefficient: float = 0.7,
        baseline_s: float = 60.0,
        motion: OnlineMotion | None = None,
    ) -> None:
        if cells.shape[0] != 1 or not len(cells) or not rate_hz > 0:
            raise BadArgumentError(
                "cells of one plane and a frame rate above 0",
                f"{len(cells)} cells of {cells.shape[0]} planes at {rate_hz} Hz",
                "Choose a plane, and give the rate.",
            )
        self.cells, self.coefficient = cells, coefficient
        self.motion = OnlineMotion() if motion is None else motion
        own = demixing(cells)
        self._own, self._around, self._gain = own.operator, ring_means(cells), own.gain
        self._baseline = RunningBaseline(len(cells), baseline_s * rate_hz)
        self._waiting: list[npt.NDArray[Any]] = []

    def push(self, frame: npt.NDArray[Any]) -> Iterator[Reading]:
        """Readings of the frames that were placed by this one; see `OnlineMotion.push`."""
        if frame.shape != self.cells.shape[1:]:
            raise BadArgumentError(
                f"frames of shape {self.cells.shape[1:]}, as the cells' field",
                f"{frame.shape}",
                "Give the cells of this field.",
            )
        self._waiting.append(np.array(frame))
        placed = self.motion.push(frame)
        if placed:
            frames, self._waiting = self._waiting, []
            for each, own in zip(frames, placed, strict=True):
                yield self._read(each, own)

    def _read(self, frame: npt.NDArray[Any], placed: Placed) -> Reading:
        from nissl.annotators.cells.motion.kernels import sampled_sums

        native = np.ascontiguousarray(frame, dtype=frame.dtype.newbyteorder("="))
        nodes = placed.nodes.astype(np.float64)
        sums = []
        for operator in (self._own, self._around):
            out = np.empty(operator.shape[0], np.float32)
            sampled_sums(native, nodes, operator.indptr, operator.indices, operator.data, out)
            sums.append(out)
        neuropil = sums[1]
        raw = np.asarray(sums[0] + (1 - self._gain) * neuropil, np.float32)
        net = np.asarray(raw - np.float32(self.coefficient) * neuropil, np.float32)
        rest = self._baseline.push(net)
        level = np.maximum(rest, 0.05 * np.maximum(np.abs(raw), 1e-6))
        return Reading(placed, raw, neuropil, np.asarray((net - rest) / level, np.float32))


class RunningBaseline:
    """A low quantile that follows each trace: steps up for values above it, down for those below.

    Steps are as large as the trace's own fluctuations ask for, so no unit needs to be known; the
    first values count one by one until the quantile has settled.

    Parameters
    ----------
    n : int
        Traces.
    frames : float
        Over which it follows.
    quantile : float
    """

    def __init__(self, n: int, frames: float, quantile: float = 0.2) -> None:
        self.frames, self.quantile = max(frames, 10.0), quantile
        self.level = np.full(n, np.nan)
        self.spread = np.zeros(n)
        self._kept: list[Floats] = []

    def push(self, values: Floats) -> npt.NDArray[np.float64]:
        """Baseline after one more value of each trace; NaN for the first nine."""
        if len(self._kept) < min(int(self.frames), 300):
            self._kept.append(values)
            if len(self._kept) < 10:
                return self.level
            seen = np.stack(self._kept)
            self.level = np.quantile(seen, self.quantile, axis=0)
            self.spread = np.abs(np.diff(seen, axis=0)).mean(axis=0)
            return self.level
        step = 4 * self.spread / self.frames
        self.level = self.level + np.where(
            values > self.level, self.quantile * step, (self.quantile - 1) * step
        )
        return self.level


__all__ = [
    "OnlineMotion",
    "OnlineTraces",
    "Placed",
    "Reading",
    "RunningBaseline",
]
