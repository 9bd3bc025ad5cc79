"""The same cell on another day: false and missed links where the truth is known.

    python benchmarks/_cells_days.py [--quick] [--out DIR]

Part of `cells.py`; also usable alone. Three kinds of pairs: simulated days with a known turnover,
the halves of a simulated movie with the cells that a method finds in each, and two people's
outlines of one and the same field (`imaging/human_roi_masks`), one of which is moved by a known
rotation and shift, so that real shapes and real disagreement stand in for two days.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from _common import arguments, finite, number, table
from nissl.align.cells.activity import FACTS, facts_of
from nissl.align.cells.fields import register, rotation
from nissl.align.cells.matching import Matches, aligned
from nissl.align.cells.simulate import two_days
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.method import NISSL
from nissl.annotators.cells.simulate import simulate
from nissl.data import Movie, Recording
from nissl.labels import Author, LabelSet, Provenance
from nissl.labels.compare.regions import overlaps
from nissl.run.context import Context
from nissl.tasks import Inputs
from nissl.trust.reliability import reliability

FOLDER = Path("imaging") / "human_roi_masks"
DENSE = "dense, bent and badly outlined, 40 %"
ACTIVITY: dict[str, dict[str, Any]] = {
    "the same, with activity": {},
    "the same, with activity, that of all cells has changed": {"changed": 1.0},
}
"""Activity as evidence on the days of `DENSE`: a fifth of the cells changes where not said."""
SETTINGS: dict[str, dict[str, Any]] = {
    "turnover 20 %": {"turnover": 0.2},
    "turnover 40 %": {"turnover": 0.4},
    "turnover 60 %": {"turnover": 0.6},
    "40 cells, turnover 40 %": {"turnover": 0.4, "n_cells": 40},
    DENSE: {
        "turnover": 0.4,
        "n_cells": 420,
        "jitter_px": 1.2,
        "bend_px": 5.0,
        "degrees": 4.0,
        "shift_px": 25.0,
    },
}
FIRST_SEED = 100  # the method was written with seeds below in view


def simulated(seeds: int) -> dict[str, dict[str, Any]]:
    """Figures of simulated days by setting, and of fields that have nothing in common."""
    out = {}
    for name, about in SETTINGS.items():
        told = []
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            days = two_days(np.random.default_rng(seed), **about)
            found, moved = aligned(*days.cells, register(*days.images))
            told.append(_told(found, days.pairs, moved.correlation))
        out[name] = _figures(told)
        print(name, out[name], flush=True)
    for name, about in ACTIVITY.items():
        told = []
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            days = two_days(np.random.default_rng(seed), **SETTINGS[DENSE], **about)
            found, moved = aligned(*days.cells, register(*days.images), activity=days.activity)
            told.append(_told(found, days.pairs, moved.correlation))
        out[name] = _figures(told)
        print(name, out[name], flush=True)
    told = []
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        a, b = (two_days(np.random.default_rng(s)) for s in (seed, seed + 500))
        found, moved = aligned(a.cells[0], b.cells[0], register(a.images[0], b.images[0]))
        told.append(_told(found, np.zeros((0, 2), np.int64), moved.correlation))
    out["two unrelated fields"] = _figures(told)
    return out


def halves(seeds: int) -> dict[str, dict[str, Any]]:
    """Figures of the two halves of simulated movies, each with the cells that `cells/nissl` finds.

    A link is false where the two regions lie over different true neurons; regions that lie over
    none are left out, for nobody can say whether they are the same. Without activity and with it.
    """
    told: dict[str, list[dict[str, Any]]] = {"": [], ", with activity": []}
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        recording, truth = simulate(seed)
        movie, sets = recording.movie, []
        middle = movie.n_frames // 2
        for a, b in ((0, middle), (middle, movie.n_frames)):
            part = Movie.from_array(movie.frames(a, b), movie.rate_hz)
            own = Recording(None, "memory", {}, fingerprint="f" * 64, movies={"movie": part})
            with tempfile.TemporaryDirectory() as scratch:
                given = NISSL.defaults() | {"motion": False}
                found = NISSL.annotate(Inputs(own, "movie"), given, Context(Path(scratch), seed=0))
            cells = Footprints.from_labels(found.labels[0], movie.shape)
            over = _nearest(found.labels[0], truth)
            known = np.flatnonzero(over >= 0)
            facts = found.items[0].table
            lively = facts_of({n: facts.column(n).to_numpy() for n in FACTS}, len(cells))
            sets.append((cells.take(known), over[known], found.images["mean"], lively[known]))
        (first, a, one, here), (second, b, two, there) = sets
        pictures = [np.asarray(image).reshape(movie.shape[1:]) for image in (one, two)]
        left, right = np.nonzero(a[:, None] == b[None])
        for name, activity in (("", None), (", with activity", (here, there))):
            matches, moved = aligned(first, second, register(*pictures), activity=activity)
            told[name].append(_told(matches, np.stack([left, right], axis=1), moved.correlation))
    return {name: _figures(each) for name, each in told.items()}


def _nearest(labels: LabelSet, truth: LabelSet) -> np.ndarray:
    """True neuron that each region shares most with, at least 0.2 of the union; -1 for none."""
    left, right, iou = overlaps(labels, truth)
    out, best = np.full(labels.n_rows, -1), np.full(labels.n_rows, 0.2)
    for i, j, share in zip(left.tolist(), right.tolist(), iou.tolist(), strict=True):
        if share > best[i]:
            out[i], best[i] = j, share
    return out


def of_people(folder: Path, limit: int) -> dict[str, Any]:
    """Figures of pairs of people who outlined one field, one of them moved."""
    told, n = [], 0
    for path in sorted((folder / FOLDER).glob("*.npz")):
        graders = _graders(path)
        if len(graders) < 2 or n >= limit:
            continue
        first, second = graders[:2]
        if min(len(first), len(second)) < 20:
            continue
        n += 1
        pairs = _truth(first, second)
        rng = np.random.default_rng(n)
        turned = _turned(second, float(rng.uniform(-3, 3)), rng.uniform(-10, 10, 2))
        pictures = [
            np.asarray(c.matrix().sum(axis=0)).reshape(c.shape[1:]) for c in (first, turned)
        ]
        found, moved = aligned(first, turned, register(*pictures))
        told.append(_told(found, pairs, moved.correlation))
    return {"fields": n} | (_figures(told) if told else {})


def _graders(path: Path) -> list[Footprints]:
    with np.load(path, allow_pickle=False) as held:
        names = sorted(k.removesuffix("_idx") for k in held if k.endswith("_idx"))
        out = []
        for name in names:
            shape = tuple(int(n) for n in held[f"{name}_shape"])
            cuts = np.cumsum(held[f"{name}_len"])[:-1]
            masks = [m for m in np.split(held[f"{name}_idx"], cuts) if m.size]
            size = (1, *shape[-2:])
            out.append(Footprints.build(size, [np.unique(m) % (size[1] * size[2]) for m in masks]))
    return out


def _truth(a: Footprints, b: Footprints) -> np.ndarray:
    """Pairs that share half of their union where they lie, which is a partner for one at most."""
    made = Provenance("cells", "f" * 64, Author("person", "grader"))
    left, right, iou = overlaps(a.to_labels(made), b.to_labels(made))
    return np.stack([left[iou >= 0.5], right[iou >= 0.5]], axis=1)


def _turned(cells: Footprints, degrees: float, shift: np.ndarray) -> Footprints:
    """Cells of a field that was turned about its middle and shifted, as far as they stay in it."""
    _, height, width = cells.shape
    middle = (np.array([height, width]) - 1) / 2
    matrix = rotation(degrees)
    pixels = []
    for own in cells.pixels:
        fine = np.stack(np.divmod(own, width)).astype(float)
        grid = [fine + np.array([[dy], [dx]]) for dy in (-0.25, 0.25) for dx in (-0.25, 0.25)]
        place = np.concatenate(grid, axis=1)
        gone = np.rint(matrix @ (place - middle[:, None]) + middle[:, None] + shift[:, None])
        y, x = gone.astype(int)
        ok = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        at = np.unique(y[ok] * width + x[ok])
        pixels.append(at if at.size else np.array([0]))
    return Footprints.build(cells.shape, pixels)


def _told(found: Matches, pairs: np.ndarray, correlation: float) -> dict[str, Any]:
    truth = set(map(tuple, pairs.tolist()))
    both = zip(found.pairs.a.tolist(), found.pairs.b.tolist(), strict=True)
    right = np.array([pair in truth for pair in both], bool)
    return {"p": found.same, "right": right, "chosen": found.chosen, "n": len(pairs),
            "cells": found.absent_a.size, "correlation": correlation}  # fmt: skip


def _figures(told: list[dict[str, Any]]) -> dict[str, Any]:
    p, right = (np.concatenate([t[k] for t in told]) for k in ("p", "right"))
    chosen = np.concatenate([t["right"][t["chosen"]] for t in told])
    sure = np.concatenate([t["right"][t["chosen"]][t["p"][t["chosen"]] > 0.95] for t in told])
    n = sum(t["n"] for t in told)
    found = reliability(np.maximum(p, 1 - p), (p > 0.5) == right, rng=np.random.default_rng(0))
    expected = float(sum((1 - t["p"][t["chosen"]]).sum() for t in told))
    return {
        "pairs": n,
        "cells": sum(t["cells"] for t in told),
        "links": int(chosen.size),
        "false": float(1 - chosen.mean()) if chosen.size else 0.0,
        "expected_false": expected / max(chosen.size, 1),
        "false_of_sure": float(1 - sure.mean()) if sure.size else 0.0,
        "recall": float(chosen.sum() / n) if n else float("nan"),
        "ece": found.ece,
        "perfect": list(found.perfect),
        "correlation": float(np.mean([t["correlation"] for t in told])),
    }


def run(test: Path, *, quick: bool) -> dict[str, Any]:
    """All figures."""
    return {
        "simulated": simulated(1 if quick else 4),
        "people": of_people(test, 2 if quick else 12),
        "halves": halves(1 if quick else 3),
    }


def section(results: Mapping[str, Any]) -> list[str]:
    """Lines of the page."""
    rows = dict(results["simulated"])
    people = results["people"]
    if results.get("halves"):
        for name, figures in results["halves"].items():
            rows[f"two halves of a simulated movie, cells/nissl{name}"] = figures
    if people.get("links"):
        rows[f"two people, {people['fields']} fields"] = people
    head = ["Days", "cells", "true pairs", "links", "false", "said to be false", "false above 0.95",
            "recall", "ECE", "of a perfect model", "pictures alike"]  # fmt: skip
    return [
        "## The same cell on another day",
        "",
        "`nissl align` on simulated days (250 cells of 5 px radius in 320 x 320 px where nothing "
        "else is said; shift up to 12 px, rotation up to 2 degrees, a smooth bend of up to 2.5 px, "
        "outlines drawn anew) and on two people's outlines of one field, one of which is turned by "
        "up to 3 degrees and shifted by up to 10 px (a true pair shares half of its union before "
        "that; there are no pictures, only outlines). Between them the halves of simulated movies, "
        "each with what `cells/nissl` finds in it; regions over no true neuron are left out. A "
        "false link joins two different neurons. "
        "The simulations' seeds are others than those with which the method was written.",
        "",
        table(
            head,
            [
                [
                    name,
                    r["cells"],
                    r["pairs"],
                    r["links"],
                    f"{r['false']:.1%}",
                    f"{r['expected_false']:.1%}",
                    f"{r['false_of_sure']:.1%}",
                    number(r["recall"]),
                    number(r["ece"]),
                    "{:.3f} to {:.3f}".format(*r["perfect"]),
                    number(r["correlation"], 2),
                ]
                for name, r in rows.items()
            ],
        ),
        "",
        "Real pairs of days with known identity are not among the data; the figures hold for "
        "fields of which a mean picture, or outlines of most cells, is given for both days.",
        "",
    ]


def main() -> None:
    """Compute and write results.json and days.md."""
    args = arguments("cells_days", (__doc__ or "").partition("\n")[0]).parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    results = finite(run(args.test, quick=args.quick))
    (args.out / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    page = "\n".join(section(results))
    (args.page or args.out / "days.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
