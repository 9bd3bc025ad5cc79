"""Train `sleep/network`: ``python -m nissl.annotators.sleep.train_network OUT [--nights DIR]``.

DIR is a folder of recordings with stages among their own annotations, such as EDF+; the part of
a file's name before the first "_" or "-" is the subject. Whole subjects are kept aside, to stop
by and to score. Without DIR, nights are simulated; what comes out then is marked as such. It goes
on where it was interrupted. Needs PyTorch.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.sleep.epochs import epochs_of
from nissl.annotators.sleep.network import AROUND, GRID, KIND, TYPES, channels_of
from nissl.annotators.sleep.score import agreement
from nissl.annotators.sleep.simulate import simulate_night
from nissl.annotators.sleep.stages import stage_of
from nissl.annotators.sleep.vocabulary import HUMAN
from nissl.data import Recording, Signal
from nissl.data.electrodes import Electrode, electrodes
from nissl.errors import MissingInputError, UnknownFormatError
from nissl.labels.atomic import write_bytes
from nissl.nets.augment import Setting, augmenter, by_epoch
from nissl.nets.backend import seeded
from nissl.nets.inference import Network
from nissl.nets.onnx_files import exported
from nissl.nets.training import IGNORED, Recipe, Windows, fit
from nissl.nets.windows import read_window, scale_of
from nissl.run.progress import Progress, RichProgress

Values = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]

SETTING = Setting(GRID.rate_hz, "sleep")
AUGMENTATIONS = ("sign_flip", "gain", "fewer_channels")
"""Declared: stages do not depend on which electrode is the reference, on waves being a fifth
larger or smaller, or on which channels there are. None of them moves or hides time."""
SEQUENCE = 2 * AROUND
"""Epochs of an example."""
N_CHANNELS = 4
STAGES = HUMAN.names[:-1]


@dataclass(frozen=True, eq=False)
class RawNight:
    """Epochs of samples with their stages.

    Parameters
    ----------
    subject : str
    x : ndarray, shape (n_epochs, n_channels, n_samples), float32
        On the night's own scale; NaN for a channel that is not there.
    y : ndarray, shape (n_epochs,), int64
        Codes of `STAGES`, `IGNORED` where not scored.
    """

    subject: str
    x: Values
    y: Codes


def raw_night(recording: Recording, y: Codes, *, subject: str) -> RawNight:
    """Epochs of a recording, `N_CHANNELS` channels of it."""
    signal = stream_of(recording)
    signal = signal.take(channels_of(signal)[:N_CHANNELS])
    scale, (start, _) = scale_of(signal), epochs_of(signal.clock, GRID.length_s)
    x = np.full((start.size, N_CHANNELS, GRID.n_samples), np.nan, np.float32)
    for row, at in enumerate(start.tolist()):
        x[row, : signal.n_channels] = read_window(signal, at, GRID, scale)
    return RawNight(subject, x, np.asarray(y, np.int64))


def stream_of(recording: Recording) -> Signal:
    """The stream with most samples of EEG, EOG or EMG: files may hold slower ones beside it."""
    found = [s for s in recording.values() if any(e.type in TYPES for e in _electrodes(s))]
    if not found:
        raise MissingInputError(
            "a stream with EEG, EOG or EMG", f"{sorted(recording)}", "Take it out of the folder."
        )
    return max(found, key=lambda s: s.n_channels * s.rate_hz)


def _electrodes(signal: Signal) -> tuple[Electrode, ...]:
    return electrodes(signal.channels.ids, signal.channels.types)


def stages_of(recording: Recording) -> Codes:
    """Code of each epoch from the annotations that cover its middle; `IGNORED` without one."""
    clock = stream_of(recording).clock
    start, stop = epochs_of(clock, GRID.length_s)
    middle = clock.to_seconds((start + stop) / 2)
    out = np.full(start.size, IGNORED, np.int64)
    for note in recording.annotations:
        name = stage_of(note.text)
        if name in STAGES:
            end_s = note.onset_s + max(note.duration_s, GRID.length_s)
            out[(middle >= note.onset_s) & (middle < end_s)] = STAGES.index(name)
    return out


def read_nights(folder: Path) -> list[RawNight]:
    """Scored recordings of a folder; what no reader recognises is passed over.

    Raises
    ------
    MissingInputError
        Nights of fewer than three subjects.
    """
    from nissl.data.read import read

    nights = []
    for path in sorted(p for p in folder.iterdir() if not p.name.startswith(".")):
        try:
            recording = read(path)
        except UnknownFormatError:
            continue
        y = stages_of(recording)
        if (y != IGNORED).any():
            subject = re.split(r"[_-]", path.stem)[0]
            nights.append(raw_night(recording, y, subject=subject))
    if len({night.subject for night in nights}) < 3:
        raise MissingInputError(
            "scored nights of at least three subjects",
            f"{len(nights)} nights with stages",
            "Give recordings whose annotations hold stages.",
        )
    return nights


def simulated_nights(n: int, *, hours: float = 1.5, seed: int = 0) -> list[RawNight]:
    """Nights of so many simulated subjects."""
    made = [simulate_night(seed * 1000 + k, hours=hours) for k in range(n)]
    return [
        raw_night(night, truth.column("label"), subject=f"simulated-{k}")
        for k, (night, truth) in enumerate(made)
    ]


def sequences(nights: Sequence[RawNight]) -> Windows:
    """Stretches of `SEQUENCE` epochs; the last ones of a night may overlap."""
    xs, ys = [], []
    for night in nights:
        last = len(night.y) - SEQUENCE
        for at in sorted({*range(0, last + 1, SEQUENCE), max(last, 0)}):
            if at + SEQUENCE <= len(night.y):
                xs.append(night.x[at : at + SEQUENCE])
                ys.append(night.y[at : at + SEQUENCE])
    if not xs:
        raise MissingInputError(
            f"nights of at least {SEQUENCE} epochs", "shorter ones", "Give whole nights."
        )
    return Windows(np.stack(xs), np.stack(ys))


def network(n_classes: int, *, rng: np.random.Generator) -> Any:
    """Fresh network over epochs."""
    from nissl.nets.context import ContextNet, ContextSettings
    from nissl.nets.encoder import EncoderSettings

    encoder = EncoderSettings(width=16, strides=(5, 4, 4))
    settings = ContextSettings(n_classes, "recurrent", width=32, layers=1, encoder=encoder)
    with seeded(rng):
        return ContextNet(settings)


def learnt(
    nights: Sequence[RawNight],
    kept: Sequence[RawNight],
    *,
    rng: np.random.Generator,
    recipe: Recipe,
    header: dict[str, Any],
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> Network:
    """Train on some subjects, stop by others, and write the network as ONNX."""
    trained = fit(
        network(len(STAGES), rng=rng),
        sequences(nights),
        sequences(kept),
        rng=rng,
        recipe=recipe,
        augment=by_epoch(augmenter(AUGMENTATIONS, SETTING)),
        checkpoint=checkpoint,
        progress=progress,
    )
    example = np.zeros((1, 4, 2, GRID.n_samples), np.float32)
    head = {"format": 1, "kind": KIND, "classes": list(STAGES), "augmented": list(AUGMENTATIONS)}
    axes = {0: "n", 1: "epochs", 2: "channels"}
    return Network(exported(trained.net, example, head | header, varying=axes))


def scored(network: Network, nights: Sequence[RawNight]) -> dict[str, float]:
    """Agreement with the stages of nights that were not learnt from."""
    said = [network(night.x[None])[0].argmax(axis=0) for night in nights]
    true = [night.y for night in nights]
    known = [y != IGNORED for y in true]
    mine, theirs = (
        np.concatenate([v[k] for v, k in zip(part, known, strict=True)]) for part in (said, true)
    )
    found = agreement(mine, theirs)
    return {name: float(found[name]) for name in ("kappa", "accuracy")}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write network and card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path, help="folder that receives network and card")
    parser.add_argument("--nights", type=Path, help="folder of scored recordings")
    parser.add_argument("--simulated", type=int, default=12, help="nights to simulate otherwise")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    made = given.nights is None
    if made:
        nights = simulated_nights(given.simulated, seed=given.seed)
    else:
        nights = read_nights(given.nights)
    rng = np.random.default_rng(given.seed)
    subjects = rng.permutation(sorted({night.subject for night in nights})).tolist()
    fifth = max(1, len(subjects) // 5)
    parts = subjects[:fifth], subjects[fifth : 2 * fifth], subjects[2 * fifth :]
    new, kept, known = ([n for n in nights if n.subject in part] for part in parts)
    header = {
        "simulated": made,
        "trained_on": f"{len(known)} {'simulated ' if made else ''}nights",
        "seed": given.seed,
    }
    name = "simulated" if made else "network"
    state = given.out / f".{name}.training.npz"
    recipe = Recipe(epochs=given.epochs, patience=6, batch=4)
    with RichProgress() as told:
        got = learnt(
            known, kept, rng=rng, recipe=recipe, header=header, checkpoint=state, progress=told
        )
    state.unlink(missing_ok=True)
    of = f"{len(new)} {'simulated ' if made else ''}nights of subjects that it has not seen"
    card = {**got.header, "digest": got.digest, "scored_on": of, "scores": scored(got, new)}
    write_bytes(given.out / f"{name}.onnx", got.model)
    write_bytes(given.out / f"{name}.json", json.dumps(card, indent=1, sort_keys=True).encode())


if __name__ == "__main__":
    main()
