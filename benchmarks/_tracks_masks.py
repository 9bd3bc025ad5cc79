"""One cell of the masks: a method on real or simulated volumes, some of them with masks.

python _tracks_masks.py masks|masks-simulated JSON ANSWER
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from _common import write_result
from _tracks_real import FOLDER, RATE_HZ
from _tracks_scores import reliability
from nissl.annotators.masks.masks import Masks
from nissl.annotators.masks.score import RIGHT, Rows, compared, rows_of
from nissl.data import Movie, Recording
from nissl.labels import Author, LabelSet, Provenance
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.tasks import Inputs
from nissl.tasks.registered import ANNOTATORS

METHODS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "masks/nissl": ("masks/nissl", {}),
    "without targeted augmentation": ("masks/nissl", {"targeted": False, "folds": 0}),
    "masks/registration": ("masks/registration", {}),
}
ANNOTATED = (3, 5, 10)
SIZE = {"neurons": 30, "frames": 100, "shape": [12, 64, 96]}
SMALL = {"neurons": 6, "frames": 12, "shape": [8, 32, 48]}
REAL_STEPS = 120
"""Volumes that each teaching shows of the real set, which are large: for time alone."""
ABOUT = Provenance("masks", "3" * 64, Author("person", "annotator"), stream="red")


@dataclass(frozen=True, eq=False)
class Annotated:
    """Real volumes as one recording, and the masks that a person drew in some of them."""

    recording: Recording
    truth: Masks
    names: tuple[str, ...]


def real_masks(data: Path) -> Annotated | None:
    """Volumes with masks of a person, and the others, whose masks are predicted, without any.

    Only `gt` files hold a person's masks; `target` ones are a network's and are never truth. A
    volume that is in both is taken once. None without data.
    """
    paths = sorted((data / FOLDER).glob("masks_frame*_gt.npz"))
    volumes, drawn, names, size = [], [], [], None
    for path in [*paths, *sorted((data / FOLDER).glob("masks_frame*_target.npz"))]:
        with np.load(path) as file:
            frame = np.asarray(file["frame"]).T
            if any(np.array_equal(frame, each) for each in volumes):
                continue
            volumes.append(frame)
            size = tuple(float(v) for v in file["voxel_um"][::-1])
            if path in paths:
                drawn.append(np.asarray(file["mask"]).T)
                names.append(path.name.split("_")[1].removeprefix("frame"))
    if not drawn or size is None:
        return None
    movie = Movie.from_array(np.stack(volumes), RATE_HZ, name="red", spacing_um=size)
    recording = Recording(None, "array", {}, fingerprint="3" * 64, movies={"red": movie})
    return Annotated(recording, Masks.of_volumes(enumerate(drawn)), tuple(names))


def cells(args: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Kind, name and what defines every cell."""
    base = SMALL if args.quick else SIZE
    for label, (method, parameters) in METHODS.items():
        learns = method == "masks/nissl"
        own = {**parameters, **({"steps": 20, "targets": 2} if args.quick and learns else {})}
        for seed in args.seeds:
            for n in (3,) if args.quick else ANNOTATED:
                how = {**base, "method": method, "parameters": own, "annotated": n, "seed": seed}
                yield "masks-simulated", f"{label} {n} {seed}", how
        if args.quick or not (args.test / FOLDER).is_dir():
            continue
        for held in range(3):
            steps = {"steps": REAL_STEPS} if learns else {}
            how = {"test": str(args.test), "held": held, "method": method, "seed": 0}
            yield "masks", f"{label} held {held}", how | {"parameters": {**own, **steps}}


def drawn_by(
    recording: Recording, given: Masks, how: Mapping[str, Any]
) -> tuple[LabelSet, dict[str, Any]]:
    """Masks that a method proposes, with time and memory."""
    annotator = ANNOTATORS.get(how["method"])
    inputs = Inputs(recording, "red", labels={"masks": given.to_labels(ABOUT)})
    began, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as scratch, measure_peak() as peak:
        result = annotator.annotate(
            inputs,
            {**annotator.defaults(), **how["parameters"]},
            Context(Path(scratch), seed=how["seed"]),
        )
    return result.labels[0], {
        "wall_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
        "peak_memory_bytes": peak.bytes,
        "log": {k: v for k, v in result.log.items() if isinstance(v, (bool, int, float, str))},
    }


def judged(labels: LabelSet, truth: Masks) -> dict[str, Any]:
    """Scores in the volumes of the truth, and how sure the method rightly was."""
    said, true = rows_of(labels), Rows(truth.frame, truth.item, truth.voxels)
    found = compared(said, true)
    inside = np.isin(said.frame, truth.frames)
    sure = labels.column("confidence").astype(np.float64)
    return {
        "scores": found.metrics(),
        "reliability": reliability(sure[inside], found.proposed >= RIGHT),
        "n": int(truth.frame.size),
    }


def simulated(how: Mapping[str, Any]) -> dict[str, Any]:
    """A simulated worm, masks of some volumes drawn; scores on all others."""
    from _tracks_work import annotated_volumes
    from nissl.annotators.tracks.simulate import simulate_worm

    worm = simulate_worm(
        np.random.default_rng(how["seed"]),
        n_neurons=how["neurons"],
        n_frames=how["frames"],
        shape=tuple(how["shape"]),
    )
    recording = Recording(
        None, "array", {}, fingerprint="3" * 64, movies={m.name: m for m in worm.volumes.channels}
    )
    chosen = annotated_volumes(worm.volumes, how["annotated"], how["seed"])
    truth = Masks.of_volumes((k, worm.masks(k)) for k in range(how["frames"]))
    given = np.isin(truth.frame, chosen)
    labels, told = drawn_by(recording, truth.take(given), how)
    return told | judged(labels, truth.take(~given)) | {"voxels": float(truth.sizes.mean())}


def masks(how: Mapping[str, Any]) -> dict[str, Any]:
    """Real volumes: one left out, learnt from the other two; what they do not show is not asked."""
    known = real_masks(Path(how["test"]))
    if known is None:
        raise SystemExit("no volumes with masks in the data folder")
    held = known.truth.frame == int(how["held"])
    given = known.truth.take(~held)
    labels, told = drawn_by(known.recording, given, how)
    asked = known.truth.take(held & np.isin(known.truth.item, given.items))
    said = compared(rows_of(labels), Rows(asked.frame, asked.item, asked.voxels))
    each = [
        {"neuron": int(item), "voxels": int(size), "dice": float(dice)}
        for item, size, dice in zip(said.item, asked.sizes, said.dice, strict=True)
    ]
    name = known.names[int(how["held"])]
    return told | judged(labels, asked) | {"name": name, "neurons": each}


if __name__ == "__main__":
    _part, _how, _answer = sys.argv[1:]
    _parts = {"masks": masks, "masks-simulated": simulated}
    write_result(Path(_answer), _parts[_part](json.loads(_how)))
