"""Glue, part "days": a decoder of one day reads another day's other units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.align.fragments import About, Fragment, conditions, runs
from nissl.align.latent.aligners import Settings, align
from nissl.align.latent.decoding import Decoder, fitted, r2, ridge, taught
from nissl.align.latent.drift import follow
from nissl.align.latent.maps import Map
from nissl.align.latent.simulate import Subject, simulate_day, simulate_subject
from nissl.align.latent.smoothing import smoothed
from nissl.align.latent.spaces import own_space
from nissl.align.latent.trajectories import n_steps, trajectories
from nissl.align.latent.units import contributions

FOLDER = Path("glue") / "m1_multiday"
DAYS = ("chewie_2013-10-03_bin100ms_vel5.npz", "chewie_2013-12-19_bin100ms_vel5.npz")
LABELLED = (0, 1, 2, 5, 10)
PER_TARGET = 10
VELOCITY = "velocity"
_UNITS_PENALTY = 10.0
_FRESH_AXES = 20


def day(file: Path, name: str) -> Fragment:
    """One day of reaches."""
    with np.load(file, allow_pickle=False) as held:
        return Fragment(
            name,
            held["counts"].astype(float),
            float(held["bin_s"]),
            held["trial"],
            held["target"],
            {VELOCITY: held["vel"].astype(float)},
            about=About("macaque", "Chewie", name, "M1", "centre-out reaches", "spikes"),
        )


def real_days(data: Path) -> list[Fragment] | None:
    """Both days, None where the folder has none."""
    files = [data / FOLDER / name for name in DAYS]
    if not all(f.is_file() for f in files):
        return None
    return [day(f, f"day {k + 1}") for k, f in enumerate(files)]


def split(fragment: Fragment, labelled: int, rng: np.random.Generator) -> tuple[Fragment, Fragment]:
    """A calibration part, of which so many windows per condition are labelled, and a test part."""
    number, _, _ = runs(fragment)
    target = conditions(fragment)
    groups = [rng.permutation(number[target == t])[:PER_TARGET] for t in np.unique(target)]
    calibration = fragment.in_windows(np.concatenate(groups))
    test = fragment.in_windows(np.setdiff1d(number, np.concatenate(groups)))
    known = np.isin(calibration.windows, np.concatenate([g[:labelled] for g in groups]))
    condition = np.where(known, np.asarray(calibration.condition), -1)
    velocity = np.where(known[:, None], calibration.behaviour[VELOCITY], np.nan)
    return replace(calibration, condition=condition, behaviour={VELOCITY: velocity}), test


def fresh(calibration: Fragment) -> Iterator[tuple[str, Decoder]]:
    """Decoders that need no other day: of the labelled windows alone."""
    yield (
        "fresh, latents",
        fitted(own_space(calibration, n_axes=_FRESH_AXES), calibration, VELOCITY),
    )
    x = smoothed(calibration, 0.06)
    known = np.isfinite(calibration.behaviour[VELOCITY]).all(axis=1)
    weights, offset = ridge(x[known], calibration.behaviour[VELOCITY][known], None, _UNITS_PENALTY)
    units = Map(np.zeros(calibration.n_units), np.eye(calibration.n_units), 0.06)
    yield "fresh, units", Decoder(units, weights, offset)


def carried(
    reference: Fragment, calibration: Fragment, labelled: int, rng: np.random.Generator
) -> Iterator[tuple[str, Decoder, Mapping[str, Any]]]:
    """Decoders that the reference day gives."""
    first = reference if labelled else replace(reference, condition=None)
    hidden = calibration if labelled else calibration.without_conditions()
    # A space at 100 ms needs no finer smoothing than the bins give.
    settings = Settings()
    names = ("none", "transport") + (("procrustes", "cca") if labelled else ())
    for name in names:
        found = align((first, hidden), name, rng=rng, settings=settings)
        base = fitted(found.maps[0], reference, VELOCITY)
        yield name, replace(base, reads=found.maps[1]), found.facts
        if found.couplings:
            steps = n_steps(first, hidden)
            own = taught(reference, hidden, found.couplings[0], steps, VELOCITY)
            yield f"{name}, taught", own, found.facts


def one_split(reference: Fragment, other: Fragment, seed: int) -> list[dict[str, Any]]:
    """All methods at all numbers of labelled windows, on one split."""
    out = []
    for labelled in LABELLED:
        calibration, test = split(other, labelled, np.random.default_rng([seed, 1]))
        said = list(carried(reference, calibration, labelled, np.random.default_rng(seed)))
        if labelled:
            said += [(name, decoder, {}) for name, decoder in fresh(calibration)]
        for name, decoder, facts in said:
            parts = contributions(decoder, test)
            out.append(
                {
                    "method": name,
                    "labelled": labelled,
                    "r2": r2(test.behaviour[VELOCITY], decoder.predict(test)),
                    "probability": (facts.get("probability") or [None])[0],
                    "half_by_units": parts.carried_by(0.5),
                    "units": int(test.n_units),
                }
            )
    return out


def ceiling(fragment: Fragment, seed: int) -> float:
    """Within the day: a decoder of half of the windows read on the other half."""
    number, _, _ = runs(fragment)
    order = np.random.default_rng(seed).permutation(number)
    train, test = (fragment.in_windows(w) for w in np.array_split(order, 2))
    decoder = fitted(own_space(train, n_axes=_FRESH_AXES), train, VELOCITY)
    return r2(test.behaviour[VELOCITY], decoder.predict(test))


def days_part(data: Path, *, quick: bool) -> dict[str, Any] | None:
    """Both directions over several splits."""
    days = real_days(data)
    if days is None:
        return None
    splits = 2 if quick else 10
    out: dict[str, Any] = {"splits": splits, "directions": {}, "within": {}}
    for a, b in ((0, 1), (1, 0)):
        name = f"{days[a].name} to {days[b].name}"
        rows = [row for s in range(splits) for row in one_split(days[a], days[b], s)]
        out["directions"][name] = summary(rows)
        out["within"][days[b].name] = float(np.median([ceiling(days[b], s) for s in range(splits)]))
    return out


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Median and range over splits of every method and number of labels."""
    keys = sorted({(r["method"], r["labelled"]) for r in rows}, key=lambda k: (k[1], k[0]))
    out = []
    for method, labelled in keys:
        own = [r for r in rows if (r["method"], r["labelled"]) == (method, labelled)]
        values = np.array([r["r2"] for r in own])
        sure = [r["probability"] for r in own if r["probability"] is not None]
        out.append(
            {
                "method": method,
                "labelled": labelled,
                "median": float(np.median(values)),
                "low": float(values.min()),
                "high": float(values.max()),
                "probability": float(np.median(sure)) if sure else None,
                "half_by_units": float(np.median([r["half_by_units"] for r in own])),
                "units": own[0]["units"],
            }
        )
    return out


def drift_part(*, quick: bool) -> dict[str, Any]:
    """How long a decoder holds that stays, and one whose map follows, on simulated drift."""
    seeds, n_blocks = (range(2) if quick else range(10)), (4 if quick else 13)
    stays, follows = [], []
    for seed in seeds:
        series = list(drifting(seed, 0.25, n_blocks))
        start = series[0]
        own = own_space(start)
        decoder = fitted(own, start, VELOCITY)
        reference = trajectories(start.without_conditions(), own.transform(start), n_steps(start))
        current, a, b = own, [], []
        for block in series[1:]:
            true = block.behaviour[VELOCITY]
            a.append(r2(true, decoder.predict(block)))
            b.append(r2(true, replace(decoder, reads=current).predict(block)))
            current = follow(current, reference, block.without_conditions()).map
        stays.append(a)
        follows.append(b)
    return {"turn_rad": 0.25, "stays": _course(stays), "follows": _course(follows)}


def _course(values: list[list[float]]) -> dict[str, list[float]]:
    table = np.array(values)
    quantile = partial(np.quantile, table, axis=0)
    return {
        "low": quantile(0.1).tolist(),
        "median": quantile(0.5).tolist(),
        "high": quantile(0.9).tolist(),
    }


def drifting(seed: int, angle: float, n_blocks: int) -> Iterator[Fragment]:
    """Blocks of one population; in one plane its latents turn by an angle from block to block."""
    rng = np.random.default_rng(seed)
    subject = simulate_subject(rng)
    plane: npt.NDArray[np.float64] = np.linalg.qr(rng.standard_normal((8, 2)))[0]
    for k in range(n_blocks):
        c, s = np.cos(angle * k), np.sin(angle * k)
        turn = np.eye(8) + plane @ (np.array([[c, -s], [s, c]]) - np.eye(2)) @ plane.T
        turned = Subject(turn @ subject.mix, subject.lag)
        # The same generator: the same units with the same loadings, and other trials' noise is
        # not needed to tell a map that follows from one that stays.
        own = np.random.default_rng(seed + 1000)
        yield simulate_day(own, turned, name=f"block {k}", n_trials=96).fragment
