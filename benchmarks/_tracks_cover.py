"""Whether real pairs of postures lie within what the simulated worm makes.

    python benchmarks/_tracks_cover.py [--quick] [--out DIR] [--page FILE]

Part of `tracks.py`; also usable alone. Pairs of the three volumes of `imaging/worm_targettrack`
whose points people placed, against pairs of volumes of simulated worms, in the numbers of
`nissl.annotators.tracks.simulate.statistics`. The files of points do not say how large a voxel
is. Compared is in micrometres as if planes were 1.5 um apart and pixels 0.325 um, twice the
pixel of the masks of the same data; a ratio of 4 to 5 is also where rigid fits of the two pairs
that bend little leave least. What another distance of planes would change stands beside.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from _common import COLOURS, arguments, finite, number, table
from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.simulate import Simulated, Worm, simulated
from nissl.annotators.tracks.simulate.statistics import STATISTICS, place_within, statistics

FOLDER = Path("imaging") / "worm_targettrack"
VOLUMES = (2, 3, 4)  # the others repeat their points
PIXEL_UM = 0.325
PLANES_UM = (1.0, 1.5, 2.0)
CHOSEN_UM = 1.5
FIRST_SEED = 100  # the simulator was set with seeds below in view, and with these real pairs
EDGE = 0.01
Floats = npt.NDArray[np.float64]


def run(data: Path, *, n_worms: int = 12, n_pairs: int = 200) -> dict[str, Any]:
    """Quantiles of simulated pairs, values of real ones, and where they lie among them."""
    worms = [simulated(Worm(seed=FIRST_SEED + k)) for k in range(n_worms)]
    pool = pooled(worms, n_pairs)
    out: dict[str, Any] = {
        "n_worms": n_worms,
        "n_pairs": int(pool["rigid"].size),
        "n_frames": worms[0].worm.n_frames,
        "seen": float(np.mean([w.positions.seen.mean() for w in worms])),
        "simulated": {
            name: np.quantile(values, [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]).tolist()
            for name, values in pool.items()
        },
        "real": {},
    }
    if not (data / FOLDER / f"points_ex{VOLUMES[0]}.npz").is_file():
        return finite(out)
    annotated = np.stack([np.load(data / FOLDER / f"points_ex{k}.npz")["pts_gt"] for k in VOLUMES])
    places = Positions.build(VOLUMES, annotated)
    for apart in PLANES_UM:
        real = statistics(places, (apart, PIXEL_UM, PIXEL_UM))
        out["real"][f"{apart:g}"] = {
            name: {
                "values": real[name].tolist(),
                "within": [place_within(value, pool[name]) for value in real[name]],
            }
            for name in STATISTICS
        }
    return finite(out)


def pooled(worms: list[Simulated], n_pairs: int) -> dict[str, Floats]:
    """Numbers of pairs of all worms."""
    every = []
    for worm in worms:
        rng = np.random.default_rng(worm.worm.seed)
        every.append(statistics(worm.positions, worm.worm.spacing_um, rng=rng, n_pairs=n_pairs))
    return {name: np.concatenate([each[name] for each in every]) for name in STATISTICS}


def page(results: Mapping[str, Any], picture: str = "tracks_cover.png") -> str:
    """What the benchmark's page says of it."""
    real = results["real"].get(f"{CHOSEN_UM:g}", {})
    rows = []
    for name, words in STATISTICS.items():
        low, _, _, middle, _, _, high = results["simulated"][name]
        here = real.get(name, {"values": [], "within": []})
        rows.append(
            [
                f"`{name}`: {words}",
                ", ".join(str(number(value, 2)) for value in here["values"]),
                f"{number(low, 2)} / {number(middle, 2)} / {number(high, 2)}",
                ", ".join(f"{100 * share:.0f}" for share in here["within"]),
            ]
        )
    columns = [
        "of a pair of volumes",
        "real pairs",
        "simulated, 1 / 50 / 99 %",
        "real among them, %",
    ]
    told = [
        f"{results['n_pairs']} pairs of {results['n_worms']} simulated worms of "
        f"{results['n_frames']} volumes against the three pairs of annotated volumes; on average "
        f"{100 * results['seen']:.1f} % of simulated neurons are in view. The simulator's "
        "settings were chosen with these pairs in view, on other seeds: this says that it covers "
        "them, not that it would cover others.",
        "",
        table(columns, rows),
        "",
        *(_outside(results)),
        "",
        f"![real pairs within simulated ones]({picture})",
    ]
    return "\n".join(told)


def _outside(results: Mapping[str, Any]) -> list[str]:
    """Which values lie at the edge, by how far apart planes are taken to be."""
    told = []
    for apart, found in results["real"].items():
        edge = [
            name
            for name, each in found.items()
            if any(not EDGE < share < 1 - EDGE for share in each["within"])
        ]
        words = ", ".join(f"`{name}`" for name in edge) or "none"
        told.append(f"- planes {apart} um apart: outside the middle 98 % lie {words}")
    return told


def plot(results: Mapping[str, Any], path: Path) -> None:
    """Where real pairs lie among simulated ones, by number."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 5.2), layout="constrained")
    names = list(STATISTICS)
    rows = np.arange(len(names))
    for width, shade in ((0.98, 0.15), (0.9, 0.2), (0.5, 0.3)):
        edge = (1 - width) / 2
        axes.axvspan(edge, 1 - edge, color=COLOURS[0], alpha=shade, lw=0)
    styles = {"1": ("v", COLOURS[1]), "1.5": ("o", "black"), "2": ("^", COLOURS[4])}
    for apart, found in results["real"].items():
        marker, colour = styles[apart]
        chosen = float(apart) == CHOSEN_UM
        for row, name in zip(rows, names, strict=True):
            shares = found[name]["within"]
            label = f"planes {apart} um apart" if row == 0 else None
            axes.plot(
                shares,
                [row] * len(shares),
                marker,
                color=colour,
                ms=6 if chosen else 4,
                alpha=1.0 if chosen else 0.6,
                label=label,
                ls="",
            )
    axes.set_yticks(rows, names)
    axes.invert_yaxis()
    axes.set(
        xlim=(-0.02, 1.02),
        xlabel="share of simulated pairs below (bands: middle 50, 90 and 98 %)",
        title="Three real pairs among simulated pairs",
    )
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main() -> None:
    """Compute, and write results, the plot and, when asked, the part of the page."""
    parser = arguments("tracks", __doc__.splitlines()[0])
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    size = {"n_worms": 2, "n_pairs": 40} if args.quick else {}
    results = run(args.test, **size)
    (args.out / "tracks_cover.json").write_text(json.dumps(results, indent=1))
    plot(results, args.out / "tracks_cover.png")
    text = page(results)
    print(text)
    if args.page:
        args.page.write_text(text + "\n")


if __name__ == "__main__":
    main()
