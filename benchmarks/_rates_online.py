"""Part of `benchmarks/rates.py`: rates frame by frame, by how long one waits for them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from nissl.annotators.rates import simulate as sim
from nissl.annotators.rates.model import RateModel, shipped
from nissl.annotators.rates.online import NEAR, OnlineDeconvolution, OnlineNetwork
from nissl.annotators.rates.resampling import true_rate

RATES_HZ = {7.5: 0.2, 30.0: 0.05}
"""Frame rates and the Gaussian (seconds) that smooths truth and answers of deconvolution."""
WAITS_S = (0.0, 0.1, 0.3, 1.0)
SEED = 78
MANY = 100
WARM_S = 5.0
"""Before one frame's time is taken."""


def run(quick: bool = False, model: RateModel | None = None) -> dict[str, Any]:
    """Compute everything; JSON values. The model is the shipped one by default."""
    known = shipped() if model is None else model
    n, seconds = (3, 30.0) if quick else (12, 60.0)
    rows = []
    for rate_hz, sigma_s in RATES_HZ.items():
        rng = np.random.default_rng([SEED, round(rate_hz)])
        made = sim.batch(rate_hz, (1.0, 3.0), n, round(seconds * rate_hz), rng)
        net = known.nearest(rate_hz)
        for wait_s in WAITS_S:
            method = OnlineDeconvolution(n, rate_hz, look_ahead_s=wait_s)
            rows.append(_row("deconvolution", method, made, sigma_s, smooth=True))
        for ahead in (*WAITS_S, None) if abs(rate_hz / net.rate_hz - 1) <= NEAR else ():
            online = OnlineNetwork(net, n, rate_hz, look_ahead_s=ahead)
            if ahead is None or online.look_ahead < online.reach:
                rows.append(_row("network", online, made, sigma_s, smooth=False))
    return {"cells": n, "duration_s": seconds, "rows": rows}


def _row(
    name: str, method: Any, made: sim.Batch, sigma_s: float, *, smooth: bool
) -> dict[str, Any]:
    from scipy.ndimage import gaussian_filter1d

    rate_hz, frames = made.rate_hz, made.dff.T.astype(np.float64)
    _, first = method.push(frames)
    answers = np.concatenate([first, method.finish()[1]])
    edges = np.arange(len(frames) + 1) / rate_hz
    # the first minute is partly warming up
    late = slice(round(min(60.0, 0.25 * len(frames) / rate_hz) * rate_hz), None)
    r = []
    for k, spikes in enumerate(made.spikes_s):
        truth = true_rate(spikes, edges, sigma_s)[late]
        said = answers[:, k]
        said = gaussian_filter1d(said, sigma_s * rate_hz)[late] if smooth else said[late]
        if truth.std() > 0:
            r.append(float(np.corrcoef(truth, said)[0, 1]) if said.std() > 0 else 0.0)
    return {
        "method": name,
        "rate_hz": rate_hz,
        "delay_frames": method.delay_frames,
        "delay_s": method.delay_s,
        "r": float(np.median(r)) if r else float("nan"),
        "ms_per_frame": _ms_per_frame(method, frames),
    }


def _ms_per_frame(method: Any, frames: Any) -> float:
    """Milliseconds of a processor that one frame of many cells takes; frames come one by one."""
    many = np.tile(frames, (1, -(-MANY // frames.shape[1])))[:, :MANY]
    warm = round(WARM_S * method.rate_hz)
    ahead = method.look_ahead / method.rate_hz
    fresh: Any = (
        OnlineNetwork(method.ensemble, MANY, method.rate_hz, look_ahead_s=ahead, warm_s=WARM_S)
        if isinstance(method, OnlineNetwork)
        else OnlineDeconvolution(MANY, method.rate_hz, look_ahead_s=ahead, warm_s=WARM_S)
    )
    fresh.push(many[: warm + 5])
    n = 32
    began = time.process_time()
    for k in range(n):
        fresh.push(many[warm + 5 + k : warm + 6 + k])
    return 1000 * (time.process_time() - began) / n


def section(result: Mapping[str, Any]) -> str:
    """Section of the page, Markdown."""
    lines = [
        "## Frame by frame",
        "",
        f"Median correlation with the true rate on {result['cells']} simulated traces of "
        f"{result['duration_s']:g} s (all indicators, noise 1 to 3 % per sqrt(Hz)) when each "
        "frame is answered after so many more; what comes later is not looked at. The network's "
        "last row of a frame rate is its whole reach, where its answers are those of the whole "
        "trace. Answers of deconvolution are smoothed afterwards as the truth is. Time is that "
        f"of one frame of {MANY} cells on one processor, others busy; the network answers four "
        "frames at once, and the delay includes that and the frame itself.",
        "",
        "| method | frames/s | frames waited | delay | r | ms per frame |",
        "|:---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {r['method']} | {r['rate_hz']:g} | {r['delay_frames']} | {r['delay_s']:.2f} s | "
        f"{'' if r['r'] is None else format(r['r'], '.3f')} | {r['ms_per_frame']:.2f} |"
        for r in result["rows"]
    ]
    return "\n".join([*lines, ""])
