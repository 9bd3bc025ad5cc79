"""What `pretraining.py` computes: data, ways to learn from few labels, new subjects."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.sleep.score import agreement
from nissl.annotators.sleep.simulate import EPOCH_S, simulate_night
from nissl.data import Signal
from nissl.nets.adaptation import adapted, renormalised
from nissl.nets.pretraining import OBJECTIVES, Pretraining, pretrain_windows
from nissl.nets.softmax import Head, fit_head
from nissl.nets.training import Recipe, Windows
from nissl.nets.windows import Grid, read_window, scale_of

Values = npt.NDArray[np.float64]

MINUTES = (1, 5, 20)
NEW_LABELS = 20
STRENGTH = 1.0
"""Of the examples against a prior of zero: the usual default, for all features alike; changed
once, from 0.1 on scaled features, after a trial run on one fold."""
SSVEP_CODES = {2: 0, 4: 1, 3: 2}  # 13, 17 and 21 Hz
SSVEP_HZ = (13.0, 17.0, 21.0)
CUE_S = 2.0
NIGHT_CHANNELS = ("EEG Fpz-Cz", "EEG Pz-Oz", "EOG horizontal")


@dataclass(frozen=True, eq=False)
class Data:
    """Labelled windows, and further ones without labels.

    Parameters
    ----------
    x : ndarray, shape (n, n_channels, n_samples), float32
    y : ndarray, shape (n,), int64
    subject : ndarray of str, shape (n,)
    bare : ndarray, shape (m, n_channels, n_samples), float32
        Windows for pretraining; of them the labels are not used.
    bare_subject : ndarray of str, shape (m,)
    grid : Grid
    """

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64]
    subject: npt.NDArray[np.str_]
    bare: npt.NDArray[np.float32]
    bare_subject: npt.NDArray[np.str_]
    grid: Grid

    def of(self, subjects: list[str]) -> Data:
        """What belongs to some subjects."""
        a, b = np.isin(self.subject, subjects), np.isin(self.bare_subject, subjects)
        return Data(
            self.x[a], self.y[a], self.subject[a], self.bare[b], self.bare_subject[b], self.grid
        )

    @property
    def subjects(self) -> list[str]:
        """Names, sorted."""
        return sorted(set(self.subject.tolist()))


def ssvep(folder: Path, subjects: int) -> Data:
    """Steady-state responses to three frequencies; 3 s of each trial after its cue."""
    grid = Grid(128.0, 3.0, 3.0)
    parts: list[tuple[Any, ...]] = []
    for path in sorted((folder / "eeg" / "ssvep_exo").glob("*.npz"))[: 2 * subjects]:
        with np.load(path, allow_pickle=False) as file:
            samples = (file["X"].T * float(file["scale_uV"])).astype(np.float32)
            rate, events = float(file["fs"]), file["events"]
        from scipy.signal import butter, sosfiltfilt

        band = butter(4, (2, 45), "bandpass", fs=rate, output="sos")
        signal = Signal.from_array(sosfiltfilt(band, samples, axis=0).astype(np.float32), rate)
        scale = scale_of(signal)
        events = events[np.isin(events[:, 2], list(SSVEP_CODES))]
        at = events[:, 0] + round(CUE_S * rate)
        bare = np.concatenate(grid.starts(signal))
        parts.append(
            (
                np.stack([read_window(signal, int(a), grid, scale) for a in at]),
                np.array([SSVEP_CODES[int(code)] for code in events[:, 2]], np.int64),
                np.full(len(at), path.name[:5]),
                np.stack([read_window(signal, int(a), grid, scale) for a in bare]),
                np.full(len(bare), path.name[:5]),
            )
        )
    return Data(*(np.concatenate(part) for part in zip(*parts, strict=True)), grid)


def nights(subjects: int, hours: float) -> Data:
    """Simulated nights, each by a device of its own: another slope, polarity and noise."""
    grid = Grid(100.0, EPOCH_S, EPOCH_S)
    xs, ys, who = [], [], []
    for seed in range(subjects):
        recording, truth = simulate_night(100 + seed, hours=hours, channels=NIGHT_CHANNELS)
        rng = np.random.default_rng([7, seed])
        samples = recording["signal"].read().astype(np.float64)
        tilt, noise = rng.uniform(-0.6, 0.6, samples.shape[1]), rng.uniform(5, 25)
        samples[1:] = samples[1:] - tilt * samples[:-1]
        samples = samples * rng.choice([-1, 1]) + noise * rng.standard_normal(samples.shape)
        signal = Signal.from_array(samples.astype(np.float32), 100.0)
        scale, starts = scale_of(signal), grid.starts(signal)[0]
        xs.append(np.stack([read_window(signal, int(a), grid, scale) for a in starts]))
        ys.append(truth.column("label").astype(np.int64))
        who.append(np.full(len(starts), f"simulated-{seed:02d}"))
    x, subject = np.concatenate(xs), np.concatenate(who)
    return Data(x, np.concatenate(ys), subject, x, subject, grid)


def plan(data: Data, objective: str, quick: bool) -> Pretraining:
    """Settings, fixed before anything was scored, and smaller with `quick`."""
    strides = (5, 4, 4) if data.grid.length_s > 10 else (2, 2, 2)
    recipe = Recipe(epochs=2 if quick else 12, patience=4, batch=64)
    most = 300 if quick else 1500
    return Pretraining(objective, data.grid, width=16, strides=strides, recipe=recipe, most=most)


def encoders(data: Data, *, quick: bool, seed: int) -> dict[str, Any]:
    """Encoder of each objective, and one that has learnt nothing."""
    from nissl.nets.backend import seeded
    from nissl.nets.encoder import Encoder, EncoderSettings

    out = {}
    for objective in OBJECTIVES:
        how = plan(data, objective, quick)
        rng = np.random.default_rng([seed, 1])
        flat = data.bare.reshape(-1, data.bare.shape[2])
        of = np.unique(np.repeat(data.bare_subject, data.bare.shape[1]), return_inverse=True)[1]
        rows = np.sort(rng.permutation(len(flat))[: how.most])
        out[objective] = pretrain_windows(flat[rows], of[rows], how, rng=rng).net
    rng = np.random.default_rng([seed, 2])
    with seeded(rng):
        bare = Encoder(EncoderSettings(how.width, how.strides))
    out["untrained"] = renormalised(bare, data.bare[:64].reshape(-1, 1, data.bare.shape[2]))
    return out


def features(encoder: Any, x: npt.NDArray[np.float32]) -> Values:
    """Features of every channel beside each other."""
    import torch

    n, _, t = x.shape
    with torch.no_grad():
        parts = [
            encoder(torch.as_tensor(part.reshape(-1, 1, t))).numpy()
            for part in np.array_split(x, max(1, n // 64))
        ]
    return np.concatenate(parts).reshape(n, -1).astype(np.float64)


def powers(x: npt.NDArray[np.float32], rate_hz: float) -> Values:
    """Logarithm of power of each channel, in 16 bands below 45 Hz: what people would compute."""
    from scipy.signal import welch

    frequency, density = welch(x, rate_hz, nperseg=min(x.shape[2], round(2 * rate_hz)), axis=2)
    edges = np.linspace(0.5, 45, 17)
    bands = [
        density[:, :, (frequency >= a) & (frequency < b)].mean(axis=2) for a, b in pairwise(edges)
    ]
    return np.log(np.stack(bands, axis=2) + 1e-6).reshape(len(x), -1)


class Scaled:
    """A head with the scale of the features that it was fitted on."""

    def __init__(self, x: Values, y: npt.NDArray[np.int64], n_classes: int) -> None:
        self.centre, spread = x.mean(axis=0), x.std(axis=0)
        self.spread = np.where(spread > 1e-9, spread, 1.0)
        self.head = fit_head(self.scaled(x), y, np.ones(len(y)), n_classes, strength=STRENGTH)

    def scaled(self, x: Values) -> Values:
        """Features on that scale."""
        return np.asarray((x - self.centre) / self.spread)

    def say(self, x: Values, head: Head | None = None) -> npt.NDArray[np.int64]:
        """Codes."""
        return np.asarray((head or self.head).scores(self.scaled(x)).argmax(axis=1))


def drawn(data: Data, minutes: float, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """So many minutes of labelled windows, or all there are; one of each class at least."""
    n = min(len(data.y), max(data.y.max() + 1, round(minutes * 60 / data.grid.length_s)))
    order = rng.permutation(len(data.y))
    turn = np.empty(len(order), int)
    for code in np.unique(data.y):
        own = order[data.y[order] == code]
        turn[own] = np.arange(len(own))
    return np.sort(order[np.argsort(turn[order], kind="stable")][:n])


def by_subject(said: npt.NDArray[np.int64], new: Data) -> dict[str, float]:
    """Kappa of each new subject."""
    return {
        one: agreement(said[new.subject == one], new.y[new.subject == one])["kappa"]
        for one in new.subjects
    }


def fold(known: Data, new: Data, *, quick: bool, seed: int) -> dict[str, Any]:
    """Scores of every way with every number of labels, and of adaptations; by new subject."""
    import torch

    from nissl.nets.finetuning import finetuned

    k = int(max(known.y.max(), new.y.max())) + 1
    nets = encoders(known, quick=quick, seed=seed)
    views = {name: (features(net, known.x), features(net, new.x)) for name, net in nets.items()}
    rate = known.grid.rate_hz
    views["band powers"] = powers(known.x, rate), powers(new.x, rate)
    ways: dict[str, dict[str, dict[str, float]]] = {}
    recipe = Recipe(epochs=2 if quick else 20, batch=16)
    for minutes in MINUTES[:1] if quick else MINUTES:
        rows = drawn(known, minutes, np.random.default_rng([seed, minutes]))
        for name, (a, b) in views.items():
            said = Scaled(a[rows], known.y[rows], k).say(b)
            ways.setdefault(name, {})[str(minutes)] = by_subject(said, new)
        few = Windows(known.x[rows], known.y[rows])
        for name, start in (("from scratch", nets["untrained"].settings), ("fine-tuned", None)):
            rng = np.random.default_rng([seed, minutes, 3])
            net = finetuned(start or nets["masked"], few, n_classes=k, rng=rng, recipe=recipe).net
            with torch.no_grad():
                parts = np.array_split(new.x, max(1, len(new.x) // 64))
                said = np.concatenate([net(torch.as_tensor(p)).argmax(1).numpy() for p in parts])
            ways.setdefault(name, {})[str(minutes)] = by_subject(said, new)
    return {"ways": ways, "new": new_subjects(nets["pairs"], known, new, k, seed)}


def new_subjects(
    encoder: Any, known: Data, new: Data, k: int, seed: int
) -> dict[str, dict[str, float]]:
    """Adaptations without labels, beside none and beside `NEW_LABELS` labels; all on the rest."""
    rows = drawn(known, MINUTES[1], np.random.default_rng([seed, 9]))
    out: dict[str, dict[str, float]] = {}
    a = features(encoder, known.x)
    for one in new.subjects:
        own = new.of([one])
        asked = drawn(own, NEW_LABELS * own.grid.length_s / 60, np.random.default_rng([seed, 4]))
        rest = np.setdiff1d(np.arange(len(own.y)), asked)
        b = features(encoder, own.x)
        plain = Scaled(a[rows], known.y[rows], k)
        said = {"none": plain.say(b)}
        for how in ("recentred", "standardised"):
            theirs = adapted(a, known.subject, how)
            said[how] = Scaled(theirs[rows], known.y[rows], k).say(
                adapted(b, np.zeros(len(b)), how)
            )
        flat = own.x.reshape(-1, 1, own.x.shape[2])
        said["normalisation counted anew"] = plain.say(features(renormalised(encoder, flat), own.x))
        few = fit_head(
            plain.scaled(b[asked]),
            own.y[asked],
            np.ones(len(asked)),
            k,
            before=plain.head,
            strength=STRENGTH,
        )
        said[f"{NEW_LABELS} labels"] = plain.say(b, few)
        for name, codes in said.items():
            kappa = agreement(codes[rest], own.y[rest])["kappa"]
            out.setdefault(name, {})[one] = kappa
    return out


def correlations(new: Data) -> dict[str, float]:
    """Canonical correlation with sines of each frequency, no labels: the floor for SSVEP.

    Lin, Zhang, Wu and Gao 2006, IEEE Trans. Biomed. Eng. 53; two harmonics.
    """
    t = np.arange(new.x.shape[2]) / new.grid.rate_hz
    bases = []
    for f in SSVEP_HZ:
        waves = [g(2 * np.pi * h * f * t) for h in (1, 2) for g in (np.sin, np.cos)]
        bases.append(np.linalg.qr(np.stack(waves, axis=1))[0])
    said = []
    for x in new.x:
        own = np.linalg.qr((x - x.mean(axis=1, keepdims=True)).T)[0]
        said.append(np.argmax([np.linalg.norm(own.T @ b, 2) for b in bases]))
    return by_subject(np.array(said), new)
