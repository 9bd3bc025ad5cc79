"""Makes the shipped weights from simulations alone: ``python -m nissl.annotators.events.train``.

Backgrounds differ in slope, recordings in how strong their events are and in what else is in
them; the model is calibrated on recordings that it has not been fitted to.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.annotators.events.candidates import SIGMA, Search, candidates
from nissl.annotators.events.features import NAMES, SURROUND_S, Channel
from nissl.annotators.events.model import SpanModel, fitted
from nissl.annotators.events.seizure_features import baseline, features_of
from nissl.annotators.events.seizures import SeizureModel, fitted_seizures, operating_point
from nissl.annotators.events.simulate import simulate
from nissl.annotators.events.waves import WORK_HZ, Values, band, envelope
from nissl.trust.calibration import choose

VISIBLE = 2.0
HIT = 0.2
"""Intersection over union from which a candidate is an event."""
OTHERS = ("slow wave", "beta burst", "blink", "muscle", "interictal spike")
N_RECORDINGS = 60
UNUSED = ("skew", "gamma_over_surround", "gamma_over_record", "gamma_share")
"""Features the shipped models leave out: they change with the sign, or with muscle."""


def simulated_examples(
    kind: str, search: Search, seeds: range
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Candidates of simulated recordings: features, whether each is an event, and its recording."""
    values, label, group = [], [], []
    for seed in seeds:
        rng = np.random.default_rng([seed, 7])
        kinds = {kind: float(rng.uniform(1, 8))}
        kinds |= {other: float(rng.uniform(0.2, 6)) for other in OTHERS if other != kind}
        recording, truth = simulate(
            1000 + seed,
            kinds=kinds,
            duration_s=240.0,
            rate_hz=WORK_HZ,
            n_channels=2,
            slope=float(rng.uniform(0.8, 2.4)),
            snr=(1.5, 12.0),
        )
        own = truth.column("label") == truth.vocabulary.code(kind)
        for c in range(2):
            x = recording.signal.read(channels=[c])[:, 0].astype(np.float64)
            a, b = candidates(x, search)
            mine = np.flatnonzero(own & (truth.column("channel") == c))
            mine = mine[visible(x, truth.column("start")[mine], truth.column("stop")[mine], search)]
            hit = best_overlap(a, b, truth.column("start")[mine], truth.column("stop")[mine])
            values.append(Channel(x).measured(a, b))
            label.append((hit < HIT).astype(np.int64))
            group.append(np.full(a.size, seed, np.int64))
    return np.concatenate(values), np.concatenate(label), np.concatenate(group)


def visible(
    x: Values, start: npt.NDArray[np.int64], stop: npt.NDArray[np.int64], search: Search
) -> npt.NDArray[np.bool_]:
    """Whether a person would see planted events in the plain trace.

    The band's envelope peaks at no less than twice the standard deviation of the trace around it
    without its slow waves (4 to 30 Hz), on which spindles ride: a burst that only a filter brings
    out is none that a scorer marks.
    """
    strength = envelope(band(x, WORK_HZ, search.low_hz, search.high_hz))
    trace, wide = band(x, WORK_HZ, 4.0, 30.0), int(SURROUND_S * WORK_HZ)
    out = np.zeros(start.size, bool)
    for k, (a, b) in enumerate(zip(start.tolist(), stop.tolist(), strict=True)):
        around = np.concatenate([trace[max(a - wide, 0) : a], trace[b : b + wide]])
        out[k] = strength[a:b].max() >= VISIBLE * float(around.std())
    return out


def best_overlap(
    a: npt.NDArray[np.int64],
    b: npt.NDArray[np.int64],
    start: npt.NDArray[np.int64],
    stop: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Largest intersection over union of each span [a, b) with those of another list."""
    if not start.size or not a.size:
        return np.zeros(a.size)
    shared = np.minimum(b[:, None], stop) - np.maximum(a[:, None], start)
    union = (b - a)[:, None] + (stop - start) - shared
    return np.asarray(np.clip(shared / union, 0, None).max(axis=1))


def trained(kind: str, search: Search, *, n: int = N_RECORDINGS, seed: int = 0) -> SpanModel:
    """Model of one class of events from simulations, calibrated on a third of them."""
    values, label, group = simulated_examples(kind, search, range(n))
    names = tuple(name for name in NAMES if name not in UNUSED)
    values = values[:, [NAMES.index(name) for name in names]]
    rng = np.random.default_rng(seed)
    fit = group % 3 != 0
    model = fitted(
        values[fit],
        label[fit],
        np.ones(int(fit.sum())),
        classes=(kind, "nothing"),
        features=names,
        searches=(search,),
        rng=rng,
        trained_on=f"{len(label)} candidates of {n} simulated recordings",
    )
    held = ~fit
    groups = [str(g) for g in group[held]]
    calibration, _ = choose(model.raw(values[held]), label[held], groups, rng=rng)
    return replace(model, calibration=calibration)


def trained_seizures(*, n: int = 24, seed: int = 0) -> SeizureModel:
    """Model of seizures from simulations: windows of two thirds, operating point of the rest."""
    rng = np.random.default_rng(seed)
    values, label = zip(*(_seizure_record(k) for k in range(n)), strict=True)
    cut = 2 * n // 3
    model = fitted_seizures(
        np.concatenate(values[:cut]),
        np.concatenate(label[:cut]),
        rng=rng,
        trained_on=f"{sum(map(len, label[:cut]))} s of {cut} simulated records",
    )
    peaks, hit = [], []
    for own, truth in zip(values[cut:], label[cut:], strict=True):
        odds = model.log_odds(own)
        a, b = replace(model, threshold=-2.0).events(odds)
        peaks += [float(odds[i:j].max()) for i, j in zip(a, b, strict=True)]
        hit += [bool(np.any(truth[i:j] == 0)) for i, j in zip(a, b, strict=True)]
    found, right = np.array(peaks), np.array(hit)
    hours = sum(map(len, label[cut:])) / 3600
    threshold = operating_point(found[~right], hours, least=0.0)
    return replace(model, threshold=threshold, event=_line(found, right))


def _line(peaks: Values, right: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept of the log odds that an event is right."""
    from sklearn.linear_model import LogisticRegression

    if right.all() or not right.any():
        return float("nan"), float("nan")
    line = LogisticRegression(C=1.0).fit(peaks[:, None], right)
    return float(line.coef_[0, 0]), float(line.intercept_[0])


def _seizure_record(seed: int) -> tuple[Values, npt.NDArray[np.int64]]:
    """Deviations of windows of a simulated record from its baseline; 0 where a seizure is."""
    rng = np.random.default_rng([seed, 11])
    others = ("blink", "muscle", "interictal spike", "spindle", "slow wave", "beta burst")
    kinds = {"seizure": float(rng.uniform(0.02, 0.12))}
    kinds |= {other: float(rng.uniform(0.2, 4)) for other in others}
    recording, truth = simulate(
        2000 + seed,
        kinds=kinds,
        duration_s=1200.0,
        rate_hz=256.0,
        n_channels=4,
        slope=float(rng.uniform(1.0, 2.2)),
        snr=(2.0, 8.0),
    )
    signal = recording.signal
    values = np.concatenate(list(features_of(signal, 0, signal.n_samples, range(4))))
    middle, scale = baseline(values)
    own = truth.column("label") == truth.vocabulary.code("seizure")
    label = np.ones(len(values), np.int64)
    edges = zip(truth.column("start")[own], truth.column("stop")[own], strict=True)
    for a, b in edges:
        label[int(a / signal.rate_hz) : int(b / signal.rate_hz)] = 0
    return (values - middle) / scale, label


def main() -> None:
    """Write the weights into the package's source folder."""
    folder = Path(__file__).parent / "weights"
    folder.mkdir(exist_ok=True)
    (folder / "spindles.json").write_bytes(trained("spindle", SIGMA).to_bytes())
    (folder / "seizures.json").write_bytes(trained_seizures().to_bytes())


if __name__ == "__main__":
    main()
