"""Compile what a sorter compiles, once: ``python -m nissl.annotators.spikes.warm [METHOD]``.

The first sorting on a machine spends about half a minute compiling; what is compiled is kept
(see `sorting.compiled`). Run after installation, this takes that wait away from the first real
recording.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from nissl.annotators.spikes.simulate import simulate
from nissl.run.context import Context
from nissl.tasks import Inputs, resolve


def warm(name: str = "spikes") -> str:
    """Sort a few simulated seconds, so that the sorter's functions are compiled and kept.

    Parameters
    ----------
    name : str
        Task or "task/method"; the task's default method otherwise.

    Returns
    -------
    str
        Name of the method.
    """
    _, method = resolve(name)
    recording, _ = simulate(0, n_channels=8, duration_s=10.0, n_units=4)
    inputs = Inputs(recording, recording.signal.name)
    with tempfile.TemporaryDirectory() as folder:
        method.annotate(inputs, method.defaults(), Context(Path(folder)))
    return method.name


if __name__ == "__main__":
    warm(*sys.argv[1:2])
