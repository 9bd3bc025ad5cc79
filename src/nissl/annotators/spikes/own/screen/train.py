"""Train the network of `nissl.annotators.spikes.own.screen.network`.

``python -m nissl.annotators.spikes.own.screen.train OUT --data FOLDER`` makes recordings with known
truth (simulated ones, and hybrids of the tagged CellExplorer units of one animal), contaminates the
second half of each, trains networks, scores them on recordings of other seeds and of other animals,
and writes the weights with their card. Examples are kept in OUT. Needs PyTorch. Only units of the
side that one tunes on are used (`split_by_animal`), and seeds from 200 on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.background import Background
from nissl.annotators.spikes.groundtruth import GroundTruth, grid_um
from nissl.annotators.spikes.hybrid import HybridOptions, build_hybrid
from nissl.annotators.spikes.hybrid_units import (
    HybridUnit,
    choose,
    load_cellexplorer,
    split_by_animal,
)
from nissl.annotators.spikes.own.screen.examples import (
    UNSURE,
    Events,
    Known,
    events_of,
    known,
    more_events,
)
from nissl.annotators.spikes.own.screen.network import (
    CLASSES,
    ScreenNetwork,
    probabilities,
    to_int8,
    to_safetensors,
)
from nissl.annotators.spikes.own.screen.training import Plan, train
from nissl.annotators.spikes.own.screen.vicinity import nearest, vicinities
from nissl.annotators.spikes.simulate import simulate_truth
from nissl.labels.atomic import write_bytes

ANIMAL = "mouse1"
"""Whose units are learnt from; the other animals of that side are scored on."""
TRAIN, TEST = (200, 216), (240, 248)
"""Seeds, of which even ones are simulations and odd ones hybrids."""
SECONDS, TEST_SECONDS = 12.0, 20.0
MORE = 6000
SNR = (3.0, 16.0)
COPIES = 4

Values = npt.NDArray[np.float64]


def noise_background(rng: np.random.Generator) -> Background:
    """Background of four channels without spikes: pink and white, correlated over channels."""
    n, rate_hz = 240_000, 30_000.0
    f = np.fft.rfftfreq(n, 1 / rate_hz)
    size = np.sqrt(
        1 / (1 + (f / rng.uniform(300, 1500)) ** rng.uniform(1, 2)) + rng.uniform(0, 0.2)
    )
    draws = np.fft.irfft(
        np.fft.rfft(rng.standard_normal((n, 4)), axis=0) * size[:, None], n, axis=0
    )
    shared = draws.mean(axis=1, keepdims=True) * rng.uniform(0, 2)
    samples = (draws + shared + 0.3 * rng.standard_normal((n, 4))).astype(np.float32)
    return Background(samples, rate_hz, grid_um(4, pitch_um=25.0), "pink and white noise")


def copied(units: Sequence[HybridUnit], n: int) -> list[HybridUnit]:
    """Several of each unit, their trains turned against each other."""
    out = []
    for k in range(n):
        for unit in units:
            span = float(unit.times_s[-1] - unit.times_s[0]) + 1e-3
            late = (unit.times_s - unit.times_s[0] + span * k / n) % span
            out.append(replace(unit, name=f"{unit.name}/{k}", times_s=np.sort(late)))
    return out


def recording(
    seed: int, units: Sequence[HybridUnit], seconds: float, background: Background | None
) -> GroundTruth:
    """Recording of a seed: simulated (even) or hybrid (odd), of several kinds each."""
    turn = seed // 2
    if seed % 2 == 0:
        drift = (None, "rigid", None, "nonrigid")[turn % 4]
        return simulate_truth(seed, n_channels=32, duration_s=seconds, n_units=24, drift=drift)
    rng = np.random.default_rng(seed)
    tetrode = turn % 4 == 3
    n_channels, pitch_um, n = (4, 25.0, 6) if tetrode else (32, 20.0, 12)
    return build_hybrid(
        choose(units, n, rng),
        noise_background(rng) if background is None else background,
        grid_um(n_channels, pitch_um=pitch_um),
        seed=seed,
        duration_s=seconds,
        options=HybridOptions(snr=SNR, surrogate=True, amplitude_sd=0.1),
    )


def pools(data: Path) -> tuple[list[HybridUnit], list[HybridUnit]]:
    """Units that are learnt from, and units of other animals; all of the side to tune on."""
    tune, _ = split_by_animal(load_cellexplorer(data))
    own = [u for u in tune if u.animal == ANIMAL]
    return own, copied([u for u in tune if u.animal != ANIMAL], COPIES)


def examples(
    k: Known, events: Sequence[Events]
) -> tuple[npt.NDArray[np.float16], npt.NDArray[Any]]:
    """Windows and classes of events that are sure."""
    near = nearest(k.position_um)
    x, y = [], []
    for each in events:
        sure = each.kind != UNSURE
        x.append(vicinities(k.z, each.at[sure], each.channel[sure], near, k.rate_hz))
        y.append(each.kind[sure])
    return np.concatenate(x).astype(np.float16), np.concatenate(y)


def gathered(
    seeds: Sequence[int], units: Sequence[HybridUnit], folder: Path
) -> tuple[npt.NDArray[np.float16], npt.NDArray[Any]]:
    """Examples of recordings, made or from the folder."""
    xs, ys = [], []
    for seed in seeds:
        path = folder / f"examples-{seed}.npz"
        if not path.is_file():
            rng = np.random.default_rng([seed, 1])
            k = known(recording(seed, units, SECONDS, None), rng)
            x, y = examples(k, [events_of(k, rng), more_events(k, MORE, rng)])
            with path.open("wb") as file:
                np.savez(file, x=x, y=y)
        with np.load(path) as kept:
            xs.append(kept["x"])
            ys.append(kept["y"])
    return np.concatenate(xs), np.concatenate(ys)


def scores(
    network: ScreenNetwork, x: npt.NDArray[np.float16], y: npt.NDArray[Any]
) -> dict[str, float]:
    """Of artifacts that are told from the rest, and of spikes that are called artifacts."""
    p = probabilities(network(x.astype(np.float32))[:, 0])
    called = p.argmax(axis=1)
    confusion = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    np.add.at(confusion, (y, called), 1)
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    named = {
        f"{a} called {b}": share[i, j] for i, a in enumerate(CLASSES) for j, b in enumerate(CLASSES)
    }
    return {name: round(float(value), 4) for name, value in named.items()}


def write(folder: Path, network: ScreenNetwork, about: dict[str, Any]) -> None:
    """Write the weights in single precision and with eight bits, and the facts of the card."""
    folder.mkdir(parents=True, exist_ok=True)
    note = {"about": json.dumps(about, sort_keys=True)}
    write_bytes(folder / "screen.safetensors", to_safetensors(network.arrays, note))
    write_bytes(folder / "screen-int8.safetensors", to_safetensors(to_int8(network), note))
    text = json.dumps(about, sort_keys=True, indent=1) + "\n"
    write_bytes(folder / "card.json", text.encode())
    write_bytes(folder / "CARD.md", page(about).encode())


CARD = """# Model card: the screen of the sorter's events

Licence: {licence}. Seed: {seed}. {parameters} parameters.

Says of an event in white samples whether it is noise, a spike, an overlap of spikes or an artifact.
It sees 3.4 ms of the eight nearest channels and the level of all others.

Trained on {trained_on}.

Scored on {scored_on}. Rows are what an event is, columns what it is called:

{table}

## Where it may fail

Artifacts were made by rule, none is of a recording: those of your laboratory may look otherwise.
What it calls noise and spikes holds for events of the sorter's matched filter only.
On probes of one channel nothing tells a short artifact from a spike but its form.
Units with wide waveforms, as of dendrites, and of other species than mice were not in training.
"""


def page(about: Mapping[str, Any]) -> str:
    """The card for people."""
    said = about["scores"]
    rows = [["", *CLASSES], ["---"] * (len(CLASSES) + 1)]
    rows += [[a, *(f"{said[f'{a} called {b}']:.3f}" for b in CLASSES)] for a in CLASSES]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return CARD.format(table=table, **about)


def main(argv: Sequence[str] | None = None) -> int:
    """Make examples, train, score, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder with CellExplorer's units")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=Plan().steps)
    parser.add_argument("--width", type=int, default=Plan().width)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    own, other = pools(args.data)
    x, y = gathered(range(*TRAIN), own, args.out)
    plan = Plan(steps=args.steps, width=args.width)
    network = train(x, y, np.random.default_rng(args.seed), plan)
    test = gathered(range(*TEST), other, args.out)
    about = {
        "what": "screen of events of the sorter: noise, spike, overlap, artifact",
        "licence": "BSD-3-Clause",
        "trained_on": f"{len(x)} events of {TRAIN[1] - TRAIN[0]} recordings of {SECONDS:g} s: "
        "simulated ones, and hybrids of CellExplorer's tagged units (Petersen et al. 2021, BSD-3) "
        f"of animal {ANIMAL} in simulated noise; the second half of each with artifacts by rule",
        "scored_on": f"{len(test[0])} events of other seeds, hybrids of other animals",
        "scores": scores(network, *test),
        "seed": args.seed,
        "parameters": network.n_parameters,
        "plan": {"steps": plan.steps, "width": plan.width, "filters": plan.filters},
    }
    write(args.out / "weights", network, about)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
