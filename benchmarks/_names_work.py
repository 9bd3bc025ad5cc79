"""Computations of the benchmark of names."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.names.affine import least_squares, moved
from nissl.annotators.names.animals import Animals, normal_colours, read_animals
from nissl.annotators.names.atlas import Atlas, built
from nissl.annotators.names.confidence import Namer, answers, calibrated, mapped
from nissl.annotators.names.learning import STEPS
from nissl.annotators.names.learning import learned as learned_network
from nissl.annotators.names.matching import match
from nissl.annotators.names.naming import named
from nissl.annotators.names.simulate import random_affine
from nissl.annotators.names.transport import assigned, best
from nissl.trust.calibration import choose
from nissl.trust.intervals import bootstrap_interval
from nissl.trust.reliability import reliability

PARTS = ("head", "tail")
HOW = ("place", "place and colour")
PERTURBATIONS = 1
FOLDS = 3
LEARN_STEPS = STEPS
SHIFT = 500.0
RIGHT = 0.95
_FOLDER = Path("imaging") / "worm_neuropal_id"

Floats = npt.NDArray[np.float64]


@dataclass
class Told:
    """What was said of neurons of worms that the atlas has not seen."""

    worm: list[int] = field(default_factory=list)
    n_seen: list[int] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    top3: list[bool] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)
    known_frame: list[bool] = field(default_factory=list)


def learned(animals: Animals) -> Namer:
    """Make a namer with the defaults of `names/atlas`."""
    return partial(named, built(animals))


def named_worms(train: Path, test: Path, part: str, *, same: bool, quick: bool) -> dict[str, Any]:
    """Name each worm of one part of the body, after random affine maps."""
    held = read_animals(test / _FOLDER / f"{part}.npz")
    others = held if same else read_animals(train / _FOLDER / f"{part}.npz")
    told = {how: Told() for how in HOW}
    began, n_named = time.process_time(), 0
    for worm in range(2 if quick else held.n_animals):
        atlas_of = held.without(worm) if same else others
        atlas, namer = built(atlas_of), learned(atlas_of)
        seen = np.flatnonzero(held.seen[worm])
        truth = np.array(held.names)[seen]
        for how, out in told.items():
            coloured = how != HOW[0]
            colours = held.colours[worm, seen] if coloured else None
            rng = np.random.default_rng([worm, coloured])
            sure = calibrated(atlas_of, learned, coloured=coloured, rng=rng)
            frame = known_frame(atlas, held.xyz[worm, seen], colours, truth)
            for _ in range(1 if quick else PERTURBATIONS):
                xyz = moved(held.xyz[worm, seen], random_affine(rng, shift=SHIFT))
                naming = namer(xyz, colours)
                n_named += 1
                found = answers(naming)
                names = np.array([*naming.names, ""])
                likely = names[np.argsort(-naming.probability, axis=1)[:, :3]]
                out.worm += [worm] * seen.size
                out.n_seen += [seen.size] * seen.size
                out.right += (names[found.name] == truth).tolist()
                out.top3 += (likely == truth[:, None]).any(axis=1).tolist()
                out.confidence += mapped(sure, found.confidence).tolist()
                out.known_frame += frame.tolist()
    return {
        "worms": held.n_animals,
        "names": len(held.names),
        "neurons": int(held.seen.sum()),
        "cpu_s_per_naming": (time.process_time() - began) / max(n_named, 1),
        "by": {how: summary(out) for how, out in told.items()},
    }


def learned_worms(train: Path, test: Path, part: str, *, same: bool, quick: bool) -> dict[str, Any]:
    """Name each worm of one part by `names/nissl`, whose networks have not seen its fold.

    The confidence of a fold's worms is calibrated on what was said of those of the other folds,
    for a network is trained once per fold, not once per worm.
    """
    held = read_animals(test / _FOLDER / f"{part}.npz")
    others = held if same else read_animals(train / _FOLDER / f"{part}.npz")
    told = {how: Told() for how in HOW}
    n_folds, every = (FOLDS if same else 1), np.arange(held.n_animals)
    fold = np.arange(held.n_animals) % n_folds
    train_s = 0.0
    for k in range(n_folds):
        atlas_of = held.take(every[fold != k]) if same else others
        began = time.process_time()
        rng = np.random.default_rng([k, 1])
        namer = learned_network(atlas_of, rng, steps=5 if quick else LEARN_STEPS)
        train_s += time.process_time() - began
        for worm in every[fold == k][: 1 if quick else None].tolist():
            seen = np.flatnonzero(held.seen[worm])
            truth = np.array(held.names)[seen]
            for how, out in told.items():
                coloured = how != HOW[0]
                rng = np.random.default_rng([worm, coloured])
                colours = held.colours[worm, seen] if coloured else None
                xyz = moved(held.xyz[worm, seen], random_affine(rng, shift=SHIFT))
                for whose, each in (("nissl", namer), ("atlas", partial(named, namer.atlas))):
                    naming = each(xyz, colours)
                    found = answers(naming)
                    names = np.array([*naming.names, ""])
                    right = names[found.name] == truth
                    if whose == "atlas":
                        out.known_frame += right.tolist()
                        continue
                    likely = names[np.argsort(-naming.probability, axis=1)[:, :3]]
                    out.worm += [worm] * seen.size
                    out.n_seen += [seen.size] * seen.size
                    out.right += right.tolist()
                    out.top3 += (likely == truth[:, None]).any(axis=1).tolist()
                    out.confidence += found.confidence.tolist()
    by = {}
    for how, out in told.items():
        out.confidence = _crossed(out, fold).tolist()
        by[how] = summary(out)
        by[how]["atlas_of_fold"] = by[how].pop("known_frame")
        by[how]["gain"] = _gain(out)
    return {"folds": n_folds, "train_cpu_s": train_s / n_folds, "by": by}


def _crossed(told: Told, fold: npt.NDArray[Any]) -> Floats:
    """Confidences of each fold, calibrated on the other folds; as they are where it is alone."""
    confidence, right = np.array(told.confidence), np.array(told.right)
    worm = np.array(told.worm)
    out = confidence.copy()
    for k in np.unique(fold[worm]).tolist():
        rest = fold[worm] != k
        if np.unique(worm[rest]).size < 2:
            continue
        p = np.stack([confidence[rest], 1 - confidence[rest]], axis=1)
        wrong = (~right[rest]).astype(np.int64)
        rng = np.random.default_rng(k)
        kinds = ("identity", "temperature", "beta")
        sure = choose(p, wrong, worm[rest].tolist(), rng=rng, kinds=kinds)[0]
        out[~rest] = mapped(sure, confidence[~rest])
    return out


def _gain(told: Told) -> dict[str, Any]:
    """By how much more names are right than by the atlas of the same worms."""
    worm = np.array(told.worm)
    more = np.array(told.right).astype(float) - np.array(told.known_frame)
    by_worm = np.array([more[worm == k].mean() for k in np.unique(worm)])
    return bootstrap_interval(by_worm, rng=np.random.default_rng(0)).to_json()


def known_frame(
    atlas: Atlas, xyz: Floats, colours: Floats | None, truth: npt.NDArray[Any]
) -> npt.NDArray[np.bool_]:
    """Which names are right where the map is fitted to the true names: what an atlas can give."""
    code = np.array([atlas.names.index(name) if name in atlas.names else -1 for name in truth])
    some = code >= 0
    # From the atlas to the animal, whose places are the noisy ones, and back.
    there = least_squares(atlas.place.centre[code[some]], xyz[some])
    back = (xyz - there[3]) @ np.linalg.inv(there[:3])
    score = atlas.place.log_density(back) + np.log(atlas.presence)
    if colours is not None and atlas.colour is not None:
        score = score + atlas.colour.log_density(normal_colours(colours))
    p, _ = assigned(score, np.full(len(xyz), -30.0), np.log1p(-atlas.presence), 200)
    rows, columns = best(p)
    out = np.zeros(len(xyz), bool)
    out[rows] = columns == code[rows]
    return out


def summary(told: Told) -> dict[str, Any]:
    """Figures with intervals over worms."""
    rng = np.random.default_rng(0)
    worm, right = np.array(told.worm), np.array(told.right)
    confidence = np.array(told.confidence)

    def rate(values: npt.NDArray[Any]) -> dict[str, Any]:
        by_worm = np.array([values[worm == k].mean() for k in np.unique(worm)])
        return bootstrap_interval(by_worm, rng=rng).to_json()

    found = reliability(confidence, right, groups=worm.tolist(), rng=rng)
    order = np.argsort(-confidence, kind="stable")
    kept = np.cumsum(right[order]) / np.arange(1, right.size + 1)
    enough = np.flatnonzero(kept >= RIGHT)
    each = [
        {
            "neurons": int(np.array(told.n_seen)[worm == k][0]),
            "accuracy": float(right[worm == k].mean()),
        }
        for k in np.unique(worm)
    ]
    return {
        "accuracy": rate(right),
        "top3": rate(np.array(told.top3)),
        "known_frame": rate(np.array(told.known_frame)),
        "ece": found.ece,
        "bins": [part.to_json() for part in found.bins],
        "coverage_at_95": float((enough[-1] + 1) / right.size) if enough.size else 0.0,
        "worms": each,
    }


def template(train: Path, test: Path) -> dict[str, Any]:
    """Name another laboratory's worm by place, with the atlas of all heads."""
    with np.load(test / _FOLDER / "fdnc_template.npz", allow_pickle=False) as held:
        xyz, truth = held["pts_um"].astype(float), held["name"].astype(str)
    atlas = built(read_animals(train / _FOLDER / "head.npz"))
    known = np.isin(truth, atlas.names)
    rates = {}
    for mirrored in (False, True):
        found = answers(named(atlas, xyz[known], mirrored=mirrored))
        names = np.array([*atlas.names, ""])[found.name]
        rates["mirrored" if mirrored else "as it is"] = float(np.mean(names == truth[known]))
    return {"neurons": int(known.sum()), "accuracy": rates}


def matched(test: Path) -> list[dict[str, Any]]:
    """Identity between annotated volumes of one animal, given where its neurons are."""
    places = {}
    for k in (2, 3, 4):
        file = test / "imaging" / "worm_targettrack" / f"points_ex{k}.npz"
        with np.load(file, allow_pickle=False) as held:
            places[k] = held["pts_gt"].astype(float)
    out = []
    for ratio in (1.0, 3.0, 6.0):
        for a in places:
            for b in places:
                if a != b:
                    right, n = _pair(places[a] * (1, 1, ratio), places[b] * (1, 1, ratio))
                    out.append(
                        {"ratio": ratio, "from": a, "to": b, "right": right / n, "neurons": n}
                    )
    return out


def _pair(one: Floats, other: Floats) -> tuple[int, int]:
    a, b = (np.flatnonzero(np.isfinite(each[:, 0])) for each in (one, other))
    found = match(one[a], None, other[b], None)
    said = np.where(found.index >= 0, b[found.index], -1)
    both = np.isin(a, b)
    return int(np.sum(said[both] == a[both])), int(both.sum())
