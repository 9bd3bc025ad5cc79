"""The measurements of `live.py`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
from sklearn.metrics import cohen_kappa_score, f1_score

from _events_spindles import Record, f1, scored
from nissl.annotators.decoding.csp import CommonPatterns
from nissl.annotators.decoding.methods import Taught
from nissl.annotators.decoding.riemann import TangentSpace
from nissl.annotators.decoding.windows import Windowing
from nissl.annotators.events.simulate import simulate
from nissl.annotators.sleep.causal import causal_examples
from nissl.annotators.sleep.fitting import SHAPE, SHARE_OF_COLUMNS
from nissl.annotators.sleep.sleep_edf import examples_of, read_nights
from nissl.annotators.trees import boosted, raw_scores
from nissl.data import Signal
from nissl.live import Claim, LiveMethod, StreamInfo, live_method, offline
from nissl.live.decoding import LiveDecoder
from nissl.tasks import ANNOTATORS, Examples
from nissl.trust.intervals import bootstrap_interval

RATE_HZ, N_CHANNELS = 256.0, 64
CHUNK = 26  # 100 ms
METHODS: Mapping[str, Mapping[str, Any]] = {
    "sleep/nissl": {},
    "events/spindles": {},
    "events/bursts": {},
    "events/slow-waves": {},
    "decoding/csp": {"every_s": 0.5},
    "decoding/riemann": {"every_s": 0.5},
    "events/spindles, windowed": {"windowed": True},
    "events/spikes-interictal": {},
    "events/suppression": {},
    "events/seizures": {},
    "events/artifacts": {},
}
CAUSAL = tuple(METHODS)[:6]
SIZES = (1, 7, 26, 1000)


def stream() -> StreamInfo:
    """64 channels of EEG, two of them those that sleep is trained on."""
    ids = ["Fpz-Cz", "Pz-Oz", *(f"E{k}" for k in range(N_CHANNELS - 2))]
    return StreamInfo.plain(ids, RATE_HZ)


def eeg(seconds: float, seed: int = 0) -> npt.NDArray[np.float32]:
    """Noise like a 1/f background, with a second of 13 Hz in every five."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE_HZ)
    slow = np.cumsum(rng.standard_normal((n, N_CHANNELS)), axis=0)
    slow -= np.linspace(0, 1, n)[:, None] * slow[-1]
    x = 10 * rng.standard_normal((n, N_CHANNELS)) + 2 * slow
    t = np.arange(n) / RATE_HZ
    burst = np.sin(2 * np.pi * 13 * t) * np.maximum(np.sin(2 * np.pi * t / 2), 0) ** 2
    x += (40 * burst * (t % 5 < 1))[:, None]
    return x.astype(np.float32)


def built(name: str) -> LiveMethod:
    """A fresh method by its name in `METHODS`."""
    own = dict(METHODS[name])
    if not name.startswith("decoding"):
        return live_method(name.partition(",")[0], stream(), own)
    rng = np.random.default_rng(0)
    settings = Windowing(RATE_HZ, 0.0, 2.0, (8.0, 30.0))
    x, y = rng.standard_normal((60, N_CHANNELS, settings.n_samples)), np.arange(60) % 2
    estimator = CommonPatterns() if name.endswith("csp") else TangentSpace()
    fitted = estimator.fit(x, y, rng=rng)
    taught = Taught(settings, stream().channels.ids, ("a", "b"), fitted, None)
    return LiveDecoder(stream(), taught, name=name, every_s=own["every_s"])


def chunks(x: npt.NDArray[np.float32], size: int) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """First sample and samples of each chunk."""
    for a in range(0, len(x), size):
        yield a, x[a : a + size]


def speed(*, quick: bool) -> dict[str, Any]:
    """Milliseconds per chunk of 100 ms, once the window is full.

    Methods that search beside the stream get their chunks when they would come, 100 ms apart.
    """
    out = {}
    for name in METHODS:
        method = built(name)
        fill = float(method.parameters.get("window_s", 30.0))
        x = eeg(fill + (20.0 if quick or name not in CAUSAL else 120.0))
        took, worked, begun = [], [], round(fill * RATE_HZ)
        due, all_threads = 0.0, 0.0
        for a, chunk in chunks(x, CHUNK):
            if a <= begun:
                due, all_threads = time.perf_counter(), time.process_time()
            elif name not in CAUSAL:
                due += CHUNK / RATE_HZ
                time.sleep(max(0.0, due - time.perf_counter()))
            start, own = time.perf_counter(), time.thread_time()
            method.push(chunk, a)
            if a > begun:
                took.append(1e3 * (time.perf_counter() - start))
                worked.append(1e3 * (time.thread_time() - own))
        whole = 1e3 * (time.process_time() - all_threads)
        out[name] = {
            "p50": float(np.median(took)),
            "p99": float(np.percentile(took, 99)),
            "max": float(max(took)),
            "cpu_p99": float(np.percentile(worked, 99)),
            "cpu_mean": whole / len(took),
            "latency_s": method.latency_s,
        }
        print(f"speed {name}: {out[name]}", flush=True)
    return out


def equality(*, quick: bool) -> dict[str, Any]:
    """Whether claims are the same to the last bit for chunks of several sizes, and offline."""
    x = eeg(45.0 if quick else 90.0, seed=1)
    recording = Signal.from_array(x, RATE_HZ, channels=stream().channels)
    out = {}
    for name in CAUSAL:
        wanted = repr(offline(built(name), recording))
        same = []
        for size in SIZES:
            method = built(name)
            said = [c for a, chunk in chunks(x, size) for c in method.push(chunk, a)]
            same.append(repr(said) == wanted)
        out[name] = {"equal": all(same), "claims": wanted.count("Claim(")}
        print(f"equality {name}: {out[name]}", flush=True)
    return out


def memory(*, minutes: int) -> dict[str, Any]:
    """Resident memory while spindles and sleep run together, minute by minute, MB."""
    x = eeg(60.0, seed=2)
    methods = [built("events/spindles"), built("sleep/nissl")]
    process, row, position = psutil.Process(), [], 0
    for _ in range(minutes):
        for _, chunk in chunks(x, CHUNK):
            for method in methods:
                method.push(chunk, position)
            position += len(chunk)
        row.append(process.memory_info().rss / 1e6)
    return {"minutes": minutes, "mb": row, "growth_mb": row[-1] - row[min(4, minutes - 1)]}


def accuracy_sleep(train: Path, test: Path, same: bool, *, quick: bool) -> dict[str, Any]:
    """Cohen's kappa and F1 by stage with features that look backwards, and around."""
    learn, held = (read_nights(folder / "eeg" / "sleep_edf") for folder in (train, test))
    if quick:
        learn, held = learn[:6], held[:6]
    out: dict[str, Any] = {}
    for name, made in (("live", causal_examples), ("offline", examples_of)):
        a, b = made(learn), made(held)
        said = np.full(len(b), -1)
        for subject in sorted(set(b.features.subject)):
            own = np.asarray(b.features.subject) == subject
            others = np.asarray(a.features.subject) != subject if same else np.ones(len(a), bool)
            said[own] = _trees(a, others, b.features.values[own])
        out[name] = _kappa(said, b)
        print(f"sleep {name}: {out[name]['kappa']:.3f}", flush=True)
    return out


def _trees(a: Examples, rows: npt.NDArray[np.bool_], x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    n = int(rows.sum())
    values, label = a.features.values[rows], a.label[rows]
    text = boosted(values, label, np.ones(n), SHAPE, 5, 0, columns=SHARE_OF_COLUMNS)
    return raw_scores(text, x).argmax(axis=1)


def _kappa(said: npt.NDArray[Any], b: Examples) -> dict[str, Any]:
    subject = np.asarray(b.features.subject)
    each = [
        float(cohen_kappa_score(b.label[subject == s], said[subject == s]))
        for s in sorted(set(b.features.subject))
    ]
    interval = bootstrap_interval(np.asarray(each), rng=np.random.default_rng(0))
    return {
        "kappa": float(cohen_kappa_score(b.label, said)),
        "f1": f1_score(b.label, said, average=None, labels=range(5)).tolist(),
        "subjects": len(each),
        "mean_of_subjects": [interval.low, interval.estimate, interval.high],
    }


def _spans(claims: list[Claim]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    start = np.asarray([c.start for c in claims], np.int64)
    return start, np.asarray([c.stop for c in claims], np.int64)


def _annotated(name: str, signal: Signal) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """What the offline detector finds, with its defaults."""
    method: Any = ANNOTATORS.get(name)
    found = method.detect(signal, 0, signal.n_samples, [0], method.defaults())
    return found.start, found.stop


def accuracy_events(test: Path, *, seeds: int) -> dict[str, Any]:
    """F1 of spindles on DREAMS; of three kinds on simulations, live and offline."""
    record = Record.read(test)
    signal = record.signal
    out: dict[str, Any] = {"dreams": {}, "simulated": {}}
    live = offline(live_method("events/spindles", StreamInfo.of(signal)), signal)
    runs = {"live": _spans(live)}
    runs |= {name: _annotated(name, signal) for name in ("events/spindles", "events/yasa-spindles")}
    for name, spans in runs.items():
        out["dreams"][name] = scored(spans, record.references["union"], signal.rate_hz, 1000.0)
    cases = {"spindle": ("events/spindles", 4.0, 6.0), "beta burst": ("events/bursts", 20.0, 3.0),
             "slow wave": ("events/slow-waves", 4.0, 5.0)}  # fmt: skip
    for kind, (name, rate, snr) in cases.items():
        rows: dict[str, list[float]] = {"live": [], "offline": []}
        delays = []
        for seed in range(seeds):
            recording, truth = simulate(
                100 + seed, kinds={kind: rate}, duration_s=300.0, n_channels=1, snr=snr
            )
            signal = recording[next(iter(recording))]
            wanted = truth.column("start"), truth.column("stop")
            claims = offline(live_method(name, StreamInfo.of(signal)), signal)
            rows["live"].append(f1(_spans(claims), wanted, 0.2)[0])
            rows["offline"].append(f1(_annotated(name, signal), wanted, 0.2)[0])
            delays += [(c.known_at - c.stop) / signal.rate_hz for c in claims]
        out["simulated"][kind] = {
            "live": float(np.mean(rows["live"])),
            "offline": float(np.mean(rows["offline"])),
            "known_after_s": float(np.median(delays)) if delays else None,
        }
        print(f"simulated {kind}: {out['simulated'][kind]}", flush=True)
    return out
