"""Whether synthetic annotated volumes lie nearer to their targets than their sources do.

    python benchmarks/_tracks_synthesis.py [--quick] [--out DIR]

Pairs of volumes of simulated worms, of seeds that no setting was chosen on: the coarse prediction
of the target is its truth with an error of 0.5 um along each axis, a fifth of the neurons missing
and some identities wrong, half of them exchanged over the whole body, half with a neighbour.
Fields on real pairs are fitted to half of the neurons people placed and judged on the others;
voxels are taken as 1.5 by 0.325 um there (see `_tracks_cover.py`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree
from scipy.stats import spearmanr

from _common import arguments, finite, number, table
from nissl.annotators.tracks.fields import fit_field
from nissl.annotators.tracks.mask_synthesis import synthesise_masks
from nissl.annotators.tracks.posture import embed, sketch
from nissl.annotators.tracks.simulate import Simulated, Worm, simulated
from nissl.annotators.tracks.synthesis import Settings, synthesise

FIRST_SEED = 200
WRONG = (0.0, 0.3)
WHOLE = Settings(part=(1.0, 1.0), bending=0.0)
REAL_UM = (1.5, 0.325, 0.325)
SHARE_TO_FIT = 0.5
Floats = npt.NDArray[np.float64]


def run(data: Path, *, n_worms: int = 3, n_pairs: int = 20, n_masks: int = 6) -> dict[str, Any]:
    """Means over pairs, by what was measured."""
    worms = [simulated(Worm(seed=FIRST_SEED + k)) for k in range(n_worms)]
    points: dict[str, list[dict[str, float]]] = {f"{wrong:g}": [] for wrong in WRONG}
    masks, ranks = [], []
    for k, worm in enumerate(worms):
        rng = np.random.default_rng(k)
        for wrong in WRONG:
            for _ in range(n_pairs):
                points[f"{wrong:g}"].append(one_pair(worm, wrong, rng))
        masks += [one_mask(worm, rng) for _ in range(n_masks)]
        ranks.append(posture_ranks(worm, 3 * n_pairs, rng))
    return finite(
        {
            "points": {wrong: means(rows) for wrong, rows in points.items()},
            "masks": means(masks),
            "posture": means(ranks),
            "real": real(data),
            "n_pairs": n_worms * n_pairs,
            "n_masks": n_worms * n_masks,
        }
    )


def one_pair(worm: Simulated, wrong: float, rng: np.random.Generator) -> dict[str, float]:
    """Misses, um, and distances in posture of one pair of volumes."""
    spacing = worm.worm.spacing_um
    source, target = rng.choice(worm.worm.n_frames, 2, replace=False).tolist()
    from_, to = (worm.positions.xyz[f].astype(float) for f in (source, target))
    volumes = [worm.volumes[f] for f in (source, target)]
    coarse = predicted(to, wrong, spacing, rng)
    out = {"before": miss(from_, to, spacing)}
    for name, rounds in (("least squares", 1), ("field", 8)):
        field = fit_field(from_, coarse, worm.worm.shape, spacing, n_rounds=rounds)
        out[name] = miss(field.at(from_), to, spacing)
        out[f"{name}, within 2 um"] = within(field.at(from_), to, spacing, 2.0)
    wanted = sketch(volumes[1][0], spacing)
    out["posture before"] = float(np.linalg.norm(sketch(volumes[0][0], spacing) - wanted))
    for name, how in (("whole", WHOLE), ("part", Settings())):
        made = synthesise(
            volumes[0], from_, coarse, None, spacing, rng, how, target_volume=volumes[1]
        )
        out[f"{name} refused"] = float(made is None)
        if made is not None:
            out[name] = miss(made.xyz, to, spacing)
            out[f"posture {name}"] = float(np.linalg.norm(sketch(made.volume[0], spacing) - wanted))
    return out


def predicted(
    truth: Floats, wrong: float, spacing: tuple[float, float, float], rng: np.random.Generator
) -> Floats:
    """Places (n, 3) as a network that learnt little finds them."""
    um = np.array(spacing[::-1])
    coarse = truth + rng.normal(0, 0.5, truth.shape) / um
    seen = np.flatnonzero(np.isfinite(truth).all(axis=1))
    mistaken = rng.choice(seen, int(wrong * seen.size), replace=False)
    far, near = np.array_split(mistaken, 2)
    coarse[far] = truth[rng.permutation(far)]
    around = KDTree(truth[seen] * um).query(truth[near] * um, 5)[1]
    coarse[near] = truth[seen[around[np.arange(near.size), rng.integers(1, 5, near.size)]]]
    coarse[rng.random(len(truth)) < 0.2] = np.nan
    return coarse


def one_mask(worm: Simulated, rng: np.random.Generator) -> dict[str, float]:
    """Mean Dice of objects of one pair of volumes, a tenth of the numbers exchanged."""
    source, target = rng.choice(worm.worm.n_frames, 2, replace=False).tolist()
    from_, to = worm.masks(source), worm.masks(target)
    numbers = np.arange(to.max() + 1)
    mistaken = rng.choice(numbers[1:], max(2, numbers.size // 10), replace=False)
    numbers[mistaken] = np.roll(mistaken, 1)
    numbers[rng.choice(numbers[1:], numbers.size // 5, replace=False)] = 0
    coarse = numbers[to]
    out = {"before": dice(from_, to)}
    volumes = [worm.volumes[f] for f in (source, target)]
    for name, image in (("field", None), ("field and flow", volumes[1])):
        made = synthesise_masks(
            volumes[0],
            from_,
            coarse,
            worm.worm.spacing_um,
            rng,
            WHOLE,
            target_volume=image,
        )
        out[f"{name} refused"] = float(made is None)
        if made is not None:
            out[name] = dice(made.mask, to)
    return out


def posture_ranks(worm: Simulated, n: int, rng: np.random.Generator) -> dict[str, float]:
    """Rank correlation of distance in posture space with deformation, shifts apart."""
    frames = np.sort(rng.choice(worm.worm.n_frames, n, replace=False))
    latent = embed(worm.volumes, frames, rng)
    xyz = worm.positions.xyz[frames] * np.array(worm.worm.spacing_um[::-1])
    rows, columns = np.triu_indices(n, 1)
    away = np.linalg.norm(latent[rows] - latent[columns], axis=1)
    apart = xyz[rows] - xyz[columns]
    apart -= np.nanmean(apart, axis=1, keepdims=True)
    true = np.sqrt(np.nanmean((apart**2).sum(-1), axis=1))
    return {"rank": float(spearmanr(away, true).statistic)}


def real(data: Path) -> dict[str, dict[str, float]]:
    """Misses, um, on neurons that a field was not fitted to, of pairs people annotated."""
    folder = data / "imaging" / "worm_targettrack"
    if not (folder / "points_ex2.npz").is_file():
        return {}
    places = {k: np.load(folder / f"points_ex{k}.npz")["pts_gt"].astype(float) for k in (2, 3, 4)}
    out = {}
    for a, b in ((2, 3), (2, 4), (3, 4)):
        both = np.flatnonzero(np.isfinite(places[a] + places[b]).all(axis=1))
        rows = []
        for seed in range(10):
            chosen = np.random.default_rng(seed).permutation(both)
            fit, held = np.split(chosen, [int(both.size * SHARE_TO_FIT)])
            field = fit_field(places[a][fit], places[b][fit], (16, 160, 256), REAL_UM)
            moved = field.at(places[a][held])
            rows.append(
                {
                    "before": miss(places[a][held], places[b][held], REAL_UM),
                    "held out": miss(moved, places[b][held], REAL_UM),
                    "strain": field.strain(places[a][both]).largest,
                }
            )
        out[f"{a} to {b}"] = means(rows)
    return out


def miss(xyz: Floats, truth: Floats, spacing: tuple[float, float, float]) -> float:
    """Mean distance, um, over neurons seen in both."""
    return float(np.nanmean(np.linalg.norm((xyz - truth) * spacing[::-1], axis=1)))


def within(xyz: Floats, truth: Floats, spacing: tuple[float, float, float], um: float) -> float:
    """Share of neurons seen in both that lie within a distance."""
    away = np.linalg.norm((xyz - truth) * spacing[::-1], axis=1)
    return float((away[np.isfinite(away)] < um).mean())


def dice(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Mean over the objects of either."""
    n = int(max(a.max(), b.max())) + 1
    left, right = (np.bincount(each.ravel(), minlength=n)[1:] for each in (a, b))
    both = np.bincount(a[a == b].ravel(), minlength=n)[1:]
    there = left + right > 0
    return float((2 * both[there] / (left + right)[there]).mean())


def means(rows: list[dict[str, float]]) -> dict[str, float]:
    """Mean of each column over the rows that have it."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}


def page(results: dict[str, Any]) -> str:
    """All figures as tables."""
    names = dict.fromkeys(n for row in results["points"].values() for n in row)
    wrong = list(results["points"])
    parts = [
        table(
            ["", *(f"{float(w):.0%} wrong" for w in wrong)],
            [[n, *(number(results["points"][w].get(n), 2) for w in wrong)] for n in names],
        )
    ]
    for what in ("masks", "posture"):
        rows = [[name, number(value, 3)] for name, value in results[what].items()]
        parts.append(table([what, ""], rows))
    if results["real"]:
        rows = [
            [pair, *(number(v, 2) for v in row.values())] for pair, row in results["real"].items()
        ]
        parts.append(table(["real pair", "before", "held out", "strain"], rows))
    return "\n\n".join(parts)


def main() -> None:
    """Compute, print, and write results."""
    args = arguments("tracks", __doc__.splitlines()[0]).parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    size = {"n_worms": 1, "n_pairs": 5, "n_masks": 2} if args.quick else {}
    results = run(args.test, **size)
    (args.out / "tracks_synthesis.json").write_text(json.dumps(results, indent=1))
    print(page(results))


if __name__ == "__main__":
    main()
