"""The process a SpikeInterface sorter runs in: ``python -m ... JOB.json``.

A process of its own, so that its prints and warnings go to one log, its memory can be measured,
a crash ends nothing else, and generators that a sorter leaves unseeded can be seeded.
"""

from __future__ import annotations

import functools
import json
import os
import signal as signals
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def main(path: str) -> None:
    """Sort what the job file describes; writes ``result.npz`` beside it."""
    end_with_parent()
    folder = Path(path).resolve().parent
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    keep_compiled_functions()
    seed_the_unseeded(int(job["seed"]))
    sample, unit = _sort(job, folder)
    write_result(folder, sample, unit)


def _sort(job: dict[str, Any], folder: Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    from spikeinterface.core import concatenate_recordings
    from spikeinterface.sorters import run_sorter

    from nissl.annotators.spikes.preprocess import Plan, apply_plan
    from nissl.data.spikeinterface import signal_from_json

    signal = signal_from_json(job["signal"])
    recording = apply_plan(signal, Plan.from_json(job["plan"]))
    recording = with_positions(recording.select_channels(job["channels"]))
    joined = bool(job["one_segment"]) and recording.get_num_segments() > 1
    if joined:
        recording = concatenate_recordings([recording])
    sorting = run_sorter(
        job["sorter"],
        recording,
        folder=folder / "sorter",
        remove_existing_folder=True,
        verbose=False,
        **job["settings"],
    )
    spikes = sorting.to_spike_vector()
    starts = np.asarray([0] if joined else [s.start for s in signal.clock.segments])
    sample = spikes["sample_index"].astype(np.int64) + starts[spikes["segment_index"]]
    return sample, spikes["unit_index"].astype(np.int64)


def with_positions(recording: Any) -> Any:
    """Recording with contacts on a line, 20 um apart, where no positions are known."""
    if recording.has_probe():
        return recording
    from probeinterface import generate_linear_probe

    n = recording.get_num_channels()
    probe = generate_linear_probe(num_elec=n, ypitch=20.0)
    probe.set_device_channel_indices(np.arange(n))
    recording.set_probe(probe)  # in place, and gives nothing
    return recording


def write_result(folder: Path, sample: npt.NDArray[Any], unit: npt.NDArray[Any]) -> None:
    """Write the spikes under a temporary name, then in place."""
    part = folder / "result.part.npz"
    np.savez(part, sample=sample, unit=unit)
    os.replace(part, folder / "result.npz")


def end_with_parent() -> None:
    """End this process and its pool when the parent, which holds our stdin, is gone."""

    def watch() -> None:
        while os.read(0, 1):  # unbuffered: a buffered read would hold a lock at exit
            continue
        os.killpg(0, signals.SIGKILL) if hasattr(os, "killpg") else os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def keep_compiled_functions() -> None:
    """Let numba keep what it compiles (in NUMBA_CACHE_DIR).

    Compiling takes most of a short sorting's time, and SpikeInterface asks for no cache. Its
    parallel loops are compiled as plain ones: they cost the most to compile, and workers here
    are processes.
    """
    try:
        import numba
        from numba.core import decorators
    except ImportError:
        return
    original = decorators.jit

    @functools.wraps(original)
    def jit(*args: Any, **options: Any) -> Any:
        return original(*args, **({"cache": True} | options | {"parallel": False}))

    @functools.wraps(decorators.njit)
    def njit(*args: Any, **options: Any) -> Any:
        return jit(*args, **(options | {"nopython": True}))

    for module in (numba, decorators):
        setattr(module, "jit", jit)  # noqa: B010 - for modules without types
        setattr(module, "njit", njit)  # noqa: B010


def seed_the_unseeded(seed: int) -> None:
    """Give generators that a sorter creates without a seed the job's seed.

    Some sorters draw whitening samples or peaks from fresh entropy; here every
    ``numpy.random.default_rng()`` starts from the seed, and the global generator too.
    """
    original = np.random.default_rng

    given = seed

    def default_rng(seed: Any = None) -> np.random.Generator:
        return original(given if seed is None else seed)

    np.random.default_rng = default_rng
    np.random.seed(seed)  # noqa: NPY002 - the sorters' generator, not ours


if __name__ == "__main__":
    main(sys.argv[1])
