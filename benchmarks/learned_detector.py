"""The sorter's learned screen against its matched filter, and with it against without.

``python benchmarks/learned_detector.py NETWORK [NETWORK ...] --data FOLDER --out FILE`` takes
files of weights that `nissl.annotators.spikes.own.screen.train` wrote (several seeds), makes the
recordings that it is scored on, and writes JSON: recall by signal-to-noise ratio at equal false
alarms, artifacts called artifacts, and with ``--units`` what discovery makes of contaminated
recordings.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nissl.annotators.spikes.background import load_locust
from nissl.annotators.spikes.own.finding.detection import (
    APART_S,
    APART_UM,
    _peaks,
    footprints,
    matched,
)
from nissl.annotators.spikes.own.finding.discovery import learn_shapes
from nissl.annotators.spikes.own.preprocessing.whitening import neighbours
from nissl.annotators.spikes.own.screen.artifacts import Screen, silenced
from nissl.annotators.spikes.own.screen.examples import (
    ARTIFACT,
    NOISE,
    OVERLAP,
    SPIKE,
    Known,
    assigned,
    events_of,
    known,
)
from nissl.annotators.spikes.own.screen.network import (
    ScreenNetwork,
    from_arrays,
    from_safetensors,
    probabilities,
)
from nissl.annotators.spikes.own.screen.train import TEST, TEST_SECONDS, pools, recording
from nissl.annotators.spikes.own.screen.vicinity import LENGTH, N_NEAR, nearest, vicinities
from nissl.annotators.spikes.own.windows import Windows

BANDS = ((0, 4), (4, 6), (6, 8), (8, 12), (12, 1000))
THRESHOLDS = (5.2, 4.5)
LOW = 3.6
DENSE_S = 0.5


def load(path: Path) -> ScreenNetwork:
    """Read a network."""
    return from_arrays(from_safetensors(path.read_bytes()))


def contaminated(data: Path, seed: int, seconds: float) -> Known:
    """Recording of a seed; the noise of hybrids is like the locust's."""
    _, other = pools(data)
    made = recording(seed, other, seconds, load_locust(data))
    return known(made, np.random.default_rng([seed, 1]))


def spike_score(network: ScreenNetwork, k: Known, at: Any, channel: Any) -> Any:
    """Log odds of a spike or overlap against noise and artifact."""
    x = vicinities(k.z, at, channel, nearest(k.position_um), k.rate_hz)
    p = np.concatenate(
        [probabilities(network(x[i : i + 4096])[:, 0]) for i in range(0, len(x), 4096)]
    )
    spike = p[:, SPIKE] + p[:, OVERLAP]
    return np.log(np.maximum(spike, 1e-9)) - np.log(np.maximum(1 - spike, 1e-9)), p


def dense(network: ScreenNetwork, k: Known, stop: int) -> Any:
    """The network at every sample and channel as a detector: local maxima of its log odds."""
    near = nearest(k.position_um)
    n_channels, half = k.z.shape[1], LENGTH // 2
    z = np.pad(k.z[:stop], ((half, half), (0, 0)))
    total = np.sum(z * z, axis=1)
    out = np.empty((stop, n_channels), np.float32)
    block = round(DENSE_S * k.rate_hz)
    for start in range(0, stop, block):
        part = slice(start, min(start + block, stop) + 2 * half)
        x = np.zeros((n_channels, N_NEAR + 1, part.stop - part.start), np.float32)
        for c in range(n_channels):
            own = near[c][near[c] >= 0]
            x[c, : own.size] = z[part, own].T
            far = n_channels - own.size
            if far:
                rest = np.maximum(total[part] - np.sum(x[c, : own.size] ** 2, axis=0), 0)
                x[c, -1] = np.sqrt(rest / far)
        np.arcsinh(x, out=x)
        for c in range(n_channels):
            logits = network(x[c : c + 1])[0]
            spike = np.logaddexp(logits[:, SPIKE], logits[:, OVERLAP])
            rest = np.logaddexp(logits[:, NOISE], logits[:, ARTIFACT])
            out[start : part.stop - 2 * half, c] = spike - rest
    reach = max(1, round(APART_S * k.rate_hz))
    return _peaks(out + 20, neighbours(k.position_um, APART_UM), 12.0, reach, 0)


def curve(score: Any, spike: Any, seconds: float, false_per_s: float) -> Any:
    """Numbers of the true spikes found where as many false alarms are let through."""
    order = np.argsort(-score, kind="stable")
    false = np.cumsum(spike[order] < 0)
    n = int(np.searchsorted(false, false_per_s * seconds, side="right"))
    found = spike[order[:n]]
    return found[found >= 0]


def by_band(k: Known, found: Any) -> list[list[int]]:
    """Found and true spikes of the clean part, by band of signal-to-noise ratio."""
    clean = np.flatnonzero(k.at < k.clean)
    snr = k.snr[k.unit[clean]]
    hit = np.isin(clean, found)
    return [
        [int(np.sum(hit[(snr >= a) & (snr < b)])), int(np.sum((snr >= a) & (snr < b)))]
        for a, b in BANDS
    ]


def detection(k: Known, networks: dict[str, ScreenNetwork], seed: int, with_dense: bool) -> Any:
    """Recall of every detector on the clean part of a recording, at equal false alarms."""
    rng = np.random.default_rng(seed)
    windows, seconds = Windows.at(k.rate_hz), k.clean / k.rate_hz
    z = k.z[: k.clean]
    shapes = learn_shapes(z, k.position_um, k.rate_hz, windows, rng)
    reach = max(1, round(APART_S * k.rate_hz))
    prints, near = footprints(k.position_um), neighbours(k.position_um, APART_UM)
    began = time.process_time()
    found = matched(z, shapes.basis, shapes.prototypes, prints, near, LOW, windows.before, reach)
    times = {"matched": time.process_time() - began}
    spike = assigned(k, found.at, found.channel, found.score)
    rows: dict[str, Any] = {"events": int(found.at.size), "seconds": seconds}
    limits = [float(np.sum((found.score >= t) & (spike < 0)) / seconds) for t in THRESHOLDS]
    rows["false_per_s"] = limits
    answers = {"matched": (found.score, spike)}
    for name, network in networks.items():
        began = time.process_time()
        odds, _ = spike_score(network, k, found.at, found.channel)
        times[f"rescored {name}"] = time.process_time() - began
        answers[f"rescored {name}"] = (odds, assigned(k, found.at, found.channel, odds))
        if with_dense:
            began = time.process_time()
            own = dense(network, k, k.clean)
            times[f"dense {name}"] = time.process_time() - began
            answers[f"dense {name}"] = (own.score, assigned(k, own.at, own.channel, own.score))
    rows["cpu_s"] = times
    rows["recall"] = {
        name: [by_band(k, curve(score, s, seconds, limit)) for limit in limits]
        for name, (score, s) in answers.items()
    }
    return rows


def classes(k: Known, networks: dict[str, ScreenNetwork], seed: int) -> Any:
    """What events of the contaminated part are called, and what a rule of thumb calls them."""
    events = events_of(k, np.random.default_rng(seed), 5.2)
    late = (events.at >= k.clean) & (events.kind >= 0)
    at, channel, kind = events.at[late], events.channel[late], events.kind[late]
    out: dict[str, Any] = {"n": np.bincount(kind, minlength=4).tolist()}
    x = np.sinh(vicinities(k.z, at, channel, nearest(k.position_um), k.rate_hz))
    answers = {"far level": x[:, -1, LENGTH // 2 - 3 : LENGTH // 2 + 4].max(axis=1)}
    for name, network in networks.items():
        _, p = spike_score(network, k, at, channel)
        answers[name] = p[:, ARTIFACT]
        out[f"called {name}"] = [
            float(np.mean(p[kind == c, ARTIFACT] >= 0.5)) if np.any(kind == c) else None
            for c in range(4)
        ]
    true = (kind == SPIKE) | (kind == OVERLAP)
    for name, value in answers.items():
        if true.any() and (kind == ARTIFACT).any():
            limit = np.quantile(value[true], [0.99, 0.95])
            out[f"caught {name}"] = [float(np.mean(value[kind == ARTIFACT] > v)) for v in limit]
    return out


def units(k: Known, screened: bool, seed: int) -> Any:
    """Units that discovery finds, with truth: how many are artifacts, and how many are true.

    Without the screen long tails are let through as well.
    """
    from unittest.mock import patch

    from nissl.annotators.spikes.own.finding import discovery

    began = time.process_time()
    rng = np.random.default_rng(seed)
    test = discovery.compact if screened else (lambda t, _: np.ones(len(t), bool))
    with patch.object(discovery, "compact", test):
        found = discovery.discover(k.z, k.position_um, k.rate_hz, rng, screened=screened)
    cpu_s = time.process_time() - began
    if found is None:
        return None
    units_found, spikes = found
    z = silenced(k.z, Screen.on(k.position_um, k.rate_hz)) if screened else k.z
    reach = round(0.5e-3 * k.rate_hz)
    true = [np.sort(k.at[k.unit == u]) for u in range(len(k.waveforms))]
    best = np.zeros((len(units_found), len(true)))
    share = np.zeros(len(units_found))
    peak = np.abs(k.added)
    for i in range(len(units_found)):
        at = spikes.at[spikes.unit == i]
        apart = np.full((at.size, len(true)), np.inf)
        for u, own in enumerate(true):
            if own.size:
                j = (
                    np.clip(np.searchsorted(own, at), 1, max(own.size - 1, 1))
                    if own.size > 1
                    else 0
                )
                apart[:, u] = np.minimum(
                    np.abs(own[j] - at), np.abs(own[np.maximum(np.asarray(j) - 1, 0)] - at)
                )
            hits = np.sum(apart[:, u] <= reach)
            best[i, u] = hits / max(at.size + own.size - hits, 1)
        near = np.abs(k.position_um - k.position_um[units_found.main[i]]).max(axis=1) <= 40
        soiled = np.array([peak[max(a - 15, 0) : a + 16, near].max(initial=0) > 3 for a in at])
        share[i] = np.mean(soiled) if at.size else 0
    accuracy = best.max(axis=0, initial=0)
    matched_unit = best.max(axis=1, initial=0) >= 0.3
    artifact = ~matched_unit & (share > 0.8)
    return {
        "units": len(units_found),
        "artifacts": int(artifact.sum()),
        "neither": int(np.sum(~matched_unit & ~artifact)),
        "true_above_half": int(np.sum(accuracy >= 0.5)),
        "accuracy": float(np.mean(accuracy[[t.size >= 20 for t in true]])),
        "silenced": float(np.mean(z == 0) - np.mean(k.z == 0)),
        "cpu_s": cpu_s,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Score and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", type=Path, nargs="*")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(*TEST)))
    parser.add_argument("--dense", nargs="*", default=[], help="networks to run everywhere as well")
    parser.add_argument("--seconds", type=float, default=TEST_SECONDS)
    parser.add_argument("--units", action="store_true")
    args = parser.parse_args(argv)
    networks = {f"{p.parent.name}/{p.stem}": load(p) for p in args.networks}
    whole = {n: w for n, w in networks.items() if n in args.dense}
    answers: dict[str, Any] = {}
    for seed in args.seeds:
        k = contaminated(args.data, seed, args.seconds)
        row: dict[str, Any] = {"kind": "hybrid" if seed % 2 else "simulated"}
        if networks:
            row["detection"] = detection(k, networks, seed, False)
            row["classes"] = classes(k, networks, seed)
        if whole:
            row["dense"] = detection(k, whole, seed, True)
        if args.units:
            row["without"], row["with"] = units(k, False, seed), units(k, True, seed)
        answers[str(seed)] = row
        args.out.write_text(json.dumps(answers, indent=1))
        print(seed, "done", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
