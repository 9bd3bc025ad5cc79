"""Simulated animals with named neurons, for tests and for choosing settings; not for claims.

Names lie in an elongated body, most of them in pairs of the two sides; animals differ by scatter
of each neuron, by a bend, a squeeze and an affine map, by gain of colours, and by what is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.names.affine import moved
from nissl.annotators.names.animals import Animals
from nissl.annotators.names.vocabulary import vocabulary
from nissl.annotators.tracks.positions import Positions
from nissl.data import Movie, Recording
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.labels.digest import digest_json

Floats = npt.NDArray[np.float64]

SPREAD_UM = (40.0, 9.0, 14.0)
"""Standard deviation of neurons along the body, up and down, and to the sides."""


@dataclass(frozen=True)
class Plan:
    """How simulated animals differ.

    Parameters
    ----------
    scatter : float
        Of each neuron's place, as a fraction of the distance between neighbours.
    colour : float
        Of each neuron's colour, as a fraction of the spread of colours.
    bend, squeeze : float
        Standard deviations, radians over the length and relative.
    missing : float
        Share of neurons that an animal shows nothing of.
    """

    scatter: float = 0.35
    colour: float = 0.35
    bend: float = 0.15
    squeeze: float = 0.08
    missing: float = 0.15


def simulate_animals(
    rng: np.random.Generator, n_names: int = 60, n_animals: int = 6, plan: Plan | None = None
) -> Animals:
    """Animals of one plan, in micrometres, each by its own affine map from the others.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_names, n_animals : int
    plan : Plan, optional
    """
    how = plan or Plan()
    names, body, paint = _anatomy(rng, n_names)
    apart = np.linalg.norm(body[:, None] - body[None], axis=2) + np.diag(np.full(n_names, np.inf))
    width = float(np.median(apart.min(axis=1)))
    xyz = np.full((n_animals, n_names, 3), np.nan)
    colours = np.full((n_animals, n_names, 3), np.nan)
    for animal in range(n_animals):
        seen = rng.random(n_names) >= how.missing
        own = body + how.scatter * width / np.sqrt(3) * rng.standard_normal(body.shape)
        own = moved(_bent(own, how, rng), random_affine(rng))
        light = np.exp(paint + how.colour * rng.standard_normal(paint.shape))
        xyz[animal, seen] = own[seen]
        colours[animal, seen] = (200 * rng.uniform(0.5, 2, 3) * light)[seen]
    return Animals(names, xyz, colours, tuple(f"worm {k + 1}" for k in range(n_animals)))


def random_affine(
    rng: np.random.Generator, stretch: float = 0.25, shear: float = 0.2, shift: float = 100.0
) -> Floats:
    """Any rotation, scales of ``exp(+-stretch)`` per axis, shears and shifts, as (4, 3)."""
    turn, upper = np.linalg.qr(rng.standard_normal((3, 3)))
    turn = turn * np.sign(np.diag(upper))
    turn[:, 0] *= np.linalg.det(turn)
    scale = np.diag(np.exp(rng.uniform(-stretch, stretch, 3)))
    slant = np.eye(3)
    slant[np.triu_indices(3, 1)] = rng.uniform(-shear, shear, 3)
    return np.concatenate([scale @ slant @ turn, rng.uniform(-shift, shift, (1, 3))])


def _anatomy(rng: np.random.Generator, n: int) -> tuple[tuple[str, ...], Floats, Floats]:
    """Names, places and logarithms of colours."""
    letters = [f"{a}{b}" for a in "ABCDEFGHKMN" for b in "ACDEGHKMN"]
    pairs, body = n // 3, rng.standard_normal((n, 3)) * SPREAD_UM
    paint = rng.standard_normal((n, 3)) * 0.9
    body[:pairs, 2] = np.abs(body[:pairs, 2]) + 4
    body[pairs : 2 * pairs] = body[:pairs] * (1, 1, -1)
    paint[pairs : 2 * pairs] = paint[:pairs]
    names = [f"X{letters[k % 99]}{k // 99 or ''}L" for k in range(pairs)]
    names += [name[:-1] + "R" for name in names]
    names += [f"Y{letters[k % 99]}{k // 99 or ''}" for k in range(n - 2 * pairs)]
    return tuple(names), body, paint


def _bent(body: Floats, how: Plan, rng: np.random.Generator) -> Floats:
    """A body bent in the plane of x and y, and squeezed along and across."""
    length = 4 * SPREAD_UM[0]
    curve = rng.normal(0, how.bend) / length
    out = body * (1 + rng.normal(0, how.squeeze, 3))
    out[:, 1] += curve * body[:, 0] ** 2
    out[:, 0] -= 2 * curve * body[:, 0] * body[:, 1]
    return out


def simulate_tracks(
    seed: int, n_names: int = 40, n_animals: int = 6, n_frames: int = 4
) -> tuple[Recording, LabelSet, ItemTable, LabelSet, Animals]:
    """A dim movie with tracks of an animal, their colours, their names, and other animals.

    Returns
    -------
    recording : Recording
    tracks : LabelSet
        POINTS.
    items : ItemTable
        Columns red, green, blue.
    truth : LabelSet
        CLASSES over the tracks.
    animals : Animals
        The atlas to name it by.
    """
    import pyarrow as pa

    rng = np.random.default_rng(seed)
    every = simulate_animals(rng, n_names, n_animals + 1)
    seen = np.flatnonzero(every.seen[-1])
    place = every.xyz[-1, seen]
    spacing = (0.5, 0.25, 0.25)
    place = (place - place.min(axis=0)) / spacing[::-1]
    shape = [int(k) + 2 for k in np.ptp(place, axis=0)[::-1]]
    sway = rng.normal(0, 0.2, (n_frames, seen.size, 3)).cumsum(axis=0)
    movie = Movie.from_array(
        np.broadcast_to(np.uint8(20), (n_frames, *shape)),
        4.0,
        name="red",
        spacing_um=spacing,
    )
    facts = {"n_names": n_names, "n_animals": n_animals, "n_frames": n_frames}
    source = digest_json({"simulated": "names", "seed": seed, **facts})
    recording = Recording(None, "simulated", {}, fingerprint=source, movies={"red": movie})
    author = Author("model", "names/simulate", "1")
    about = Provenance("tracks", source, author, stream="red", parameters=facts, seed=seed)
    tracks = Positions.build(np.arange(n_frames), place + sway).to_labels(about)
    columns: dict[str, Any] = {"item": tracks.items}
    columns |= {name: every.colours[-1, seen, k] for k, name in enumerate(("red", "green", "blue"))}
    items = ItemTable(tracks.digest, pa.table(columns), dict.fromkeys(columns, ""), {}, {})
    truth = LabelSet.build(
        Kind.CLASSES,
        {"id": tracks.items, "item": tracks.items, "target": tracks.items, "label": seen},
        vocabulary(every.names),
        Provenance(
            task="names",
            source=source,
            author=author,
            stream="red",
            parameters=facts,
            seed=seed,
            made_from=(tracks.digest,),
            targets=(tracks.digest,),
        ),
    )
    return recording, tracks, items, truth, every.take(np.arange(n_animals))
