"""Glue, part "ca1": place cells over days, with known identity and without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.align.fragments import About, Fragment
from nissl.align.places.remapping import maps_of
from nissl.align.places.same_units import same_units
from nissl.align.places.tuning import Tuning, along_tracks, decoded, places, summed, tuned

FOLDER = Path("glue") / "ca1_multiday"
SESSIONS = 8
BINS, LOW, HIGH, STILL = 24, 0.0, 96.0, 1.0
_WINDOW_S = 0.5
_GAP = 0.1
"""By how much the mean probability of matches may differ from the share that is right."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Session:
    """One session on one track."""

    fragment: Fragment
    place: npt.NDArray[np.int64]
    position: Values
    tuning: Tuning


@dataclass(frozen=True, eq=False)
class Track:
    """One mouse on one track over days; `maps` is the map of every trial, 0 where unknown."""

    name: str
    sessions: list[Session]
    maps: Values | None


def tracks(data: Path, *, quick: bool) -> Iterator[Track]:
    """Every mouse and track in the folder."""
    files = sorted((data / FOLDER).glob("*.npz"))
    for file in files[1:3] if quick else files:
        with np.load(file, allow_pickle=False) as held:
            identity = held["cell_to_index"].astype(np.int64)
            numbers = range(1, (4 if quick else SESSIONS) + 1)
            sessions = [_session(held, file.stem, s, identity) for s in numbers]
            maps = held["map_per_trial"].astype(float)
            # A file with a row too few cannot say which session it lacks.
            known = maps if len(maps) == SESSIONS else None
            yield Track(file.stem, sessions, known)


def _session(held: Any, stem: str, s: int, identity: npt.NDArray[np.int64]) -> Session:
    n_frames, n_cells = held[f"s{s}_shape"].tolist()
    events = np.zeros((n_frames, n_cells))
    events[held[f"s{s}_ev_frame"].astype(int), held[f"s{s}_ev_cell"].astype(int)] = 1.0
    position = held[f"s{s}_pos_cm"].astype(float)
    velocity = held[f"s{s}_vel_cms"].astype(float)
    place = places(position, velocity, BINS, low=LOW, high=HIGH, still=STILL)
    registered = np.flatnonzero(identity[:, s - 1] > 0)
    units = np.full(n_cells, -1, np.int64)
    units[identity[registered, s - 1] - 1] = registered
    # Cells without a registered identity get numbers of their own, shared by no session.
    alone = units < 0
    units[alone] = len(identity) + 1000 * s + np.arange(alone.sum())
    fragment = Fragment(
        f"{stem}, session {s}",
        events,
        1 / float(held["fs"]),
        held[f"s{s}_trial"].astype(np.int64),
        units=units,
        about=About("mouse", stem.split("_env")[0], f"session {s}", "CA1", "track", "calcium"),
    )
    return Session(fragment, place, position, tuned(fragment, place, along_tracks(BINS, 2)))


def position_error(train: Tuning, test: Session, of: npt.NDArray[np.bool_] | None = None) -> float:
    """Median error of the decoded position, cm, by the units that both sessions have."""
    _, here, there = np.intersect1d(train.units, test.fragment.units, return_indices=True)
    width = max(round(_WINDOW_S / test.fragment.bin_s), 1)
    activity = summed(test.fragment.activity[:, there], width)
    moving = test.place >= 0
    if of is not None:
        moving = moving & of
    said = decoded(train.mean()[:, here] * width, activity[moving]) % BINS
    centre = (said + 0.5) * (HIGH - LOW) / BINS + LOW
    return float(np.median(np.abs(centre - test.position[moving])))


def within_error(session: Session) -> float:
    """Median error of decoding every other window by the rest, cm."""
    windows = session.tuning.windows
    odd = np.arange(len(windows)) % 2 == 1
    whole = session.tuning
    train = Tuning(whole.name, whole.rates[~odd], whole.spent[~odd], windows[~odd], whole.units)
    return position_error(train, session, np.isin(session.fragment.windows, windows[odd]))


def one_track(track: Track, seed: int = 0) -> dict[str, Any]:
    """Decoding over days with identity, remapping, and matching without identity."""
    rng = np.random.default_rng(seed)
    first = track.sessions[0]
    found = maps_of([s.tuning for s in track.sessions], rng)
    other = np.array(
        [np.mean(found.map[found.session == k] != 0) for k in range(len(track.sessions))]
    )
    errors = [position_error(first.tuning, s) for s in track.sessions[1:]]
    out: dict[str, Any] = {
        "name": track.name,
        "within_cm": float(np.median([within_error(s) for s in track.sessions])),
        "known_cm": errors,
        "shuffled_cm": float(np.median([_shuffled(first, s, rng) for s in track.sessions[1:]])),
        "other_map": other[1:].tolist(),
        "matching": [
            _matched(a, b) for a, b in zip(track.sessions, track.sessions[1:], strict=False)
        ],
    }
    if track.maps is not None:
        truth = track.maps[: len(track.sessions)].ravel()
        known = truth > 0
        # The reference is the map of the first session's majority.
        own = truth[: track.maps.shape[1]]
        reference = np.bincount(own[own > 0].astype(int)).argmax()
        true = truth[known] != reference
        said = found.remapped[known]
        out["remapping"] = {
            "hit": int((true & said).sum()),
            "false": int((~true & said).sum()),
            "missed": int((true & ~said).sum()),
            "unclear": int(found.unclear[known].sum()),
            "windows": int(known.sum()),
        }
    return out


def _shuffled(first: Session, other: Session, rng: np.random.Generator) -> float:
    whole = first.tuning
    units = rng.permutation(whole.units)
    return position_error(Tuning(whole.name, whole.rates, whole.spent, whole.windows, units), other)


def _matched(a: Session, b: Session) -> dict[str, float]:
    """Score matching by activity alone against registration."""
    found = same_units(a.tuning, b.tuning)
    shared = np.intersect1d(a.fragment.units, b.fragment.units)
    right = a.fragment.units[found.a] == b.fragment.units[found.b]
    in_both = np.isin(a.fragment.units[found.a], shared)
    sure = found.confidence
    top = sure >= np.quantile(sure, 0.9)
    return {
        "shared": float(len(shared)),
        "right": float(right[in_both].mean()),
        "chance": 1 / b.fragment.n_units,
        "claimed": float(sure.mean()),
        "right_of_all": float(right.mean()),
        "top_tenth_right": float(right[top].mean()),
        "top_tenth_claimed": float(sure[top].mean()),
        "present": found.present,
        "trust": found.trust,
        "ece": calibration_error(sure, right),
    }


def calibration_error(said: Values, right: npt.NDArray[np.bool_], n_bands: int = 10) -> float:
    """Expected calibration error over bands of equal width."""
    band = np.minimum((said * n_bands).astype(int), n_bands - 1)
    parts = [
        abs(said[band == k].mean() - right[band == k].mean()) * (band == k).mean()
        for k in np.unique(band)
    ]
    return float(np.sum(parts))


def ca1_part(data: Path, *, quick: bool) -> list[dict[str, Any]] | None:
    """All tracks; None where the folder has none."""
    return [one_track(t) for t in tracks(data, quick=quick)] or None
