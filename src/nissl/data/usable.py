"""Whether the samples of a signal can be worked on at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data.signal import Signal
from nissl.errors import BadSamplesError

N_BLOCKS = 32
BLOCK_SAMPLES = 4096


def require_usable(signal: Signal, *, n_blocks: int = N_BLOCKS) -> None:
    """Raise unless a signal has samples that are numbers and not all the same.

    Floating samples are read whole, since one NaN spoils everything that is filtered around it;
    of whole numbers, evenly spaced blocks are looked at, the first and the last among them.
    Only a signal that is constant in all of them is read whole before it is called constant. A
    single constant channel is no error; the checks of a task report it.

    Parameters
    ----------
    signal : Signal
    n_blocks : int
        Blocks of `BLOCK_SAMPLES` samples to look at, where samples are whole numbers.

    Raises
    ------
    BadSamplesError
        No samples; NaN or infinite ones; every channel constant.
    """
    if signal.n_samples == 0 or signal.n_channels == 0:
        raise BadSamplesError(
            f"samples in the stream {signal.name!r}",
            f"{signal.n_channels} channels x {signal.n_samples} samples",
            "Choose another stream or file.",
        )
    blocks = list(signal.blocks(BLOCK_SAMPLES))
    n_looks = len(blocks) if signal.dtype.kind == "f" else min(n_blocks, len(blocks))
    chosen = np.unique(np.linspace(0, len(blocks) - 1, n_looks).round())
    first = signal.read_raw(0, 1)[0]
    varies = False
    for index in chosen.astype(int).tolist():
        samples = signal.read_raw(*blocks[index])
        _check_finite(signal, samples, blocks[index][0])
        varies = varies or bool(np.any(samples != first))
    if not varies and not any(np.any(signal.read_raw(a, b) != first) for a, b in blocks):
        raise BadSamplesError(
            f"a signal in the stream {signal.name!r}",
            "one constant value per channel throughout",
            "Check that the electrodes were connected and the file was converted rightly.",
        )


def _check_finite(signal: Signal, samples: npt.NDArray[Any], start: int) -> None:
    if samples.dtype.kind != "f" or np.all(np.isfinite(samples)):
        return
    row, column = np.argwhere(~np.isfinite(samples))[0]
    raise BadSamplesError(
        f"finite samples in the stream {signal.name!r}",
        f"{samples[row, column]} in channel {signal.channels.ids[column]!r} "
        f"at sample {start + int(row)}",
        "Cut the stretch out, or replace it in the source; nissl does not fill it in.",
    )
