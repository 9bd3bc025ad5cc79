"""Motion: how far the content of each frame lies from where the template has it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.data import ChannelTable, Signal

Floats = npt.NDArray[np.float32]
NAMES = ("shift_y", "shift_x", "local", "error", "correlation", "badly")


CRISPER, FITS_BETTER = 0.01, 0.005
"""Gain of crispness, as a share, and of a frame's correlation with the template, below which
motion correction is not worth the blur of moving frames by parts of a pixel."""


@dataclass(frozen=True, eq=False)
class Quality:
    """How good the correction is. Images are the smaller ones that motion is measured on.

    Parameters
    ----------
    crispness : tuple of float
        Root mean square gradient of the mean image before and after, over its mean.
    residual_px : float
        95th percentile of what is found when means over some hundred corrected frames are
        registered once more: slow motion that was left. NaN where no mean could be placed.
    error_px : float
        Expected error of a frame's displacement along either axis, median over frames.
    correlation : tuple of float
        Correlation of a frame with the template, before and after, median over frames.
    likeness : ndarray, shape (n_planes, n_parts), float64
        Correlation of the mean image of each part of the movie with the template, structures
        of the size of cells alone, relative to what noise allows: falls when other tissue
        comes into focus.
    part_s : ndarray, shape (n_parts,), float64, s
        When each part begins.
    line_offset_px : float
        By how much odd lines lie to the right of even ones.
    """

    crispness: tuple[float, float]
    residual_px: float
    error_px: float
    correlation: tuple[float, float]
    likeness: npt.NDArray[np.float64]
    part_s: npt.NDArray[np.float64]
    line_offset_px: float

    @property
    def pays(self) -> bool:
        """Whether frames fit better once they were moved, or their mean is crisper.

        Movies that were registered before are not: moving them again only blurs them.
        """
        return (
            self.crispness[1] >= (1 + CRISPER) * self.crispness[0]
            or self.correlation[1] >= self.correlation[0] + FITS_BETTER
        )


@dataclass(frozen=True, eq=False)
class Motion:
    """Displacements of a movie's content, pixels.

    What the template has at ``(y, x)`` is seen at ``(y, x) + shift`` of a frame.

    Parameters
    ----------
    shift : ndarray, shape (n_frames, n_planes, 2), float32, px
        Of whole frames, along y and x.
    nodes : ndarray, shape (n_frames, n_planes, rows, columns, 2), float32, px
        At nodes spread evenly over the frame, edges included; between them bilinear. One node
        where frames are rigid.
    error : ndarray, shape (n_frames, n_planes), float32, px
        Expected error of `shift` along either axis.
    correlation : ndarray, shape (n_frames, n_planes), float32
        Of the corrected frame with the template.
    badly : ndarray, shape (n_frames, n_planes), bool
        Frames that fit the template badly: their displacement was taken from their neighbours
        where the frame itself gave none.
    template : ndarray, shape (n_planes, h, w), float32
        Means over `factor` x `factor` pixels from `corner` on.
    factor : int
    corner : tuple of int
    line_px : float
        By how much odd lines are moved left when frames are corrected; 0 unless asked for.
    reach_px : float
        Largest displacement that was looked for.
    quality : Quality
    """

    shift: Floats
    nodes: Floats
    error: Floats
    correlation: Floats
    badly: npt.NDArray[np.bool_]
    template: Floats
    factor: int
    corner: tuple[int, int]
    line_px: float
    reach_px: float
    quality: Quality

    @property
    def n_frames(self) -> int:
        """Frames."""
        return len(self.shift)

    @property
    def local(self) -> npt.NDArray[np.float32]:
        """Root mean square displacement of the nodes from the whole frame, (n_frames, n_planes)."""
        apart = self.nodes - self.shift[:, :, None, None]
        return np.asarray(np.sqrt((apart**2).sum(axis=-1).mean(axis=(2, 3))), np.float32)

    @property
    def margins(self) -> tuple[int, int, int, int]:
        """Pixels at the top, bottom, left and right that some good frame does not show."""
        good = ~self.badly
        if not good.any():
            return 0, 0, 0, 0
        seen = self.nodes[good]
        low, high = seen.min(axis=(0, 1, 2)), seen.max(axis=(0, 1, 2))
        return (
            int(np.ceil(max(-low[0], 0))),
            int(np.ceil(max(high[0], 0))),
            int(np.ceil(max(-low[1], 0))),
            int(np.ceil(max(high[1], 0))),
        )

    def plane(self, z: int) -> Motion:
        """Motion of one plane; quality stays that of all."""
        one = slice(z, z + 1)
        return replace(
            self,
            shift=self.shift[:, one],
            nodes=self.nodes[:, one],
            error=self.error[:, one],
            correlation=self.correlation[:, one],
            badly=self.badly[:, one],
            template=self.template[one],
        )

    def to_signal(self, clock: Clock) -> Signal:
        """Displacement and fit of each frame as a signal, channels named by `NAMES` and plane."""
        columns, ids = [], []
        for z in range(self.shift.shape[1]):
            values = (
                self.shift[:, z, 0],
                self.shift[:, z, 1],
                self.local[:, z],
                self.error[:, z],
                self.correlation[:, z],
                self.badly[:, z].astype(np.float32),
            )
            columns += list(values)
            suffix = "" if self.shift.shape[1] == 1 else f"_{z}"
            ids += [name + suffix for name in NAMES]
        samples = np.stack(columns, axis=1).astype(np.float32)
        table = ChannelTable.plain(ids, kind="motion")
        return Signal.from_array(samples, clock.rate_hz, name="motion", channels=table, clock=clock)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the run's log."""
        q, span = self.quality, np.percentile(self.shift, [1, 99], axis=(0, 1))
        return {
            "range_y_px": round(float(span[1, 0] - span[0, 0]), 2),
            "range_x_px": round(float(span[1, 1] - span[0, 1]), 2),
            "local_px": round(float(np.median(self.local)), 3),
            "error_px": round(q.error_px, 4),
            "residual_px": None if np.isnan(q.residual_px) else round(q.residual_px, 3),
            "crispness_before": round(q.crispness[0], 5),
            "crispness_after": round(q.crispness[1], 5),
            "correlation_before": round(q.correlation[0], 4),
            "correlation_after": round(q.correlation[1], 4),
            "least_likeness": round(float(np.nanmin(q.likeness)), 3) if q.likeness.size else None,
            "line_offset_px": round(q.line_offset_px, 3),
            "n_badly": int(self.badly.sum()),
        }

    def __repr__(self) -> str:
        n_nodes = self.nodes.shape[2] * self.nodes.shape[3]
        return (
            f"Motion({self.n_frames} frames, {n_nodes} nodes, "
            f"error {self.quality.error_px:.3f} px, {int(self.badly.sum())} fit badly)"
        )


__all__ = ["NAMES", "Motion", "Quality"]
