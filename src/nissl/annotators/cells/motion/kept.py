"""A movie corrected by the motion that a project kept, for those who look at it later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nissl.annotators.cells.motion.correcting import MovedReader
from nissl.data import Movie, Signal
from nissl.errors import BadArgumentError


def still(movie: Movie, motion: Signal) -> Movie:
    """Return a movie without the motion of its whole frames, still lazy.

    What a signal keeps of motion are the displacements of whole frames: what bent within a
    frame, mostly less than a pixel, stays.

    Parameters
    ----------
    movie : Movie
    motion : Signal
        As `Motion.to_signal` makes it.

    Raises
    ------
    BadArgumentError
        The signal is of another movie.
    """
    suffixes = [""] if movie.n_planes == 1 else [f"_{z}" for z in range(movie.n_planes)]
    wanted = [f"shift_{axis}{suffix}" for suffix in suffixes for axis in "yx"]
    missing = sorted(set(wanted) - set(motion.channels.ids))
    if missing or motion.n_samples != movie.n_frames:
        raise BadArgumentError(
            f"the shifts of {movie.n_frames} frames of {movie.n_planes} planes",
            f"{motion.n_samples} samples without {missing}",
            "Estimate the motion from this movie.",
        )
    blocks = [motion.read(s.start, s.stop, wanted) for s in motion.clock.segments]
    shift = np.nan_to_num(np.concatenate(blocks))
    nodes = shift.reshape(movie.n_frames, movie.n_planes, 1, 1, 2)
    return replace(movie, reader=MovedReader(movie.reader, movie.shape[1], nodes))
