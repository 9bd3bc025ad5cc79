"""Running a segmenter of time over a whole recording, of any rate, piece by piece.

Pieces overlap and only their middles are kept, so that memory stays bounded and an answer does
not depend on where a piece happened to end.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nissl.clock import Segment
from nissl.data import Signal
from nissl.errors import BadArgumentError
from nissl.nets.inference import Network
from nissl.nets.windows import Grid, Scale, read_window, scale_of
from nissl.run.progress import SECONDS_OF_RECORDING, Progress, Silent

KIND = "segmenter"
Values = npt.NDArray[np.float64]


def segmented(
    network: Network,
    signal: Signal,
    *,
    channels: Sequence[int | str] | None = None,
    progress: Progress | None = None,
) -> tuple[npt.NDArray[np.int64], Values]:
    """Probabilities of classes for every period of a recording.

    Parameters
    ----------
    network : Network
        A `nissl.nets.unet1d.UNet1d` as ONNX, whose header says `kind` "segmenter", `rate_hz`,
        `period` (samples), `n_samples` (of a piece, a multiple of the network's own) and `around`
        (samples on each side of a piece that are read and not kept, a multiple of `period`).
    signal : Signal
    channels : sequence, optional
        All by default.
    progress : Progress, optional

    Returns
    -------
    ndarray, shape (n_periods,), int64
        First sample of each period, at the signal's own rate; none crosses a gap, and what is
        left at the end of a segment is not scored.
    ndarray, shape (n_periods, n_classes), float64
        NaN where no channel is heard.

    Raises
    ------
    BadArgumentError
        The network is no segmenter.
    """
    head = network.header
    if head.get("kind") != KIND:
        raise BadArgumentError(
            "a segmenter", f"a network of kind {head.get('kind')!r}", "Name another file."
        )
    rate, size = float(head["rate_hz"]), int(head["n_samples"])
    grid = Grid(rate, size / rate, size / rate)
    own = signal if channels is None else signal.take(channels)
    scale, told = scale_of(own), progress or Silent()
    told.start("segment", own.duration_s, SECONDS_OF_RECORDING)
    starts, answers = [], []
    for segment in own.clock.segments:
        at, p = _one(network, own, segment, grid, scale)
        starts.append(at)
        answers.append(p)
        told.advance("segment", (segment.stop - segment.start) / segment.rate_hz)
    told.finish("segment")
    width = max(p.shape[1] for p in answers)
    filled = [p if p.shape[1] else np.empty((0, width)) for p in answers]
    return np.concatenate(starts), np.concatenate(filled)


def _one(
    network: Network, signal: Signal, segment: Segment, grid: Grid, scale: Scale
) -> tuple[npt.NDArray[np.int64], Values]:
    """Answers for one segment."""
    period, around = int(network.header["period"]), int(network.header["around"])
    factor = signal.rate_hz / grid.rate_hz
    n = int((segment.stop - segment.start) / factor / period + 1e-9)
    kept = (grid.n_samples - 2 * around) // period
    parts = []
    for first in range(0, n, kept):
        lead = around if first else 0
        at = segment.start + round((first * period - lead) * factor)
        x = read_window(signal, at, grid, scale)
        p = np.exp(network(x[None])[0].T.astype(np.float64))
        if not np.isfinite(x).all(axis=1).any():
            p[:] = np.nan
        parts.append(p[lead // period :][: min(kept, n - first)])
    starts = segment.start + np.rint(np.arange(n) * period * factor).astype(np.int64)
    return starts, np.concatenate(parts) if parts else np.empty((0, 0))


__all__ = ["KIND", "segmented"]
