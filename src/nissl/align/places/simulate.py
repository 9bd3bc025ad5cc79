"""Simulated place cells on a linear track over days: some are lost, fields drift, maps change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nissl.align.fragments import About, Floats, Fragment, Ints
from nissl.align.places.tuning import Tuning, along_tracks, places, tuned

TRACK_CM = 100.0
BINS = 20


def simulate_places(
    rng: np.random.Generator,
    *,
    maps: Sequence[Sequence[int]] = ((0,) * 6, (0,) * 6),
    n_cells: int = 120,
    seen: float = 0.8,
    drift_cm: float = 3.0,
    lap_s: float = 12.0,
    laps_per_window: int = 6,
    bin_s: float = 0.1,
    peak_hz: float = 2.0,
    spread: float = 0.5,
    untuned: float = 0.0,
    wander: float = 0.0,
) -> list[tuple[Fragment, Tuning]]:
    """Sessions of one animal.

    Parameters
    ----------
    rng : numpy.random.Generator
    maps : sequence of sequences of int
        For each session, the map that each of its windows follows; -1 is a window in which cells
        fire anywhere.
    n_cells : int
        Of the population; each session hears a share `seen` of it.
    seen : float
    drift_cm : float
        Standard deviation of a field's step from session to session.
    lap_s, bin_s : float
    laps_per_window : int
        There and back is a lap.
    peak_hz : float
    spread : float
        Standard deviation of the log of peak rates over cells.
    untuned : float
        Share of cells that fire anywhere, as often as in a field.
    wander : float
        Standard deviation of the step of the log of a cell's rate from session to session.

    Returns
    -------
    list of (Fragment, Tuning)
        Units carry the identity of their cell; behaviour "position", cm.
    """
    n_maps = max(max(m) for m in maps) + 1
    centre = rng.uniform(0, TRACK_CM, (max(n_maps, 1), 2, n_cells))
    width = rng.uniform(6, 14, (max(n_maps, 1), 2, n_cells))
    height = peak_hz * rng.lognormal(0, spread, (max(n_maps, 1), 2, n_cells))
    anywhere = np.zeros(n_cells, bool)
    if untuned:
        anywhere = rng.uniform(size=n_cells) < untuned
    out = []
    for session, follows in enumerate(maps):
        centre = centre + drift_cm * rng.standard_normal(centre.shape) * (session > 0)
        if wander and session:
            height = height * rng.lognormal(0, wander, n_cells)
        heard = np.sort(rng.permutation(n_cells)[: round(seen * n_cells)])
        position, velocity, window = _laps(len(follows), laps_per_window, lap_s, bin_s)
        back = (velocity < 0).astype(int)
        rate = np.empty((len(position), n_cells))
        for k, which in enumerate(follows):
            here = window == k
            if which < 0:
                rate[here] = rng.permutation(n_cells) / n_cells * peak_hz / 4
                continue
            far = position[here, None] - centre[which, back[here]]
            rate[here] = height[which, back[here]] * np.exp(
                -0.5 * (far / width[which, back[here]]) ** 2
            )
            # A field takes a fifth of the track: as many events, anywhere.
            rate[np.ix_(here, anywhere)] = height[which, 0, anywhere] / 5
        events = rng.poisson((rate[:, heard] + 0.02) * bin_s).astype(float)
        fragment = Fragment(
            f"session {session + 1}",
            events,
            bin_s,
            window,
            behaviour={"position": position},
            units=heard,
            about=About("simulated", "one", f"session {session + 1}", "CA1", "track", "calcium"),
        )
        place = places(position, velocity, BINS, low=0.0, high=TRACK_CM, still=1.0)
        out.append((fragment, tuned(fragment, place, along_tracks(BINS, 2))))
    return out


def _laps(n_windows: int, laps: int, lap_s: float, bin_s: float) -> tuple[Floats, Floats, Ints]:
    """Position, velocity and window of an animal that runs there and back."""
    per_window = round(laps * lap_s / bin_s)
    phase = np.tile((np.arange(per_window) * bin_s / lap_s) % 1.0, n_windows)
    position = TRACK_CM * (1 - np.abs(2 * phase - 1))
    velocity = np.where(phase < 0.5, 1.0, -1.0) * 2 * TRACK_CM / lap_s
    return position, velocity, np.repeat(np.arange(n_windows), per_window)
