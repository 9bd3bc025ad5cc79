"""Annotations that stand in the file of a recording: somebody's remarks at times.

They are kept as the file has them, in seconds of the device's clock; `nissl.io.annotations`
makes label sets of them. Reading them may cost a pass over the file, so they are read when
first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Annotation:
    """One remark.

    Parameters
    ----------
    onset_s : float
        Seconds of the device's clock.
    duration_s : float
        0 for an instant.
    text : str
        As the file has it.
    channel : str
        Name of the channel it speaks of; "" for all.
    """

    onset_s: float
    duration_s: float
    text: str
    channel: str = ""


@dataclass(frozen=True, eq=False)
class Annotations:
    """The annotations of a file, read when first asked for.

    Parameters
    ----------
    load : callable
        Gives them in order of onset; picklable. It may raise `CorruptSourceError`.
    bytes_to_read : int
        What `load` reads, at most.
    """

    load: Callable[[], tuple[Annotation, ...]]
    bytes_to_read: int = 0

    @cached_property
    def all(self) -> tuple[Annotation, ...]:
        """Every annotation, in order of onset."""
        return self.load()

    def __iter__(self) -> Iterator[Annotation]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)


def no_annotations() -> tuple[Annotation, ...]:
    """Load nothing."""
    return ()


NONE = Annotations(no_annotations)
