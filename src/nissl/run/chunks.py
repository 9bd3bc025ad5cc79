"""Chunks: how a long recording is cut for work.

Every sample belongs to exactly one chunk, ``[start, stop)``. A stage that needs its
neighbourhood reads ``[read_start, read_stop)``, the chunk with its halo; the halo is clipped
to the chunk's segment, so that nothing is ever read across a gap.
"""

from __future__ import annotations

from dataclasses import dataclass

from nissl.clock import Clock
from nissl.errors import BadArgumentError


@dataclass(frozen=True)
class Chunk:
    """One piece of work.

    Parameters
    ----------
    index : int
        Place in the plan, from 0.
    start, stop : int
        Samples that this chunk alone answers for.
    read_start, read_stop : int
        Samples to read: with the halo.
    """

    index: int
    start: int
    stop: int
    read_start: int
    read_stop: int

    @property
    def n_samples(self) -> int:
        """Samples without the halo."""
        return self.stop - self.start

    @property
    def core(self) -> slice:
        """Where ``[start, stop)`` lies within what was read."""
        return slice(self.start - self.read_start, self.stop - self.read_start)

    def __str__(self) -> str:
        return f"chunk {self.index} (samples {self.start} to {self.stop})"


def plan_chunks(clock: Clock, chunk_samples: int, halo: int = 0) -> tuple[Chunk, ...]:
    """Cut a recording into chunks of at most `chunk_samples`, none across a gap.

    For the same bytes out, `chunk_samples` must follow from the signal and the stage alone,
    unless the stage gives the same result for every cut.

    Parameters
    ----------
    clock : Clock
        Of the signal; each of its segments is cut from its own start.
    chunk_samples : int
        Samples of a chunk without halo, at least 1; the last one of a segment may be shorter.
    halo : int
        Samples to read on either side, as far as the segment reaches.

    Returns
    -------
    tuple of Chunk
        In order of samples; empty for an empty recording.
    """
    if chunk_samples < 1 or halo < 0:
        raise BadArgumentError(
            "chunk_samples >= 1 and halo >= 0",
            f"chunk_samples {chunk_samples}, halo {halo}",
            "Give a positive chunk length.",
        )
    chunks: list[Chunk] = []
    for segment in clock.segments:
        for start in range(segment.start, segment.stop, chunk_samples):
            stop = min(start + chunk_samples, segment.stop)
            reach = max(start - halo, segment.start), min(stop + halo, segment.stop)
            chunks.append(Chunk(len(chunks), start, stop, *reach))
    return tuple(chunks)
