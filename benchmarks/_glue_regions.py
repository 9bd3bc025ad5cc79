"""Glue, part "regions": who predicts whom, animals, regions and rooms."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.align.errormap.attribution import reasons, reasons_of_windows
from nissl.align.errormap.maps import ErrorMap, error_map
from nissl.align.errormap.responses import Responses, of_tuning
from nissl.align.errormap.simulate import PLANTED, planted
from nissl.align.fragments import About, Fragment
from nissl.align.places.tuning import along_tracks, tuned
from nissl.run.context import Context

FOLDER = Path("glue") / "ca1_ca3_crossregion"
ROOMS, SESSIONS = 2, 4
FIRST, LAST = 3, 23
"""Places of the track; what lies beyond them is where the animal turns."""


def fragments(data: Path, *, quick: bool) -> list[Responses]:
    """One fragment per animal, room and session, both directions of the track."""
    out = []
    for file in sorted((data / FOLDER).glob("*.npz")):
        with np.load(file, allow_pickle=False) as held:
            for room in range(ROOMS):
                for session in range(1 if quick else SESSIONS):
                    found = _fragment(held, file.stem, room, session)
                    if found is not None:
                        out.append(found)
    return out


def _fragment(held: Any, stem: str, room: int, session: int) -> Responses | None:
    counts, place = [], []
    for direction in (0, 1):
        key = f"env{room}_s{session}_dir{direction}"
        if f"{key}_posbin" not in held.files:
            return None
        n_bins, n_units = held[f"{key}_shape"].tolist()
        activity = np.zeros((n_bins, n_units))
        cell, frame = held[f"{key}_cell"].astype(int), held[f"{key}_frame"].astype(int)
        np.add.at(activity, (frame, cell), held[f"{key}_count"])
        where = held[f"{key}_posbin"].astype(np.int64)
        inside = (where >= FIRST) & (where < LAST)
        counts.append(activity)
        place.append(np.where(inside, where - FIRST + direction * (LAST - FIRST), -1))
    activity = np.concatenate(counts)
    heard = activity.any(axis=0)
    laps = np.concatenate([_laps(p) + 10_000 * k for k, p in enumerate(place)])
    region, animal = stem.split("_")
    about = About("mouse", animal, f"room {room}, session {session}", region, "track", "calcium")
    name = f"{region} {animal} room {room + 1}.{session + 1}"
    fragment = Fragment(name, activity[:, heard], 1 / float(held["fs"]), laps, about=about)
    where = np.concatenate(place)
    return of_tuning(tuned(fragment, where, along_tracks(LAST - FIRST, 2)), about=about)


def _laps(place: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A lap ends where the animal is suddenly far from where it was."""
    known = np.where(place >= 0, place, -100)
    return np.cumsum(np.abs(np.diff(known, prepend=known[0])) > 10).astype(np.int64)


def separation(found: ErrorMap, parts: list[Responses], rng: np.random.Generator) -> dict[str, Any]:
    """Whether fragments of one region (animal, room) predict each other better than others do.

    Means of relative skill; p by giving regions to whole animals at random, all ways there are.
    """
    animal = np.array([p.about.subject for p in parts])
    region = np.array([p.about.region for p in parts])
    room = np.array([p.about.session.split(",")[0] for p in parts])
    relative = found.relative
    other = animal[:, None] != animal[None]
    same_region = region[:, None] == region[None]
    same_room = room[:, None] == room[None]

    def mean(mask: npt.NDArray[np.bool_]) -> float:
        return float(np.nanmean(relative[mask])) if mask.any() else float("nan")

    def gap(of: npt.NDArray[Any]) -> float:
        same = of[:, None] == of[None]
        return mean(other & same) - mean(other & ~same)

    animals = sorted(set(animal.tolist()))
    of_animal = [region[animal == a][0] for a in animals]
    ways = {tuple(rng.permutation(of_animal).tolist()) for _ in range(500)}
    null = [gap(np.array([dict(zip(animals, w, strict=True))[a] for a in animal])) for w in ways]
    off = ~np.eye(len(parts), dtype=bool)
    return {
        "same_animal": mean(~other & off),
        "same_animal_other_room": mean(~other & ~same_room),
        "other_animal_same_region": mean(other & same_region),
        "other_region": mean(other & ~same_region),
        "region_gap": gap(region),
        "region_p": float(np.mean(np.array(null) >= gap(region) - 1e-12)),
        "ways": len(ways),
        "significant": float(np.mean(found.q[off] < 0.05)),
        "asymmetry_ca1_to_ca3": mean((region[:, None] == "CA1") & (region[None] == "CA3"))
        - mean((region[:, None] == "CA3") & (region[None] == "CA1")),
    }


def regions_part(data: Path, *, quick: bool) -> dict[str, Any] | None:
    """The map of all pairs, and what it separates."""
    parts = fragments(data, quick=quick)
    if not parts:
        return None
    rng = np.random.default_rng(0)
    began = time.perf_counter()
    found = error_map(parts, rng)
    took = time.perf_counter() - began
    worst = np.unravel_index(
        np.nanargmin(np.where(found.q < 1, found.relative, np.nan)), found.skill.shape
    )
    why = reasons(parts[int(worst[0])], parts[int(worst[1])], rng)
    return {
        "names": list(found.names),
        "region": [p.about.region for p in parts],
        "skill": found.skill.tolist(),
        "relative": found.relative.tolist(),
        "q": found.q.tolist(),
        "order": found.order().tolist(),
        "separation": separation(found, parts, rng),
        "wall_s": took,
        "worst": {
            "from": parts[int(worst[0])].name,
            "to": parts[int(worst[1])].name,
            "reasons": [vars(r) for r in why],
        },
    }


def speed_part(*, quick: bool) -> dict[str, Any]:
    """Fragments of 10 min and 100 units: binned, averaged and compared."""
    n, minutes, units = (6, 2, 30) if quick else (50, 10, 100)
    rng = np.random.default_rng(0)
    bin_s, n_places = 0.1, 40
    n_bins = round(minutes * 60 / bin_s)
    place = np.arange(n_bins) // 3 % n_places
    laps = np.arange(n_bins) // (3 * n_places)
    field = rng.standard_normal((n_places, 6)) @ rng.standard_normal((6, units * n)) * 0.3
    began = time.perf_counter()
    parts = []
    for k in range(n):
        rate = np.exp(field[:, k * units : (k + 1) * units] - 1.5)
        fragment = Fragment(f"{k}", rng.poisson(rate[place]).astype(float), bin_s, laps)
        parts.append(of_tuning(tuned(fragment, place, along_tracks(n_places // 2, 2))))
    prepared = time.perf_counter() - began
    error_map(parts, np.random.default_rng(0))
    took = time.perf_counter() - began
    return {
        "fragments": n,
        "minutes": minutes,
        "units": units,
        "prepare_s": prepared,
        "wall_s": took,
        **{f"{name}_s": prepared + _timed(parts, **how) for name, how in ELSEWHERE.items()},
    }


ELSEWHERE: dict[str, dict[str, Any]] = {
    "workers": {"workers": 2},
    "dask": {"workers": 2, "cluster": "local"},
}


def _timed(parts: list[Responses], **how: Any) -> float:
    """Seconds of the map on two processes, their start among them; NaN without Dask."""
    if "cluster" in how and importlib.util.find_spec("distributed") is None:
        return float("nan")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        error_map(parts, np.random.default_rng(0), context=Context(Path(folder), **how))
        return time.perf_counter() - began


def reasons_part(*, quick: bool) -> dict[str, Any]:
    """How often each reason that is planted alone is named first; seeds that set no rule."""
    n = 2 if quick else 25
    named: dict[str, dict[str, int]] = {}
    for what in PLANTED:
        named[what] = dict.fromkeys(PLANTED, 0)
        for seed in range(n):
            made = planted(what, np.random.default_rng(5000 + seed))
            found = reasons_of_windows(
                made.source,
                made.target,
                made.common,
                np.random.default_rng(seed),
                halves=made.halves,
                same=made.same,
            )
            named[what][found[0].name] += 1
    return {"n": n, "named": named}
