"""Train the network of `nissl.annotators.cells.windows` on simulated movies.

``python -m nissl.annotators.cells.train_windows OUT`` simulates movies of all sorts, looks for
what lights up in them, trains a network to outline the cell that fired in the windows of each
source, or nothing, and writes it with its card. Movies that are kept aside stop the training and
choose when something is a cell; others are scored. Examples are kept in OUT until it is done, and
it goes on where it was interrupted. Needs PyTorch; no data of anybody's are used.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.instances import Cut, instances
from nissl.annotators.cells.network import DIAMETER
from nissl.annotators.cells.train_network import STEPS, fresh, in_stages, written
from nissl.annotators.cells.window_examples import Sources, source_examples
from nissl.annotators.cells.windows import NAMES, SIDE
from nissl.labels.atomic import write_bytes
from nissl.nets.inference import Network
from nissl.nets.training import Windows
from nissl.run.progress import Progress, RichProgress

KIND = "cells in windows"
NAME = "windows"
MOST_OF_A_MOVIE = 60
"""Patches of one movie that are learnt from, at most: crowded movies have hundreds."""
SAME = 0.5
"""Intersection over union from which an outline is right."""


def sources(n: int, seed: int, folder: Path, progress: Progress) -> list[Sources]:
    """Examples of movies from the folder where they are there already, else made and kept there."""
    out = []
    progress.start("movies", float(n), "movies")
    for index in range(n):
        path = folder / f"sources-{seed}-{index}.npz"
        if not path.is_file():
            made = source_examples(np.random.default_rng([seed, index]))
            with path.open("wb") as file:
                np.savez(file, x=made.x.astype(np.float16), y=made.y.astype(np.float16))
        with np.load(path) as kept:
            out.append(Sources(kept["x"].astype(np.float32), kept["y"].astype(np.float32)))
        progress.advance("movies", 1.0)
    progress.finish("movies")
    return out


def pooled(given: Sequence[Sources], rng: np.random.Generator) -> Windows:
    """Examples of several movies, not too many of any."""
    chosen = [
        np.sort(rng.permutation(len(each.x))[:MOST_OF_A_MOVIE]) for each in given if len(each.x)
    ]
    there = [each for each in given if len(each.x)]
    x = np.concatenate([each.x[rows] for each, rows in zip(there, chosen, strict=True)])
    y = np.concatenate([each.y[rows] for each, rows in zip(there, chosen, strict=True)])
    return Windows(x, np.round(y * STEPS).astype(np.int16))


def mapped(network: Network, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Probability and depth of patches, (n, 2, SIDE, SIDE)."""
    parts = [network(x[start : start + 32]) for start in range(0, len(x), 32)]
    said = np.concatenate([np.zeros((0, 2, SIDE, SIDE), np.float32), *parts])
    return np.asarray(1 / (1 + np.exp(-np.clip(said, -30, 30))), np.float32)


def verdicts(
    maps: npt.NDArray[np.float32], truth: npt.NDArray[np.float32], cut: Cut
) -> dict[str, float]:
    """F1, precision and recall of what is outlined in the middle of patches.

    Parameters
    ----------
    maps : ndarray, shape (n, 2, SIDE, SIDE)
    truth : ndarray, shape (n, 3, SIDE, SIDE)
    cut : Cut
    """
    middle = slice(SIDE // 2 - 4, SIDE // 2 + 4)
    right = found = 0
    for (foreground, depth), (inside, _, _) in zip(maps, truth, strict=True):
        labels = instances(foreground, depth, diameter_px=DIAMETER, cut=cut).labels
        under = np.bincount(labels[middle, middle].ravel())[1:]
        if under.any():
            found += 1
            own = labels == int(np.argmax(under)) + 1
            shared = float((own & (inside > 0)).sum())
            right += shared >= SAME * float((own | (inside > 0)).sum())
    true = int((truth[:, 0].max(axis=(1, 2)) > 0).sum())
    return {
        "f1": 2 * right / max(found + true, 1),
        "precision": right / max(found, 1),
        "recall": right / max(true, 1),
    }


def chosen_cut(network: Network, given: Sequence[Sources]) -> Cut:
    """When something is a cell: what agrees best with the truth of some movies."""
    seen = [(mapped(network, each.x), each.y) for each in given if len(each.x)]
    maps = np.concatenate([m for m, _ in seen])
    truth = np.concatenate([t for _, t in seen])
    best, out = -1.0, Cut()
    for foreground, seed, score in product((0.4, 0.5), (0.25, 0.4), (0.2, 0.35, 0.5)):
        cut = Cut(foreground=foreground, seed=seed, score=score)
        f1 = verdicts(maps, truth, cut)["f1"]
        if f1 > best:
            best, out = f1, cut
    return out


def scored(network: Network, given: Sequence[Sources], cut: Cut) -> dict[str, float]:
    """Scores on movies that were not learnt from, all their sources together."""
    there = [each for each in given if len(each.x)]
    maps = np.concatenate([mapped(network, each.x) for each in there])
    return verdicts(maps, np.concatenate([each.y for each in there]), cut)


def train(out: Path, n_movies: int, epochs: int, seed: int = 0) -> None:
    """Train the network, and write it with its card.

    Parameters
    ----------
    out : Path
    n_movies, epochs, seed : int
    """
    out.mkdir(parents=True, exist_ok=True)
    with RichProgress() as told:
        all_ = sources(n_movies, 0, out, told)
        tenth = max(1, n_movies // 10)
        new, kept, known = all_[:tenth], all_[tenth : 2 * tenth], all_[2 * tenth :]
        rng = np.random.default_rng([seed, 1])
        net = fresh(len(NAMES), rng)
        seen = pooled(known, rng), pooled(kept, rng)
        net = in_stages(net, seen, epochs, rng, told, out / f".{NAME}-{seed}")
    header: dict[str, Any] = {
        "format": 1,
        "kind": KIND,
        "what": NAME,
        "images": list(NAMES),
        "diameter": DIAMETER,
        "simulated": True,
        "trained_on": f"{len(seen[0].x)} patches of {len(known)} simulated movies",
        "seed": seed,
    }
    cut = chosen_cut(written(net, header), kept)
    network = written(net, header | {"cut": asdict(cut)})
    scores = {k: round(v, 4) for k, v in scored(network, new, cut).items()}
    card = {
        **network.header,
        "digest": network.digest,
        "scored_on": f"sources of {tenth} simulated movies that it has not seen",
        "scores": scores,
    }
    write_bytes(out / f"{NAME}.onnx", network.model)
    write_bytes(out / f"{NAME}.json", json.dumps(card, indent=1, sort_keys=True).encode())


def main(arguments: Sequence[str] | None = None) -> None:
    """Write network and card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path, help="folder that receives network and card")
    parser.add_argument("--movies", type=int, default=240)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    train(given.out, given.movies, given.epochs, given.seed)


if __name__ == "__main__":
    main()
