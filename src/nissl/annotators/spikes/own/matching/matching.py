"""Templates matched to a whole recording, chunk by chunk: by threads here, or by a Dask cluster.

Chunks lie on a grid of their own in each segment, so that the spikes do not depend on where they
are computed, nor on how many chunks are under way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from nissl.annotators.spikes.own.keeping import Kept
from nissl.annotators.spikes.own.matching.devices import CPU, chosen
from nissl.annotators.spikes.own.matching.pieces import share
from nissl.annotators.spikes.own.matching.pursuit import Matched
from nissl.annotators.spikes.own.matching.sparing import pursue_screened
from nissl.annotators.spikes.own.preprocessing.front import Front, white
from nissl.annotators.spikes.own.screen.artifacts import Screen
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.clock import Segment
from nissl.data import Signal
from nissl.run.chunks import Chunk, plan_chunks
from nissl.run.context import Context
from nissl.run.execute import run_chunks
from nissl.run.results import Arrays, stage_key

Ints = npt.NDArray[np.int64]

CHUNK_S = 2.0
TOGETHER = 15
"""Chunks that a cluster's worker gets at once: templates travel with each such task."""
COPIES = 12
"""Arrays of the size of a chunk's raw samples that its matching takes."""


@dataclass(frozen=True, eq=False)
class Placed:
    """Spikes of templates in the whole recording, in order of time.

    Parameters
    ----------
    exact : ndarray, shape (n,), float64
        Samples of the recording, the filter's delay not taken off.
    segment : ndarray, shape (n,), int64
    spikes : Matched
        `at` is not set to the recording's samples.
    """

    exact: npt.NDArray[np.float64]
    segment: Ints
    spikes: Matched


@dataclass(frozen=True, eq=False)
class Job:
    """What it takes to match a chunk.

    Parameters
    ----------
    signal : Signal
    front : Front
    templates : Templates
    device : str
        From `devices.chosen`.
    """

    signal: Signal
    front: Front
    templates: Templates
    device: str = CPU

    @property
    def size(self) -> int:
        """Samples of the recording in a chunk."""
        return round(CHUNK_S * self.front.rate_hz) * self.front.band.step

    def screen(self) -> Screen | None:
        """The network that knows artifacts, on this probe."""
        return screen_of(self.signal, self.front)


def screen_of(signal: Signal, front: Front) -> Screen | None:
    """What knows artifacts on these channels; None where it is not to be trusted."""
    position = np.asarray(signal.channels.position_um, dtype=np.float64)[list(front.columns), :2]
    return Screen.on(position, front.rate_hz)


def matched_everywhere(job: Job, context: Context, stage: str, kept: Kept | None = None) -> Placed:
    """Match the templates to all of the recording.

    Parameters
    ----------
    job : Job
    context : Context
        Workers and cluster; none of them changes the spikes.
    stage : str
        For progress.
    kept : Kept, optional
        Where threads keep finished chunks; a cluster keeps them in any case.
    """
    if context.cluster is None:
        parts = list(_by_threads(job, context, stage, kept))
    else:
        parts = list(_by_cluster(job, context, stage))
    exact = np.concatenate([part.exact for part in parts])
    segment = np.concatenate([part.segment for part in parts])
    names = Matched.__dataclass_fields__
    spikes = Matched(
        *(np.concatenate([getattr(part.spikes, name) for part in parts]) for name in names)
    )
    order = np.lexsort((spikes.unit, exact))
    return Placed(exact[order], segment[order], spikes.taken(order))


def _by_threads(job: Job, context: Context, stage: str, kept: Kept | None) -> Iterator[Placed]:
    share(job.templates)
    screen = job.screen()
    chunks = plan_chunks(job.signal.clock, job.size)
    files = None if kept is None else kept.chunks("matched", digest(job), chunks, match_chunks)

    def matched(chunk: Chunk) -> Arrays:
        if files is None:
            return _matched(job, screen, chunk)
        return files.made(chunk, lambda: _matched(job, screen, chunk))

    context.progress.start(stage, float(len(chunks)), "chunks")
    try:
        with threadpool_limits(1), ThreadPoolExecutor(max(1, context.workers)) as pool:
            try:
                for arrays in pool.map(matched, chunks):
                    yield _placed(arrays)
                    context.progress.advance(stage, 1)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        context.progress.finish(stage)


def _by_cluster(job: Job, context: Context, stage: str) -> Iterator[Placed]:
    bare = replace(job.templates)  # what is derived is derived anew by each worker
    sent = replace(job, templates=bare)
    parts = run_chunks(
        match_chunks,
        plan_chunks(job.signal.clock, TOGETHER * job.size),
        sent,
        context,
        key=stage_key("matching", {"job": digest(job)}),
        memory_per_chunk=COPIES * 4 * job.size * len(job.front.columns) + 200 * 10**6,
        stage=stage,
        rate_hz=job.signal.rate_hz,
    )
    yield from map(_placed, parts)


def _placed(arrays: Arrays) -> Placed:
    spikes = Matched(*(arrays[name] for name in Matched.__dataclass_fields__))
    return Placed(arrays["exact"], arrays["segment"], spikes)


def match_chunks(job: Job, chunk: Chunk) -> Arrays:
    """Spikes of a few chunks that follow one another, as arrays; for workers elsewhere."""
    chosen(job.device)  # this may be another machine
    share(job.templates)
    return _matched(job, job.screen(), chunk)


def _matched(job: Job, screen: Screen | None, chunk: Chunk) -> Arrays:
    segments = job.signal.clock.segments
    number = next(i for i, s in enumerate(segments) if s.start <= chunk.start < s.stop)
    starts = range(chunk.start, chunk.stop, job.size)
    parts = [match_chunk(job, screen, number, start) for start in starts]
    out: Arrays = {
        name: np.concatenate([getattr(part.spikes, name) for part in parts])
        for name in Matched.__dataclass_fields__
    }
    out["exact"] = np.concatenate([part.exact for part in parts])
    out["segment"] = np.concatenate([part.segment for part in parts])
    return out


def match_chunk(job: Job, screen: Screen | None, number: int, start: int) -> Placed:
    """Spikes of the chunk that begins at sample `start`, in segment `number`."""
    segment: Segment = job.signal.clock.segments[number]
    templates, step = job.templates, job.front.band.step
    stop = min(start + job.size, segment.stop)
    halo = 2 * templates.windows.long
    before = min(halo, (start - segment.start) // step)
    first = start - before * step
    z = white(job.signal, job.front, segment, first, min(stop + halo * step, segment.stop))
    _, spikes = pursue_screened(z, templates, job.front.rate_hz, screen, job.device)
    late = spikes.at.astype(np.float64) + spikes.shift
    exact = first + late * step
    own = (spikes.at >= before) & (first + spikes.at * step < stop)
    return Placed(exact[own], np.full(int(own.sum()), number), spikes.taken(own))


def digest(job: Job) -> str:
    """Digest of all that the spikes of a recording are computed from."""
    front, templates = job.front, job.templates
    arrays: list[npt.NDArray[Any]] = [
        templates.waveforms,
        templates.basis,
        templates.rate_hz,
        front.band.sections,
        front.whitening.prediction,
        front.whitening.matrix,
        np.asarray(front.columns),
        np.asarray([front.band.rate_hz, front.band.step]),
    ]
    if front.rest is not None:
        motion = front.rest.motion
        arrays += [motion.time_s, motion.depth_um, motion.displacement_um]
    arrays.append(np.asarray([[s.start, s.stop] for s in job.signal.clock.segments]))
    out = hashlib.sha256(job.device.encode())
    for array in arrays:
        out.update(repr((array.shape, array.dtype.str)).encode())
        out.update(np.ascontiguousarray(array).tobytes())
    return out.hexdigest()
