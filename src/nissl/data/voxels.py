"""The size of a voxel, where a file does not state it and a person does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from nissl.data.movie import Movie
from nissl.errors import BadArgumentError, BadMetadataError

AGREE = 0.01
"""Relative difference up to which a stated and a given size are the same, rounded otherwise."""
Spacing = tuple[float, float, float]


def checked_spacing(given: Sequence[float]) -> Spacing:
    """Size along z, y and x in micrometres; `BadMetadataError` for what cannot be one."""
    try:
        sizes = [float(value) for value in given]
    except (TypeError, ValueError):
        sizes = []
    if len(sizes) != 3 or not all(math.isfinite(v) and v > 0 for v in sizes):
        raise BadMetadataError(
            "three sizes above 0 along z, y and x in micrometres",
            f"{given!r}",
            "Write --spacing 1.5,0.33,0.33.",
        )
    return (sizes[0], sizes[1], sizes[2])


def with_spacing(movies: Sequence[Movie], given: Spacing | None) -> tuple[Movie, ...]:
    """Movies with the given size of a voxel; one that states another is not overruled.

    Raises
    ------
    BadArgumentError
        No movie.
    BadMetadataError
        A movie that states another size.
    """
    if given is None:
        return tuple(movies)
    if not movies:
        raise BadArgumentError("a movie to take a spacing", "none", "Leave --spacing out.")
    for movie in movies:
        stated = movie.spacing_um
        if stated is not None and not all(
            math.isclose(a, b, rel_tol=AGREE) for a, b in zip(stated, given, strict=True)
        ):
            raise BadMetadataError(
                f"{stated} um along z, y and x, as {movie.name!r} says",
                f"{given}",
                "Leave --spacing out, or mend the file.",
            )
    return tuple(m if m.spacing_um is not None else replace(m, spacing_um=given) for m in movies)
