"""Train the network of `nissl.annotators.cells.network` on simulated movies.

``python -m nissl.annotators.cells.train_network OUT`` simulates movies of all sorts, summarises
them, trains, and writes the network and its card. Movies that are kept aside stop the training;
others, that are seen by nothing before, are scored. Fields are kept in OUT until it is done, and
it goes on where it was interrupted. Needs PyTorch; no data of anybody's are used.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.examples import (
    Field,
    bordered,
    field_of,
    nuclei_field,
    targets,
    varied_scene,
)
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.instances import Cut, instances
from nissl.annotators.cells.matching import agreement
from nissl.annotators.cells.network import (
    DIAMETER,
    IMAGES,
    KIND,
    images_of,
    mapped,
    prepared,
    segmented,
)
from nissl.annotators.cells.simulate import simulated
from nissl.labels.atomic import write_bytes
from nissl.nets.backend import pytorch, seeded
from nissl.nets.inference import Network
from nissl.nets.onnx_files import exported
from nissl.nets.training import Recipe, Windows, fit
from nissl.run.context import Context
from nissl.run.progress import Progress, RichProgress

PATCH = 64
"""Pixels of an example, about six cells wide."""
STEPS = 1000.0
"""Targets are kept as whole numbers of this part."""
ZOOMS = (0.75, 1.3)
"""Between which the size of cells is off: nobody knows it exactly, and they vary."""
RATES = ((3e-3, 1.0), (5e-4, 1 / 3))
"""Learning rates one after the other, each for a share of the epochs."""
Make = Callable[[np.random.Generator], Field]


def simulated_field(rng: np.random.Generator) -> Field:
    """Summary of one simulated movie, and its cells."""
    from nissl.annotators.cells.summary import summarise

    made = simulated(varied_scene(rng))
    with TemporaryDirectory() as scratch:
        summary = summarise(made.movie, Context(Path(scratch)))
    field = field_of(made, images_of(summary))
    return bordered(field, rng) if rng.random() < 0.3 else field


def fields(make: Make, n: int, seed: int, folder: Path, progress: Progress) -> list[Field]:
    """Fields from the folder where they are there already, else made and kept there."""
    out = []
    progress.start("fields", float(n), "fields")
    for index in range(n):
        path = folder / f"field-{seed}-{index}.npz"
        if not path.is_file():
            made = make(np.random.default_rng([seed, index]))
            more = {"labels": made.labels, "known": made.known, "diameter_px": made.diameter_px}
            with path.open("wb") as file:
                np.savez(file, **more, **made.images)  # type: ignore[arg-type]
        with np.load(path) as kept:
            images = {k: kept[k] for k in kept if k not in ("labels", "known", "diameter_px")}
            out.append(Field(images, kept["labels"], kept["known"], float(kept["diameter_px"])))
        progress.advance("fields", 1.0)
    progress.finish("fields")
    return out


def patches(given: Sequence[Field], each: int, rng: np.random.Generator, names: Any) -> Windows:
    """Pieces of fields on scales about the network's own; turned and mirrored."""
    xs, ys = [], []
    for field in given:
        for _ in range(each):
            zoom = float(np.exp(rng.uniform(*np.log(ZOOMS))))
            x = prepared(field.images, field.diameter_px / zoom, names)
            y = targets(field, DIAMETER * zoom / field.diameter_px)
            for _ in range(4):
                piece = _piece(np.concatenate([x, y]), rng)
                xs.append(piece[: len(names)])
                ys.append(np.round(piece[len(names) :] * STEPS).astype(np.int16))
    return Windows(np.stack(xs), np.stack(ys))


def _piece(both: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return a square piece, turned and perhaps mirrored; small fields are filled up with zeros."""
    short = [max(PATCH - n, 0) for n in both.shape[1:]]
    both = np.pad(both, ((0, 0), (0, short[0]), (0, short[1])))
    top, left = (int(rng.integers(n - PATCH + 1)) for n in both.shape[1:])
    piece = np.rot90(both[:, top : top + PATCH, left : left + PATCH], int(rng.integers(4)), (1, 2))
    return np.ascontiguousarray(piece[:, :, ::-1] if rng.random() < 0.5 else piece)


def varied(
    x: npt.NDArray[Any], y: npt.NDArray[Any], rng: np.random.Generator
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Images are turned, fainter or stronger, noisier, and some of them not there."""
    turns = int(rng.integers(4))
    x, y = np.rot90(x, turns, (2, 3)).copy(), np.rot90(y, turns, (2, 3))
    n, c = x.shape[:2]
    x *= np.exp(rng.normal(0, 0.25, (n, c, 1, 1))).astype(np.float32)
    x += rng.normal(0, 1, x.shape).astype(np.float32) * rng.uniform(0, 0.4, (n, c, 1, 1))
    gone = rng.random((n, c)) < rng.choice([0.0, 0.2, 0.5, 0.8], (n, 1), p=[0.5, 0.2, 0.2, 0.1])
    gone[np.arange(n), rng.integers(c, size=n)] = False
    x[gone] = 0
    return x.astype(np.float32), y


def loss(net: Any, x: Any, y: Any) -> Any:
    """Cross-entropy of both maps where the truth counts; edges between cells weigh more."""
    torch = pytorch()
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    with torch.autocast(x.device.type, dtype=torch.bfloat16):
        said = net(x)
    said, target = said.float(), y.float() / STEPS
    inside, depth, known = target[:, 0], target[:, 1], target[:, 2]
    weight = known * (1 + 2 * inside)
    both = entropy(said[:, 0], inside, reduction="none")
    both = both + entropy(said[:, 1], depth, reduction="none")
    return (both * weight).sum() / weight.sum().clamp_min(1.0)


def fresh(n_images: int, rng: np.random.Generator) -> Any:
    """Network that knows nothing yet."""
    from nissl.nets.unet2d import UNet2d, UNet2dSettings

    with seeded(rng):
        return UNet2d(UNet2dSettings(n_images, 2))


def in_stages(
    net: Any,
    seen: tuple[Windows, Windows],
    epochs: int,
    rng: np.random.Generator,
    progress: Progress,
    checkpoint: Path,
) -> Any:
    """Network after every stage of `RATES`, each resumed from a file of its own.

    Parameters
    ----------
    net : torch.nn.Module
    seen : tuple of Windows
        To learn from, and to stop by.
    epochs : int
        Of the first stage.
    rng : numpy.random.Generator
    progress : Progress
    checkpoint : Path
        Beginning of the files' names.
    """
    for stage, (rate, share) in enumerate(RATES):
        n = max(1, round(share * epochs))
        net = fit(
            net,
            *seen,
            rng=rng,
            recipe=Recipe(epochs=n, patience=n, batch=16, rate=rate),
            augment=varied,
            loss=loss,
            progress=progress,
            checkpoint=checkpoint.with_name(f"{checkpoint.name}-{stage}.training.npz"),
        ).net
    return net


def written(net: Any, header: dict[str, Any]) -> Network:
    """Network as ONNX; the exporter reads weights in the order of memory, whatever it is."""
    net.to(memory_format=pytorch().contiguous_format)
    example = np.zeros((1, len(header["images"]), 64, 64), np.float32)
    return Network(exported(net, example, header, varying={0: "n", 2: "height", 3: "width"}))


def scored(network: Network, given: Sequence[Field]) -> dict[str, float]:
    """Agreement with the truth of fields that were not learnt from, at the true diameter."""
    rows = []
    for field in given:
        found, _ = segmented(field.images, field.diameter_px, network=network)
        cells, true = (Footprints.from_masks(each) for each in (found.labels, field.labels))
        rows.append(agreement(cells, true, doubtful=~field.known))
    return {k: float(np.mean([row[k] for row in rows])) for k in ("f1", "precision", "recall")}


def chosen_cut(network: Network, given: Sequence[Field]) -> Cut:
    """When something is a cell: what agrees best with the truth of some fields."""
    seen = [(field, *mapped(field.images, field.diameter_px, network=network)) for field in given]
    best, out = -1.0, Cut()
    for foreground, seed, score in product((0.3, 0.4, 0.5), (0.25, 0.4), (0.3, 0.4, 0.5, 0.6)):
        cut = Cut(foreground=foreground, seed=seed, score=score)
        f1 = []
        for field, p, depth in seen:
            found = instances(p, depth, diameter_px=field.diameter_px, cut=cut)
            cells, true = (Footprints.from_masks(x) for x in (found.labels, field.labels))
            f1.append(agreement(cells, true, doubtful=~field.known)["f1"])
        if np.mean(f1) > best:
            best, out = float(np.mean(f1)), cut
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """Write network and card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path, help="folder that receives network and card")
    parser.add_argument("--fields", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--what", choices=("somata", "nuclei"), default="somata")
    given = parser.parse_args(arguments)
    make, names = (
        (simulated_field, IMAGES) if given.what == "somata" else (nuclei_field, ("image",))
    )
    train(make, given.what, names, given.out, given.fields, given.epochs, given.seeds)


def train(
    make: Make,
    name: str,
    names: tuple[str, ...],
    out: Path,
    n_fields: int,
    epochs: int,
    seeds: Sequence[int],
) -> None:
    """Train one network a seed, keep the one that does best on what was kept aside.

    Parameters
    ----------
    make : callable
        ``(rng) -> Field``, a new one each time.
    name : str
        Of the files that are written.
    names : tuple of str
        Images that the network reads.
    out : Path
    n_fields, epochs : int
    seeds : sequence of int
    """
    out.mkdir(parents=True, exist_ok=True)
    with RichProgress() as told:
        all_ = fields(make, n_fields, 0, out, told)
        tenth = max(1, n_fields // 10)
        new, kept, known = all_[:tenth], all_[tenth : 2 * tenth], all_[2 * tenth :]
        tried: list[tuple[float, int, Network]] = []
        for seed in seeds:
            rng = np.random.default_rng([seed, 1])
            net = fresh(len(names), rng)
            seen = patches(known, 3, rng, names), patches(kept, 3, rng, names)
            net = in_stages(net, seen, epochs, rng, told, out / f".{name}-{seed}")
            header = {
                "format": 1,
                "kind": KIND,
                "what": name,
                "images": list(names),
                "diameter": DIAMETER,
                "simulated": True,
                "trained_on": f"{len(known)} simulated fields",
                "seed": seed,
            }
            cut = chosen_cut(written(net, header), kept)
            network = written(net, header | {"cut": asdict(cut)})
            tried.append((scored(network, kept)["f1"], seed, network))
    best = max(tried, key=lambda each: (each[0], -each[1]))[2]
    card = {
        **best.header,
        "digest": best.digest,
        "f1_by_seed": {str(seed): round(f1, 4) for f1, seed, _ in tried},
        "scored_on": f"{tenth} simulated fields that it has not seen",
        "scores": {k: round(v, 4) for k, v in scored(best, new).items()},
    }
    write_bytes(out / f"{name}.onnx", best.model)
    write_bytes(out / f"{name}.json", json.dumps(card, indent=1, sort_keys=True).encode())


if __name__ == "__main__":
    main()
