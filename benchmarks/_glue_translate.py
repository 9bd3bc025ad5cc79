"""Glue, parts "carried", "rates" and "meg": translation with and without pairs, and too little."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from _glue_days import real_days
from _glue_regions import FIRST, FOLDER, LAST, _laps
from _rates_data import SIMULATED, kept, sets
from _rates_work import scored
from nissl.align.fragments import About, Fragment
from nissl.align.translation import linear
from nissl.align.translation.paired import lagged, translate
from nissl.align.translation.scores import skill
from nissl.align.translation.simulate import simulate_population, simulate_system
from nissl.align.translation.unpaired import COURSE, OWN, WAYS, ZERO, Carried, carry
from nissl.annotators.rates.model import shipped
from nissl.annotators.rates.train import sigma_for
from nissl.annotators.rates.training import Paired
from nissl.errors import NisslError

MEG = Path("glue") / "meg_eeg" / "mne_sample_evoked_meg_eeg.npz"
EVOKED = ("Left_Auditory", "Right_Auditory", "Left_visual", "Right_visual")
PIECES = 10
BINNED = 5
RATE_HZ = 7.5
REACH = 15
ROWS = 1500
"""Frames of a set that teach."""


def carried_part(data: Path, *, quick: bool) -> dict[str, Any]:
    """Rules carried between simulated systems, two days of M1, and CA1 and CA3."""
    out: dict[str, Any] = {"simulated": _simulated(2 if quick else 10)}
    days = real_days(data)
    if days is not None:
        out["days"] = [_row(_carried(*pair, 3)) for pair in (days, days[::-1])]
    places = [_laps_of(f) for f in sorted((data / FOLDER).glob("*.npz"))]
    if places:
        pairs = [(a, b) for a in places for b in places if a is not b]
        out["regions"] = [
            {**_row(_carried(a, b, 5)), "regions": [a.about.region, b.about.region]}
            for a, b in (pairs[:2] if quick else pairs)
        ]
    return out


def _carried(a: Fragment, b: Fragment, n_steps: int) -> Carried:
    return carry(a, b, np.random.default_rng(0), n_steps=n_steps, n_null=39)


def _simulated(n: int) -> list[dict[str, Any]]:
    """Populations of one system, of another of the same paces, and of a faster one."""
    out = []
    for seed in range(n):
        rng = np.random.default_rng([seed, 7])
        one, other = simulate_system(rng), simulate_system(rng)
        worlds = {"same": one, "other": other, "faster": simulate_system(rng, turns_hz=(3.0, 4.5))}
        first = simulate_population(rng, one, name="first")
        for kind, system in worlds.items():
            second = simulate_population(rng, system, name=kind, n_units=60)
            out.append({**_row(_carried(first, second, 5)), "kind": kind})
    return out


def _row(one: Carried) -> dict[str, Any]:
    return {
        "from": one.names[0],
        "to": one.names[1],
        "steps": len(one.home),
        "skill": {way: one.mean(way) for way in WAYS},
        "interval": [float(one.low[ZERO].mean()), float(one.high[ZERO].mean())],
        "home": float(one.home.mean()),
        "short": list(one.short),
        "turned": float(one.turned.mean()),
        "scrambled": float(one.scrambled.mean()),
        "p": max(one.p("turned"), one.p("scrambled")),
        "course_wins": one.mean(COURSE) > one.mean(OWN),
        "probability": (one.aligned.facts.get("probability") or [None])[0],
    }


def _laps_of(file: Path) -> Fragment:
    """Laps of the first session in the first room, both directions, five frames to a bin."""
    counts, laps = [], []
    with np.load(file, allow_pickle=False) as held:
        for direction in (0, 1):
            key = f"env0_s0_dir{direction}"
            activity = np.zeros(held[f"{key}_shape"].tolist())
            np.add.at(
                activity,
                (held[f"{key}_frame"].astype(int), held[f"{key}_cell"].astype(int)),
                held[f"{key}_count"],
            )
            where = held[f"{key}_posbin"].astype(np.int64)
            inside = (where >= FIRST) & (where < LAST)
            lap = _laps(np.where(inside, where - FIRST, -1)) + 10_000 * direction
            for k in np.unique(lap[inside]):
                rows = np.flatnonzero((lap == k) & inside)
                n = len(rows) // BINNED
                if n < 3:
                    continue
                part = activity[rows[: n * BINNED]].reshape(n, BINNED, -1).sum(axis=1)
                counts.append(part)
                laps.append(np.full(n, len(laps)))
        fs = float(held["fs"])
    activity = np.concatenate(counts)
    region, animal = file.stem.split("_")
    about = About("mouse", animal, "room 0, session 0", region, "track", "calcium")
    heard = activity.any(axis=0)
    name = f"{region} {animal}"
    return Fragment(name, activity[:, heard], BINNED / fs, np.concatenate(laps), about=about)


def meg_part(data: Path, *, quick: bool) -> dict[str, Any] | None:
    """What is said of four evoked responses, whole and cut in pieces."""
    if not (data / MEG).is_file():
        return None
    with np.load(data / MEG, allow_pickle=False) as held:
        parts = [[held[f"{name}_{kind}"].T.astype(float) for name in EVOKED]
                 for kind in ("meg", "eeg")]  # fmt: skip
        bin_s = 1 / float(held["sfreq"])
    length = len(parts[0][0])
    whole = [_evoked(kind, own, bin_s) for kind, own in zip(("MEG", "EEG"), parts, strict=True)]
    try:
        translate(whole[0], whole[1], np.random.default_rng(0))
        said = ""
    except NisslError as error:
        said = str(error)
    pieces = np.repeat(np.arange(4) * PIECES, length) + np.tile(
        np.minimum(np.arange(length) * PIECES // length, PIECES - 1), 4
    )
    cut = [replace(f, window=pieces) for f in whole]
    found = translate(
        cut[0], cut[1], np.random.default_rng(0), lags=(0,), n_null=4 if quick else 19
    )
    x, y = lagged(whole[0], (0,)), whole[1].activity
    apart = []
    for k in range(4):
        test, inner = whole[0].windows == k, whole[0].windows == (k + 1) % 4
        best = linear.chosen(x[~test], y[~test], inner[~test], linear.settings(y.shape[1]))
        said_of = linear.fit(x[~test], y[~test], *best).predict(x[test])
        apart.append(float(np.nanmean(skill(y[test], said_of))))
    return {
        "said": said,
        "pieces": {"skill": found.overall, "p": found.p, "shuffled": float(found.shuffled.mean())},
        "left_out": apart,
    }


def _evoked(name: str, parts: list[npt.NDArray[np.float64]], bin_s: float) -> Fragment:
    activity = np.concatenate(parts)
    window = np.repeat(np.arange(len(parts)), len(parts[0]))
    return Fragment(name, activity / activity.std(axis=0), bin_s, window)


def rates_part(data: Path, folder: Path, *, quick: bool) -> dict[str, Any] | None:
    """Fluorescence to spikes: every set read by maps of the other sets alone."""
    names = [n for n in sets(data) if SIMULATED not in n]
    if not names:
        return None
    from nissl.align.translation import network

    known = kept(data, folder, RATE_HZ, sigma_for(RATE_HZ), names)
    recipe = replace(network.RECIPE, epochs=2 if quick else 12, batch=256)
    out = []
    for held in list(known)[: 2 if quick else None]:
        rng = np.random.default_rng(0)
        x, y, left = _examples({n: own for n, own in known.items() if n != held}, rng)
        best = linear.chosen(x, y, left, linear.settings(1))
        rules = {
            "ridge": linear.fit(x, y, *best),
            "tcn": network.fit("tcn", x, y, left, 2 * REACH + 1, rng, recipe),
        }
        row: dict[str, Any] = {"set": held}
        for name, rule in rules.items():
            said = [np.maximum(rule.predict(_columns(each))[:, 0], 0) for each in known[held]]
            row[name] = scored(said, known[held])["r"]
        network_of = shipped().nearest(RATE_HZ)
        row["shipped"] = scored([network_of(each.dff) for each in known[held]], known[held])["r"]
        row["cells"] = len({each.cell for each in known[held]})
        out.append(row)
        print(row, flush=True)
    return {"sets": out, "rows": ROWS, "lags_s": REACH / RATE_HZ}


def _columns(each: Paired) -> npt.NDArray[np.float64]:
    """A trace at all lags, less its median, in its own standard deviations."""
    dff = each.dff.astype(float)
    trace = (dff - np.median(dff)) / max(float(dff.std()), 1e-9)
    at = np.arange(len(trace))[:, None] + np.arange(-REACH, REACH + 1)
    return trace[np.clip(at, 0, len(trace) - 1)]


def _examples(
    known: dict[str, list[Paired]], rng: np.random.Generator
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Frames of every set, as many of each; a fifth of the cells is what training stops by."""
    x, y, left = [], [], []
    for own in known.values():
        cells = sorted({each.cell for each in own})
        stops = set(rng.permutation(cells)[: max(len(cells) // 5, 1)].tolist())
        columns = np.concatenate([_columns(each) for each in own])
        spread = [float(each.rate.std()) or 1.0 for each in own]
        rates = np.concatenate([e.rate / s for e, s in zip(own, spread, strict=True)])
        kept_out = np.concatenate([np.full(len(each.rate), each.cell in stops) for each in own])
        rows = rng.permutation(len(rates))[:ROWS]
        x.append(columns[rows])
        y.append(rates[rows])
        left.append(kept_out[rows])
    return np.concatenate(x), np.concatenate(y).astype(float)[:, None], np.concatenate(left)
